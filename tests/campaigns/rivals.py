"""Several processes at one file: two that train, go on with or pack the same run, readers beside a
writer, and a file that is replaced, overwritten or cut while it is read.

One writer wins, the others say in one line why not; what comes out is the run that a single process
makes. What is read is one file or a refusal, never a mixture. COUNT: rounds of each.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import synthetic_runs
from killed_runs import Child, assert_prefix, opened
from mutated_runs import equal, everything, everything_of
from resumed_runs import arguments, content_of, draw, ends_of_frames, whole_journal
from write_scenarios import LENGTH, NET, state_of

from dlprobe import open_run
from dlprobe.errors import RunFileError
from dlprobe.runs import Run, pack_journal
from dlprobe.runs.journal import journal_path

COUNT, WRITERS = 30, 3
LONGEST = 60.0  # seconds for a round; beyond it is a hang


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """codes: exit codes of writers, by what they did; read: how the readers ended."""
    chance, failed = random.Random(seed), []
    codes: Counter[str] = Counter()
    read: Counter[str] = Counter()
    options = draw(chance, **NET, **LENGTH, evaluate_every="1")
    journal = whole_journal(folder / "whole.h5", options)
    whole = pack_journal(folder / "whole.h5")
    ends = ends_of_frames(journal)
    here = folder / "here"
    dead = journal[: ends[len(ends) // 2]]
    training = ["train", "--quiet", *arguments(options), "-o", str(here / "run.h5")]
    resume, pack = ["train", "-q", "--resume", training[-1]], ["inspect", "--pack", training[-1]]
    rounds: list[Callable[[], None]] = [
        lambda: _writers("train", training, b"", here, whole, codes),
        lambda: _writers("resume", resume, dead, here, whole, codes),
        lambda: _writers("pack", pack, journal, here, whole, codes),
        lambda: _readers(training, here, whole, read),
        lambda: _replaced(here, chance, read),
    ]
    for number in range(count):
        for work in rounds:
            shutil.rmtree(here, ignore_errors=True)
            here.mkdir()
            try:
                work()
            except Exception as error:  # whatever is wrong belongs into the result
                failed.append(f"round {number}: {type(error).__name__}: {error}")
    counts = {"codes": dict(sorted(codes.items())), "read": dict(sorted(read.items()))}
    return {**counts, "failed": failed}


def _writers(
    name: str, typed: Sequence[str], journal: bytes, here: Path, whole: Path, codes: Counter[str]
) -> None:
    """Several processes that are typed the same at the same time."""
    if journal:
        journal_path(here / "run.h5").write_bytes(journal)
    children = [Child(list(typed)) for _ in range(WRITERS)]
    ended = [_within(child) for child in children]
    codes.update(f"{name}: {code}" for code in ended)
    assert 0 in ended, f"nobody wrote: {ended}"
    assert set(ended) <= {0, 2}, f"exit codes {ended}"
    assert name != "train" or ended.count(0) == 1, f"{ended.count(0)} trained"
    assert content_of(here / "run.h5") == content_of(whole)
    assert state_of(here) == "packed"


def _within(child: Child) -> int:
    """The exit code. Raises AssertionError for a hang."""
    end = time.monotonic() + LONGEST
    while child.poll() is None:
        if time.monotonic() > end:
            child.kill()
            raise AssertionError("it hangs")
        time.sleep(0.005)
    return child.wait()


def _readers(typed: Sequence[str], here: Path, whole: Path, read: Counter[str]) -> None:
    """Open the run again and again while it is trained and packed."""
    child = Child(list(typed))
    with open_run(whole) as uninterrupted:
        while child.poll() is None:
            if not any(here.iterdir()):
                continue
            left = opened(here / "run.h5")
            if left is None:
                read["before it began"] += 1
                continue
            with left:
                read[f"while {left.status}"] += 1
                assert left.damage is None
                left.status = "interrupted" if left.status == "running" else left.status
                assert_prefix(left, uninterrupted)
    assert child.wait() == 0
    assert content_of(here / "run.h5") == content_of(whole)


def assert_one_line(error: RunFileError) -> None:
    """Of every refusal."""
    assert "\n" not in str(error), f"several lines: {error}"


def _replaced(here: Path, chance: random.Random, read: Counter[str]) -> None:
    """Open a packed run, change its file in one of three ways, then read on."""
    how, path = chance.choice(("renamed over", "overwritten", "cut")), here / "run.h5"
    synthetic_runs.write(path, 300).pack()
    own = synthetic_runs.rows_of
    with mock.patch.object(synthetic_runs, "rows_of", lambda steps, *dtype: own(steps + 9, *dtype)):
        other = synthetic_runs.write(here / "other.h5", 300).pack()
    expected = everything(path)
    with open_run(path) as run:
        assert isinstance(run, Run)
        if how == "renamed over":
            os.replace(other, path)
        elif how == "overwritten":
            path.write_bytes(other.read_bytes())
        else:
            os.truncate(path, chance.randrange(path.stat().st_size))
        try:
            after = everything_of(run)
        except RunFileError as error:
            assert_one_line(error)
            read[f"{how}: refused"] += 1
            return
    assert all(map(equal, expected, after)), f"{how}: a mixture of two files"
    read[f"{how}: as it was"] += 1
