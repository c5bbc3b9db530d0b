"""`dlprobe train` killed five times at moments drawn over its whole duration, gone on with by
--resume each time: the content is that of the run not killed.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from command_line import dlprobe
from resumed_runs import SCHEDULES, arguments, content_of, draw

from dlprobe import open_run, registry
from dlprobe.commands import main
from dlprobe.errors import RunFileError
from dlprobe.runs.following import FollowedRun, follow
from dlprobe.runs.journal import journal_path

COUNT, KILLS = 60, 5
LENGTH = {"data": "digits", "epochs": "none", "sharpness": "none"}
SECONDS = 0.3  # of processor time that the training of a run should take about
BEFORE, BEHIND = (
    0.1,
    1.2,
)  # shares of the run: kills before its first frame below 0, in packing above 1


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """`count` runs, fewer where Ctrl-C ends them. left: how each kill found its run, in training
    with the share of its steps that were recorded, in tenths.

    from_a_state: how often a run went on from what it had kept; the other times it began anew.
    """
    chance, failed, states, runs = random.Random(seed), [], 0, 0
    left: Counter[str] = Counter()
    for number in range(count):
        whole, path = folder / f"{number}-whole.h5", folder / f"{number}.h5"
        options = draw(chance, **LENGTH, **_in_turn(number), steps="300")
        try:
            options = _in_time(options, folder / f"{number}-short.h5")
            packing = _train(arguments(options), whole)
            last = _last_step(whole)
            for moment in sorted(chance.uniform(-BEFORE, BEHIND) for _ in range(KILLS)):
                left[_killed(path, options, moment, last, packing)] += 1
            _finish(path, options)
            states += _gone_on(path)
            if content_of(path) != content_of(whole):
                failed.append(f"run {number}: {options}: another content than without kills")
        except KeyboardInterrupt:
            Child.last.kill()
            break
        except Exception as error:  # whatever is wrong belongs into the result
            failed.append(f"run {number}: {options}: {type(error).__name__}: {error}")
        runs += 1
        for file in folder.iterdir():
            file.unlink()
    return {
        "runs": runs,
        "kills": sum(left.values()),
        "from_a_state": states,
        "left": dict(sorted(left.items())),
        "failed": failed,
    }


def _in_turn(number: int) -> dict[str, str]:
    """Every optimizer, normalization and schedule comes in turn, so that none is left to chance."""
    kinds = {
        "optimizer": list(registry.records("optimizer")),
        "norm": ["none", *registry.records("normalization")],
        "schedule": list(SCHEDULES),
        "jacobian": ["none", "none", "none", "4"],
    }
    return {option: names[number % len(names)] for option, names in kinds.items()}


def _in_time(options: dict[str, str], path: Path) -> dict[str, str]:
    """The options with as many steps as take some seconds. This process loads what its children
    then need not.
    """
    short = dlprobe("train", "--quiet", *arguments(options), "-o", str(path))
    if short.code:
        raise ValueError(short.err)
    with open_run(path) as timed:
        spent = float(np.median(timed.timing["step_seconds"]))
    return options | {"steps": str(min(max(int(SECONDS / spent), 300), 60_000))}


def _command(options: dict[str, str], path: Path) -> list[str]:
    """What is typed: --resume once there is anything to go on with."""
    there = path.exists() or journal_path(path).exists()
    return ["--resume", str(path)] if there else [*arguments(options), "-o", str(path)]


class Child:
    """`dlprobe train …` in a process of its own, a copy of this one: what it would load first
    is loaded here.
    """

    last: Child

    def __init__(self, arguments: list[str]) -> None:
        self.code: int | None = None
        self._id = os.fork()
        Child.last = self
        if self._id == 0:
            code = 2
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                code = main(["train", "--quiet", *arguments])
            finally:
                os._exit(code)

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        if self.code is None:
            ended, status = os.waitpid(self._id, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if ended else None
        return self.code

    def kill(self) -> None:
        """End it where it stands."""
        if self.poll() is None:
            os.kill(self._id, signal.SIGKILL)
            self.wait()

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        while self.poll() is None:
            time.sleep(0.002)
        assert self.code is not None
        return self.code


def _train(options: list[str], path: Path) -> float:
    """Train to the end; the seconds between the end of training and that of packing. Raises
    ValueError where training failed.
    """
    child = Child([*options, "-o", str(path)])
    began = time.monotonic()
    followed = _followed(path, child)
    while followed is not None and not followed.has_ended and child.poll() is None:
        time.sleep(0.005)
        followed.grow()
        began = time.monotonic()
    while child.poll() is None and not path.exists():
        time.sleep(0.002)
    packing = time.monotonic() - began
    if code := child.wait():
        raise ValueError(f"training ended with {code}")
    return packing


def _last_step(path: Path) -> int:
    with open_run(path) as whole:
        return int(whole.steps[-1])


def _followed(path: Path, child: Child) -> FollowedRun | None:
    """The run's journal, once it has a first frame; None where the process ended before."""
    while child.poll() is None:
        try:
            found = follow(journal_path(path))
        except RunFileError:
            time.sleep(0.005)
            continue
        assert isinstance(found, FollowedRun)
        return found
    return None


def _killed(path: Path, options: dict[str, str], moment: float, last: int, packing: float) -> str:
    """How a kill leaves the run: when it has recorded the share `moment` of its steps; below 0
    before it recorded any more; above 1 while it is packed.
    """
    child = Child(_command(options, path))
    if moment < 0:
        time.sleep(packing * -moment / BEFORE * 10)
    elif (followed := _followed(path, child)) is not None:
        while (
            followed.last_step < moment * last and not followed.has_ended and child.poll() is None
        ):
            time.sleep(0.002)
            followed.grow()
        if moment > 1:
            time.sleep(packing * (moment - 1) / (BEHIND - 1))
    child.kill()
    if not (path.exists() or journal_path(path).exists()):
        return "not begun"
    try:
        with open_run(path) as run:
            if path.exists():
                return "packed, journal beside it" if journal_path(path).exists() else "packed"
            return (
                "whole, in packing"
                if run.status == "finished"
                else (
                    "training, "
                    f"{10 * (int(run.steps[-1]) if len(run.steps) else 0) // (last + 1)} tenths"
                )
            )
    except RunFileError:
        journal_path(path).unlink()  # before its first frame; the message asks for it
        return "not begun"


def _gone_on(path: Path) -> int:
    """How often the run went on from a step that it had kept."""
    with open_run(path) as run:
        return sum(
            step.strip() != "0"
            for step in str(run.environment.get("resumed_at_steps", "0")).split(",")
        )


def _finish(path: Path, options: dict[str, str]) -> None:
    """Go on to the end. Raises ValueError where training failed."""
    if code := Child(_command(options, path)).wait():
        raise ValueError(f"training ended with {code}")
