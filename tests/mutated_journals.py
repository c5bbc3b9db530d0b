"""Mutated journals, read in a process that a signal or a wait ends: used by tests and by
`python -m tests.campaigns`.

Four kinds. `bytes`: as a disk garbles them. `moved`: a frame lost, swapped, repeated or taken from
another journal. `repaired`: one frame changed, its own checksum right again. `forged`: up to three
changes, all checksums and links right.
"""

from __future__ import annotations

import random
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import synthetic_runs
from journal_mutations import Piece, forged, garbled, joined, moved, split
from mutated_runs import limited, mutated

import dlprobe
from dlprobe import registry
from dlprobe.errors import DlprobeError
from dlprobe.runs import Run, RunWriter, Study, StudyWriter
from dlprobe.runs.following import FollowedRun, follow

T = TypeVar("T")
KINDS = ("bytes", "moved", "repaired", "forged")


def run_journal(steps: int = 12) -> bytes:
    """A small run with rows, evaluations, measurements, a state and an end."""
    writer = RunWriter.create(None, synthetic_runs.description())
    for start in range(0, steps, 4):
        synthetic_runs.evaluate(writer, start)
        writer.instruments(start, synthetic_runs.measured_at(start))
        synthetic_runs.write_rows(writer, start, start + 4, 4)
        writer.flush()
    synthetic_runs.finish(writer, steps)
    return writer.bytes()


def study_journal(folder: Path) -> bytes:
    """A study of three runs with a table."""
    with StudyWriter.create(folder / "study.h5", {"axes": {"n": [4, 8, 12]}}) as writer:
        for n in (4, 8, 12):
            writer.run(f"n_{n}", run_journal(n), {"n": n})
        writer.end({"n": [4, 8, 12], "verdict": ["a", "b", "c"]})
    journal = folder / "study.h5.journal"
    content = journal.read_bytes()
    journal.unlink()
    return content


def read_mutations(kind: str, folder: Path, count: int, seed: int) -> Counter[str]:
    """How `count` mutations of a run's or a study's journal were read, by kind and answer.

    Raises AssertionError, with the number of the mutation, where one is read wrongly.
    """
    make = (lambda: study_journal(folder)) if kind == "study" else run_journal
    content, other, answers = make(), split(make()), Counter[str]()
    chance = random.Random(seed)
    for number in range(count):
        family = KINDS[number % len(KINDS)]
        changed, whole = _mutated(family, content, other, chance)
        path = folder / f"mutated-{number}.h5.journal"
        path.write_bytes(changed)
        try:
            with limited():
                answer = read(path, assert_exact if family in ("bytes", "moved") else read_run)
            if family != "forged":
                _assert_not_silent(answer, changed, content, whole)
        except Exception as error:
            raise AssertionError(f"{kind}, {family}, seed {seed}, number {number}") from error
        finally:
            path.unlink()
        answers[f"{family}: {answer}"] += 1
    return answers


def _mutated(
    family: str, content: bytes, other: list[Piece], chance: random.Random
) -> tuple[bytes, int | None]:
    """The changed journal, and the number of its first bytes that must be told from damage; None
    where nothing need be told: the change looks as if the writer had been killed.
    """
    pieces = split(content)
    starts = [len(joined(pieces[:n])) for n in range(len(pieces) + 1)]
    if family == "moved":
        return joined(moved(pieces, chance, other)), starts[-2]
    if family == "repaired":
        at = chance.randrange(len(pieces))
        changed = [*pieces[:at], garbled(pieces[at], chance, scrambled(chance)), *pieces[at + 1 :]]
        return joined(changed), starts[-2] if at < len(pieces) - 1 else None
    if family == "forged":
        return forged(content, chance, scrambled(chance), other), None
    return mutated(content, chance), starts[-3]


def scrambled(chance: random.Random) -> Callable[[bytes], bytes]:
    """How bytes are changed where no fuzzer does it."""
    return lambda data: mutated(data, chance) if data else b"\1"


def _assert_not_silent(answer: str, changed: bytes, content: bytes, told: int | None) -> None:
    """A journal that is not what was written is refused or damaged, unless it could be the end of
    a killed writer.
    """
    if told is None or answer in ("refused", "damaged") or content.startswith(changed):
        return
    assert changed.startswith(content[:told]), f"read as {answer}: nobody says that it is damaged"


def read(path: Path, check: Callable[[Run], None]) -> str:
    """Read all that a run or study has: refused, damaged or read. Raises whatever is no
    DlprobeError of one line, and what `check` of each run raises.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _follow(path)
        opened = tried(lambda: dlprobe.open_run(path))
        if opened is None:
            return "refused"
        with opened:
            if isinstance(opened, Study):
                tried(lambda: opened.content_sha256)
                for id in opened.runs:
                    if (run := tried(lambda id=id: opened.runs.open(id))) is not None:
                        check(run)
            else:
                check(opened)
            return "damaged" if opened.damage else "read"


def read_run(run: Run) -> None:
    """Everything that a run offers, each by itself."""
    for name, member in vars(Run).items():
        if isinstance(member, cached_property):
            tried(lambda name=name: getattr(run, name))
    for name in ("gradient_rms", "update_ratio"):
        tried(lambda name=name: run.statistic(name))
        tried(lambda name=name: run.level(name, 64))
    tried(lambda: run.statistic_rows("gradient_rms", -2, 10**9))
    tried(lambda: run.row(-1) if len(run.steps) else None)
    for what in registry.get("instrument", "histogram").of:
        tried(lambda what=what: run.histograms(what))
    tried(lambda: [array.shape for _, array in run.contents.slabs()])


def tried(work: Callable[[], T]) -> T | None:
    """None where it is refused in one line."""
    try:
        return work()
    except DlprobeError as error:
        if "\n" in str(error):
            raise AssertionError(f"several lines: {error}") from error
        return None


def _follow(path: Path) -> None:
    followed: Any = tried(lambda: follow(path))
    if isinstance(followed, FollowedRun):
        tried(followed.grow)
        tried(lambda: followed.run.steps)
    elif followed is not None:
        tried(lambda: [ended.run.status for ended in followed.new_runs()])
    if followed is not None:
        tried(followed.abandon)


def assert_exact(run: Run) -> None:
    """Rows that are read are those that were written."""
    statistics, scalars = synthetic_runs.rows_of(np.arange(len(run.steps)))
    for column, name in enumerate(run.statistics):
        np.testing.assert_array_equal(run.statistic(name), statistics[:, :, column])
    for column, name in enumerate(run.scalars):
        np.testing.assert_array_equal(run.scalar(name), scalars[:, column])


def command(kind: str, folder: Path, count: int, seed: int) -> list[str]:
    """A process that reads mutations and prints its answers as a mapping."""
    return [sys.executable, __file__, kind, str(folder), str(count), str(seed)]


if __name__ == "__main__":
    import json

    sys.path.insert(0, str(Path(__file__).parent))
    arguments = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    print(json.dumps(read_mutations(*arguments)))
