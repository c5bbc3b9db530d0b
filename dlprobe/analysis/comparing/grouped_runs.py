"""The runs of a study in groups by their place on its axes, and what the runs of a group have
in common: medians and ranges.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.config.records import other_keys
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.registry import tidied, unknown

Array = npt.NDArray[Any]
REPETITIONS = ("seed", "replica", "restart")  # axes along which a configuration is repeated
Coordinates = Mapping[str, Any]


@dataclass(frozen=True)
class RunGrid:
    """Run ids with their coordinates, and the axes of the study with their values in order."""

    axes: Mapping[str, Sequence[Any]]
    coordinates: Mapping[str, Coordinates]

    @property
    def names(self) -> list[str]:
        """Every axis that a run has a place on, those of the study first."""
        axes = dict.fromkeys(axis for place in self.coordinates.values() for axis in place)
        return [
            *(axis for axis in self.axes if axis in axes),
            *(axis for axis in axes if axis not in self.axes),
        ]

    def axis(self, text: str) -> str:
        """The axis that a name means, also one of other tools' names for it. Raises ConfigError."""
        name, elsewhere = tidied(text), other_keys()
        for axis in self.names:
            if name == tidied(axis) or elsewhere.get(name, name) == elsewhere.get(
                tidied(axis), tidied(axis)
            ):
                return axis
        raise ConfigError(unknown("axis", text.strip(), self.names))

    def values(self, axis: str) -> list[Any]:
        """The values of an axis that runs have, in the study's order."""
        held = {
            _plain(place[axis]): place[axis] for place in self.coordinates.values() if axis in place
        }
        ordered = [_plain(value) for value in self.axes.get(axis, ())]
        return [
            held[value]
            for value in dict.fromkeys([*(value for value in ordered if value in held), *held])
        ]

    def where(self, wanted: Mapping[str, Collection[str]]) -> RunGrid:
        """The runs that have one of the wanted values on each axis. Raises ConfigError for an
        unknown axis or value, and where no run is left.
        """
        chosen = dict(self.coordinates)
        for text, texts in wanted.items():
            axis = self.axis(text)
            kept = [self._value(axis, value) for value in texts]
            chosen = {
                id: place
                for id, place in chosen.items()
                if axis in place and _plain(place[axis]) in kept
            }
        if not chosen:
            told = " and ".join(
                f"{axis} = {' or '.join(values)}" for axis, values in wanted.items()
            )
            raise ConfigError(
                f"no run of the study has {told}: its axes are {', '.join(self.names)}"
            )
        return RunGrid(self.axes, chosen)

    def _value(self, axis: str, text: str) -> str:
        plain = _plain(text)
        values = [str(value) for value in self.values(axis)]
        if plain not in map(_plain, values):
            raise ConfigError(unknown(f"value of {axis}", text.strip(), values))
        return plain

    @property
    def varying(self) -> list[str]:
        """The axes on which the runs differ, but for repetitions of one configuration."""
        return [
            axis for axis in self.names if axis not in REPETITIONS and len(self.values(axis)) > 1
        ]

    @property
    def fixed(self) -> dict[str, Any]:
        """The axes on which all runs have one value."""
        return {axis: self.values(axis)[0] for axis in self.names if len(self.values(axis)) == 1}

    def by(self, axes: Sequence[str]) -> list[RunGroup]:
        """The runs in groups of one place on the given axes, in the order of the axes' values;
        one group of all without axes.
        """
        order = {axis: [_plain(value) for value in self.values(axis)] for axis in axes}
        places: dict[tuple[int, ...], list[str]] = {}
        for id, place in self.coordinates.items():
            key = tuple(
                order[axis].index(_plain(place[axis])) if axis in place else len(order[axis])
                for axis in axes
            )
            places.setdefault(key, []).append(id)
        return [
            RunGroup({axis: self.coordinates[ids[0]].get(axis) for axis in axes}, tuple(ids))
            for _, ids in sorted(places.items())
        ]


@dataclass(frozen=True)
class RunGroup:
    """Runs that share a place on some axes."""

    place: Coordinates
    runs: tuple[str, ...]

    @property
    def label(self) -> str:
        """The place in words; a bare number with its axis."""
        return (
            " · ".join(
                f"{axis} {value}" if re.fullmatch(r"[-+.\deE]+", str(value)) else str(value)
                for axis, value in self.place.items()
            )
            or "all runs"
        )


@dataclass(frozen=True)
class Summary:
    """Median, smallest and largest value over runs, and how many runs have one: each (step,);
    steps: int64, −1 where the runs' steps differ; values: of each run with a record, (run, step).
    """

    steps: Array
    median: Array
    low: Array
    high: Array
    runs: Array
    values: Array


def over_runs(curves: Iterable[tuple[Array, Array]], *, aligned: bool = False) -> Summary:
    """What runs have in common, from each run's steps (row,) and values (row,); NaN is a value that
    a run does not have.

    aligned: the rows of all runs belong together though their steps may differ, as the last ones
        do.
    """
    pairs = [
        (np.asarray(steps, np.int64), np.asarray(values, np.float64))
        for steps, values in curves
        if len(steps)
    ]
    if not pairs:
        nothing = np.empty(0)
        steps, values = nothing.astype("i8"), nothing.reshape(0, 0)
        return Summary(steps, nothing, nothing, nothing, steps, values)
    if aligned:
        rows = np.stack([values for _, values in pairs])
        steps = np.stack([steps for steps, _ in pairs])
        return _summary(np.where((steps == steps[0]).all(axis=0), steps[0], -1), rows)
    steps = np.unique(np.concatenate([own for own, _ in pairs]))
    rows = np.full((len(pairs), len(steps)), np.nan)
    for row, (own, values) in zip(rows, pairs, strict=True):
        row[np.searchsorted(steps, own)] = values
    return _summary(steps, rows)


def _summary(steps: Array, rows: Array) -> Summary:
    """rows: (run, step)."""
    known = ~np.isnan(rows)
    some, ranges = known.any(axis=0), np.full((3, rows.shape[1]), np.nan)
    if some.any():
        with np.errstate(invalid="ignore"):  # the middle of two infinite values
            ranges[:, some] = (
                np.nanmedian(rows[:, some], axis=0),
                np.nanmin(rows[:, some], axis=0),
                np.nanmax(rows[:, some], axis=0),
            )
    return Summary(steps, ranges[0], ranges[1], ranges[2], known.sum(axis=0), rows)


def _plain(value: Any) -> str:
    """A value as it is compared: numbers by size, names without case and blanks.

    >>> _plain(20) == _plain("20.0"), _plain("He-Normal")
    (True, 'he_normal')
    """
    text = re.sub(r"\s+", "", tidied(str(value)))
    try:
        return f"{float(text):.12g}"
    except ValueError:
        return text
