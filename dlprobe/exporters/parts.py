"""What is exported: arrays of one kind, of one run or of several, read in pieces so that a run
of any length takes the same memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.hdf5.files import printable
from dlprobe.record.scalars import SCALARS
from dlprobe.registry import unknown
from dlprobe.runs import Run

What: TypeAlias = Literal["statistics", "scalars", "evaluations", "evaluation_layers"]
WHAT: tuple[What, ...] = get_args(What)
PER_LAYER = ("statistics", "evaluation_layers")
_PIECE = 2**18  # numbers that are read at once


@dataclass(frozen=True)
class ChosenSteps:
    """Which recorded steps: between `first` and `last`, both included, of these every
    `every`-th row.
    """

    first: int = 0
    last: int = 2**62
    every: int = 1

    def rows(self, steps: NDArray[Any]) -> NDArray[np.int64]:
        """Row numbers of the chosen steps, int64 (chosen row,)."""
        return np.flatnonzero((steps >= self.first) & (steps <= self.last))[:: self.every]


@dataclass(frozen=True)
class Wanted:
    """What somebody asks for. names: which arrays, empty: all that were recorded; layers:
    names, empty: all.
    """

    what: What = "statistics"
    names: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    steps: ChosenSteps = field(default_factory=ChosenSteps)


@dataclass(frozen=True)
class Part:
    """Arrays of the same axes, of one run or of a study as a whole.

    id: of the run in a study, empty for the only one. dims: names of the axes. labels: by axis the
        values along it, texts safe to print. dtypes: by array.
    bounds: where pieces of the first axis begin and end. read: an array's entries from one place of
        the first axis up to another.
    """

    id: str
    dims: tuple[str, ...]
    labels: Mapping[str, NDArray[Any]]
    dtypes: Mapping[str, np.dtype[Any]]
    bounds: Sequence[tuple[int, int]]
    read: Callable[[str, int, int], NDArray[Any]]
    seconds: float = float("nan")
    """Of one step, for formats that keep times."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of every array."""
        return tuple(len(self.labels[dim]) for dim in self.dims)

    @property
    def size(self) -> int:
        """Number of entries of each array, the product of `shape`."""
        return math.prod(self.shape)

    def pieces(self, name: str) -> Iterator[NDArray[Any]]:
        """One array in pieces along its first axis, one for each of `bounds`."""
        return (self.read(name, *bound) for bound in self.bounds)

    def tables(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Columns by name, one for each axis and array, a row for each combination of labels,
        the last axis fastest; piece by piece.
        """
        for start, stop in self.bounds:
            shape = (stop - start, *self.shape[1:])
            axes = {
                dim: self.labels[dim] if axis else self.labels[dim][start:stop]
                for axis, dim in enumerate(self.dims)
            }
            columns = {
                dim: np.broadcast_to(_along(values, axis, len(shape)), shape).ravel()
                for axis, (dim, values) in enumerate(axes.items())
            }
            yield {
                **columns,
                **{name: self.read(name, start, stop).ravel() for name in self.dtypes},
            }


def _along(values: NDArray[Any], axis: int, rank: int) -> NDArray[Any]:
    return values.reshape([-1 if position == axis else 1 for position in range(rank)])


class ExportSource:
    """A run as arrays of one kind."""

    def __init__(self, run: Run, what: What) -> None:
        self.run, self.what = run, what

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What was recorded of this kind."""
        run = self.run
        if self.what in ("statistics", "scalars"):
            if self.what == "statistics":
                return run.statistics
            return tuple(name for name in SCALARS if run.is_recorded(name))
        return tuple(name for name in self._evaluated if name != "step")

    @cached_property
    def steps(self) -> NDArray[Any]:
        """Steps of the rows, int64 (row,): recorded ones, or updates made before each
        evaluation.
        """
        if self.what in ("statistics", "scalars"):
            return self.run.steps
        return self.run.evaluations["step"]

    def rows(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Rows `start` up to `stop` of an array, (row, …)."""
        group = {"statistics": "stats", "scalars": "scalars"}.get(self.what)
        if group is None:
            return self._evaluated[name][start:stop]
        return self.run.contents.read_rows(f"{group}/{name}", start, stop)

    @property
    def _evaluated(self) -> Mapping[str, NDArray[Any]]:
        return self.run.evaluations if self.what == "evaluations" else self.run.evaluation_layers


def part_of(run: Run, wanted: Wanted, id: str = "") -> Part:
    """What is asked for of one run. Raises ConfigError for a name or layer that it does not
    have.
    """
    source = ExportSource(run, wanted.what)
    names = chosen(f"name among the {wanted.what}", wanted.names, source.names)
    layers = _layers(run, wanted)
    rows = wanted.steps.rows(source.steps)
    size = max(1, _PIECE // max(1, (len(layers) or 1) * max(len(names), 1)))
    ends = np.searchsorted(rows, np.arange(0, len(source.steps) + size, size))
    bounds = [(int(start), int(stop)) for start, stop in pairwise(ends) if stop > start]

    def read(name: str, start: int, stop: int) -> NDArray[Any]:
        wide: NDArray[Any] = source.rows(name, int(rows[start]), int(rows[stop - 1]) + 1)[
            rows[start:stop] - rows[start]
        ]
        return wide if not layers or len(layers) == len(run.layers.names) else wide[:, layers]

    labels: dict[str, NDArray[Any]] = {"step": source.steps[rows]}
    if layers:
        labels["layer"] = np.array(
            [printable(run.layers.names[index]) for index in layers], np.str_
        )
    seconds = run.timing.get("step_seconds", ())
    dtypes = {name: source.rows(name, 0, 0).dtype for name in names}
    return Part(
        id,
        tuple(labels),
        labels,
        dtypes,
        bounds,
        read,
        float(np.median(seconds)) if len(seconds) else float("nan"),
    )


def _layers(run: Run, wanted: Wanted) -> list[int]:
    if wanted.what not in PER_LAYER:
        if wanted.layers:
            raise ConfigError(
                f"the {wanted.what} have one number for the whole net: leave the layers out"
            )
        return []
    known = run.layers.names
    return [known.index(name) for name in chosen("layer", wanted.layers, known)]


def chosen(what: str, names: Sequence[str], known: Sequence[str]) -> list[str]:
    """The names that are asked for, all where none is. Raises ConfigError for one that there is
    not.
    """
    for name in names:
        if name not in known:
            raise ConfigError(unknown(what, name, known))
    return list(names or known)
