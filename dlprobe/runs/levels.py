"""Levels: minimum, maximum, mean and NaN count of every 64, 4,096 and 262,144 recorded rows, so
that a picture costs the same for any number of steps.

Each level is made from the one below, 64 at a time, so the numbers do not depend on the pieces in
which rows arrive.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlprobe.dataclass import dataclass
from dlprobe.record import layout

_STEP = 64  # each level holds this many of the one below
_WORTH = 4  # a level is stored from this many bins on
SLAB = 2**14  # rows that are reduced at once


@dataclass(frozen=True)
class Level:
    """One statistic at one level. bin_start: int64 (bin,), step of each bin's first row; the
    others (bin, layer).
    """

    bin_start: NDArray[Any]
    minimum: NDArray[Any]
    maximum: NDArray[Any]
    mean: NDArray[Any]
    nan_count: NDArray[Any]


class Reducer:
    """Rows (n, layer) of one statistic in, finished bins of every level out.

    A bin is float64 (5, layer): minimum, maximum, sum, number of values, number of NaN.
    """

    def __init__(self, levels: int) -> None:
        self._waiting: list[NDArray[Any] | None] = [None] * levels

    def add(self, rows: NDArray[Any]) -> list[NDArray[Any]]:
        """The bins that these rows (n, layer) finish: one array (bins, 5, layer) per level, finest
        first.
        """
        return self._reduce(_single_rows(rows), last=False)

    def finish(self) -> list[NDArray[Any]]:
        """The last, incomplete bin of every level, as `add` returns them: (1, 5, layer), or (0, 5,
        layer) where none is left. Nothing may be added afterwards.
        """
        return self._reduce(None, last=True)

    def _reduce(self, bins: NDArray[Any] | None, last: bool) -> list[NDArray[Any]]:
        finished = []
        for level, waiting in enumerate(self._waiting):
            together = [part for part in (waiting, bins) if part is not None]
            whole = np.concatenate(together) if together else np.empty((0, 5, 0))
            full = len(whole) // _STEP * _STEP
            bins = _combine(whole[:full])
            self._waiting[level] = whole[full:]
            if last and len(whole) > full:
                bins = np.concatenate([bins, _combine(whole[full:], len(whole) - full)])
            finished.append(bins)
        return finished


def stored_factors(rows: int) -> tuple[int, ...]:
    """Rows per bin (64, 4096, 262144) of each level that is stored for `rows` recorded rows: those
    of which there are more than _WORTH (4) bins.
    """
    return tuple(factor for factor in layout.LEVEL_FACTORS if rows > _WORTH * factor)


def min_max_mean(bins: NDArray[Any]) -> NDArray[Any]:
    """Minimum, maximum and mean (bin, layer, 3) of bins (bin, 5, layer); the mean is NaN where a
    bin has no values.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = bins[:, 2] / bins[:, 3]
    return np.stack([bins[:, 0], bins[:, 1], mean], axis=-1)


def level_of(steps: NDArray[Any], values: NDArray[Any], factor: int) -> Level:
    """One level computed from a whole statistic: steps (n,), values (n, layer)."""
    depth = layout.LEVEL_FACTORS.index(factor)
    reducer = Reducer(depth + 1)
    bins = np.concatenate(
        [
            np.empty((0, 5, values.shape[1])),
            *(
                reducer.add(values[start : start + SLAB])[depth]
                for start in range(0, len(values), SLAB)
            ),
            *([reducer.finish()[depth]] if len(values) else []),
        ]
    )
    picture = min_max_mean(bins)
    return Level(
        steps[::factor], picture[..., 0], picture[..., 1], picture[..., 2], bins[:, 4].astype("u4")
    )


def _single_rows(rows: NDArray[Any]) -> NDArray[Any]:
    """Each row as a bin of its own: (n, 5, layer)."""
    values = rows.astype("f8")
    missing = np.isnan(values)
    return np.stack([values, values, np.where(missing, 0, values), ~missing, missing], axis=1)


def _combine(bins: NDArray[Any], size: int = _STEP) -> NDArray[Any]:
    """`size` bins into one: (n, 5, layer) → (n / size, 5, layer)."""
    groups = bins.reshape(len(bins) // size, size, *bins.shape[1:])
    with np.errstate(invalid="ignore"):
        low, high, sums = (
            np.fmin.reduce(groups[:, :, 0], axis=1),
            np.fmax.reduce(groups[:, :, 1], axis=1),
            groups[:, :, 2:].sum(axis=1),
        )
    return np.concatenate([low[:, None], high[:, None], sums], axis=1)
