"""Mutated run files: made from a seed, read in a process that a signal or a wait ends;
used by tests and by `python -m tests.campaigns`.
"""

from __future__ import annotations

import contextlib
import faulthandler
import random
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

import dlprobe
from dlprobe import registry
from dlprobe.errors import DlprobeWarning, RunFileError
from dlprobe.runs import Run

MOST, WAIT = 5.0, 90.0  # seconds of the processor, and by the clock, for one small file


@dataclass(frozen=True)
class Counts:
    """How mutations were read. right: as the original; refused: in one line; wrong: as anything
    else, or refused in several lines.
    """

    right: int = 0
    refused: int = 0
    wrong: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @classmethod
    def from_text(cls, text: str) -> Counts:
        """What a process of `command` prints."""
        return cls(*map(int, text.split()))


def everything(path: Path) -> list[object]:
    """All that a run or study has, read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DlprobeWarning)
        opened = dlprobe.open_run(path)
    with opened:
        if isinstance(opened, Run):
            return everything_of(opened)
        runs = [value for run in opened.runs.values() for value in everything_of(run)]
        named = [opened.status, opened.description, opened.coordinates, opened.table]
        return [*named, list(opened.runs), *runs]


def everything_of(run: Run) -> list[object]:
    """All that an open run has, read."""
    groups = [
        run.layers.columns,
        run.evaluations,
        run.evaluation_layers,
        run.final,
        run.data,
        run.predictions,
        run.checkpoints,
        run.timing,
        run.evaluation_classes,
        run.evaluation_targets,
        run.instruments,
    ]
    numbers = [run.statistic(name) for name in run.statistics] + [
        run.scalar(name) for name in run.scalars
    ]
    levels = [run.level("gradient_rms", 64).mean]
    kinds = registry.get("instrument", "histogram").of
    recorded = [what for what in kinds if run.contents.has(f"histograms/{what}/counts")]
    numbers += [value for what in recorded for value in vars(run.histograms(what)).values()]
    numbers += [] if run.tracked is None else list(vars(run.tracked).values())
    return [
        run.status,
        run.config,
        run.environment,
        run.steps,
        run.content_sha256,
        run.initial_parameters,
        *groups,
        *numbers,
        *levels,
    ]


def equal(left: object, right: object) -> bool:
    """Whether two values of `everything` are the same, NaN at the same places."""
    if isinstance(left, np.ndarray):
        return (
            isinstance(right, np.ndarray)
            and left.dtype == right.dtype
            and np.array_equal(left, right, equal_nan=left.dtype.kind == "f")
        )
    if isinstance(left, dict):
        return (
            isinstance(right, dict)
            and list(left) == list(right)
            and all(equal(left[key], right[key]) for key in left)
        )
    return left == right


def mutated(content: bytes, chance: random.Random) -> bytes:
    """A bit flipped, bytes overwritten, a piece cut out, or the end cut off."""
    changed, at = bytearray(content), chance.randrange(len(content))
    kind = chance.randrange(5)
    if kind <= 1:
        changed[at] ^= 1 << chance.randrange(8)
    elif kind == 2:
        changed[at : at + 16] = chance.randbytes(len(changed[at : at + 16]))
    elif kind == 3:
        del changed[at : at + chance.randrange(1, 64)]
    else:
        del changed[at:]
    return bytes(changed)


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """End this process where the block waits; raise AssertionError where it computes too long."""
    faulthandler.dump_traceback_later(WAIT, exit=True)
    began = time.process_time()
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
    assert time.process_time() - began < MOST, f"more than {MOST} s of the processor"


def read_mutations(source: Path, folder: Path, count: int, seed: int) -> Counts:
    """Read `count` mutations of `source`."""
    original, content, counts = everything(source), source.read_bytes(), Counts()
    chance = random.Random(seed)
    for number in range(count):
        with limited():
            counts += read(mutated(content, chance), folder / f"mutated-{number}.h5", original)
    return counts


def read(content: bytes, path: Path, original: list[object]) -> Counts:
    """One file with this content beside what the original has.

    Every file needs a path of its own: HDF5 answers for one that is still open, in an error that
    nobody has dropped yet, from what it has read of it before.
    """
    path.write_bytes(content)
    try:
        found = everything(path)
    except RunFileError as error:
        return Counts(wrong=1) if "\n" in str(error) else Counts(refused=1)
    finally:
        path.unlink()
    return Counts(right=1) if all(map(equal, original, found)) else Counts(wrong=1)


def command(source: Path, folder: Path, count: int, seed: int) -> list[str]:
    """A process that reads mutations and prints its counts."""
    return [sys.executable, __file__, str(source), str(folder), str(count), str(seed)]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    print(
        *astuple(
            read_mutations(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
        )
    )
