"""A study killed at moments over its whole duration, and gone on with: every run that it had ended
is read, and the study that comes out is the one that nobody killed.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

from killed_runs import Child, opened_file
from write_scenarios import state_of

from dlprobe import open_run
from dlprobe.runs import Study
from dlprobe.runs.journal import journal_path

COUNT = 250
NET = ("--data", "wine", "--layers", "4", "--epochs", "40", "--seeds", "6", "--quiet")
STUDY = ["compare", "init", "he_normal", "glorot_normal", *NET]


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """left: how often each state was left; runs: how many of twelve had ended, and how often."""
    chance, failed = random.Random(seed), []
    left: Counter[str] = Counter()
    runs: Counter[int] = Counter()
    whole, path = folder / "whole.h5", folder / "killed" / "study.h5"
    path.parent.mkdir()
    for _ in range(2):  # the first one compiles
        whole.unlink(missing_ok=True)
        child = Child([*STUDY, "-o", str(whole)])
        child.begun(journal_path(whole))
        began = time.monotonic()
        assert child.wait() == 0
        seconds = time.monotonic() - began
    expected = _hashes(whole)
    for number in range(count):
        moment = chance.uniform(0.0, 1.1 * seconds)
        child = Child([*STUDY, "-o", str(path)])
        if number % 5:  # every fifth moment counts from the start of the process
            child.begun(journal_path(path))
        time.sleep(moment)
        child.kill()
        left[state_of(path.parent)] += 1
        try:
            runs[_ended(path, expected)] += 1
            assert Child(_command(path)).wait() == 0, "it does not go on"
            assert _hashes(path) == expected, "another study than without the kill"
            assert state_of(path.parent) == "packed"
        except Exception as error:  # whatever is wrong belongs into the result
            failed.append(f"kill {number} after {moment:.3f} s: {type(error).__name__}: {error}")
        for file in path.parent.iterdir():
            file.unlink()
    return {
        "left": dict(sorted(left.items())),
        "runs": dict(sorted(runs.items())),
        "failed": failed,
    }


def _command(path: Path) -> list[str]:
    """What is typed: --resume once there is anything to go on with."""
    there = path.exists() or journal_path(path).exists()
    return ["compare", "--resume", str(path), "--quiet"] if there else [*STUDY, "-o", str(path)]


def _ended(path: Path, expected: dict[str, str]) -> int:
    """How many runs are left, each as it is without a kill."""
    study = opened_file(path)
    if study is None:
        journal_path(path).unlink(missing_ok=True)  # the message asks for it
        return 0
    assert isinstance(study, Study)
    with study:
        hashes = {id: run.content_sha256 for id, run in study.runs.items()}
    assert hashes.items() <= expected.items(), "a run differs"
    return len(hashes)


def _hashes(path: Path) -> dict[str, str]:
    with open_run(path) as study:
        assert isinstance(study, Study)
        assert study.status == "finished"
        return {id: run.content_sha256 for id, run in study.runs.items()}
