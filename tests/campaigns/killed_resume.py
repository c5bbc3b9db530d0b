"""`dlprobe train` killed five times at drawn writes, over its whole duration, and gone on with by
--resume each time: the content is that of the run that nobody killed.

Kills fall before the calls by which it changes files, since nothing else that it does outlives it.
A state to go on from is kept after every block of 20 steps.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

from command_line import dlprobe
from file_calls import ended, recorded
from killed_runs import opened
from resumed_runs import SCHEDULES, arguments, content_of, draw
from write_scenarios import state_of

from dlprobe import open_run, registry
from dlprobe.runs.journal import journal_path
from dlprobe.runs.state_pace import StatePace
from dlprobe.training import trainer

COUNT, KILLS, BLOCK = 60, 5, 20
PACKING = 0.15  # share of the kills that fall into packing


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """`count` runs, fewer where Ctrl-C ends them. left: how often each state was left, those of a
    journal with the tenth of the run's steps that was recorded. from_a_state: how often a run went
    on from what it had kept; the other times it began anew.
    """
    chance, failed, states, runs = random.Random(seed), [], 0, 0
    left: Counter[str] = Counter()
    pace = mock.patch.object(StatePace, "is_due", return_value=True)
    with pace, mock.patch.object(trainer, "LARGEST_BLOCK", BLOCK):
        try:
            for runs in range(count):
                options = draw(chance, **_in_turn(runs))
                try:
                    states += _killed_run(folder / str(runs), options, chance, left)
                except Exception as error:  # whatever is wrong belongs into the result
                    failed.append(f"run {runs}: {options}: {type(error).__name__}: {error}")
            runs = count
        except KeyboardInterrupt:
            pass
    kills = sum(left.values())
    found = {"runs": runs, "kills": kills, "from_a_state": states}
    return {**found, "left": dict(sorted(left.items())), "failed": failed}


def _in_turn(number: int) -> dict[str, str]:
    """Every optimizer, normalization and schedule comes in turn, so that none is left to chance."""
    kinds = {
        "optimizer": list(registry.records("optimizer")),
        "norm": ["none", *registry.records("normalization")],
        "schedule": list(SCHEDULES),
    }
    return {option: names[number % len(names)] for option, names in kinds.items()}


def _killed_run(
    folder: Path, options: dict[str, str], chance: random.Random, left: Counter[str]
) -> int:
    """Train a run whole and killed; how often it went on from a state. Raises AssertionError where
    the two differ.
    """
    for name in ("whole", "killed"):
        (folder / name).mkdir(parents=True)
    whole, path = folder / "whole" / "run.h5", folder / "killed" / "run.h5"
    calls = recorded(whole.parent, lambda: _train(*arguments(options), "-o", str(whole)))
    packing = next(n for n, call in enumerate(calls) if call.path.endswith(".tmp"))
    with open_run(whole) as uninterrupted:
        last = int(uninterrupted.steps[-1])
    before = 0.0
    for share in sorted(chance.uniform(0, 1) for _ in range(KILLS)):
        number = round((share - before) * packing)
        if chance.random() < PACKING:
            number = chance.randrange(packing, len(calls))
        ended(path.parent, lambda: _train(*_command(options, path)), number, "killed")
        left[_state(path, last)] += 1
        before = share
    _train(*_command(options, path))
    assert content_of(path) == content_of(whole), "another content than without kills"
    with open_run(path) as resumed:
        steps = str(resumed.environment.get("resumed_at_steps", "0")).split(",")
    return sum(step.strip() != "0" for step in steps)


def _command(options: dict[str, str], path: Path) -> list[str]:
    """What is typed: --resume once there is anything to go on with."""
    if not path.exists() and opened(path) is None:
        journal_path(path).unlink(missing_ok=True)  # without a first frame; the message asks for it
        return [*arguments(options), "-o", str(path)]
    return ["--resume", str(path)]


def _state(path: Path, last: int) -> str:
    """What a kill has left."""
    run, state = opened(path), state_of(path.parent)
    if run is None:
        return "not begun"
    with run:
        made = int(run.steps[-1]) if len(run.steps) else 0
    return f"{state}, {10 * made // (last + 1)} tenths" if state == ".journal" else state


def _train(*typed: str) -> None:
    outcome = dlprobe("train", "--quiet", *typed)
    assert outcome.code == 0, outcome.err
