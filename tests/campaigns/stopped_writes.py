"""Runs and studies stopped at every call that changes a file: killed before it, killed in the
middle of a write, refused by a full disk.

What was written is read back, and what was stopped is gone on with to the end. COUNT: at how many
calls of each scenario, evenly over all of them; 0 for every one.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from file_calls import ended, recorded
from write_scenarios import Scenario, scenarios, state_of

COUNT = 0
CODES = {"killed": (-9, 0), "torn": (-9, 0), "refused": (0, 2)}  # how the process ends


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """left: how often each state was left, by how the work was stopped; hits: calls that were
    tried.
    """
    left: dict[str, Counter[str]] = {how: Counter() for how in CODES}
    kept, failed, calls = folder / "kept", [], {}
    kept.mkdir()
    for name, scenario in scenarios(kept, seed).items():
        found = _every_call(scenario, folder / "tried", count, left)
        calls[name] = found[0]
        failed += [f"{name}: {text}" for text in found[1]]
    return {
        "calls": calls,
        "left": {how: dict(sorted(n.items())) for how, n in left.items()},
        "failed": failed,
    }


def _every_call(
    scenario: Scenario, folder: Path, count: int, left: dict[str, Counter[str]]
) -> tuple[int, list[str]]:
    """How many calls the work makes, and what failed."""
    _prepared(scenario, folder)
    calls = recorded(folder, lambda: scenario.work(folder))
    failed = []
    for number in range(0, len(calls), max(1, len(calls) // count) if count else 1):
        hows = [how for how in CODES if how != "torn" or calls[number].name == "write"]
        for how in hows:
            _prepared(scenario, folder)
            code = ended(folder, lambda: scenario.work(folder), number, how)
            left[how][state_of(folder)] += 1
            try:
                assert code in CODES[how], f"exit code {code}"
                scenario.check(folder, calls[:number], False)
            except Exception as error:  # whatever is wrong belongs into the result
                where = f"{calls[number].name} {Path(calls[number].path).name}"
                failed.append(f"{how} at call {number} ({where}): {type(error).__name__}: {error}")
    return len(calls), failed


def _prepared(scenario: Scenario, folder: Path) -> None:
    """The folder as it is before the work."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    scenario.prepare(folder)
