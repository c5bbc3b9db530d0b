"""Histograms with edges of their own, brought onto one grid, so that they can be drawn side by
side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass

Array = npt.NDArray[Any]
# of the distance from the lowest to the highest percentile: how far the picture goes beyond them
ROOM = 0.5


@dataclass(frozen=True)
class Densities:
    """shares (time, row) of the values in rows of equal height from low to high; what lies
    outside counts to the last row on its side.
    """

    shares: npt.NDArray[np.float64]
    low: float
    high: float


def densities(counts: Array, edges: Array, percentiles: Array, rows: int) -> Densities | None:
    """One layer's histograms counts (time, bin), edges (time, bin + 1) and percentiles (time, p) on
    a common grid; None without finite values.

    A bin's values are taken as spread evenly over it. The grid goes from the lowest to the highest
    percentile and a bit beyond, so that a few far values do not hide the rest.
    """
    known = np.isfinite(edges).all(axis=1) & np.isfinite(percentiles).all(axis=1)
    if not known.any():
        return None
    body = percentiles[known].astype(np.float64)
    reach = ROOM * float((body[:, -1] - body[:, 0]).max())
    low = max(float(edges[known].min()), float(body.min()) - reach)
    high = min(float(edges[known].max()), float(body.max()) + reach)
    if not high > low:
        low, high = low - max(0.5, abs(low) / 2), high + max(0.5, abs(high) / 2)
    grid = np.linspace(low, high, rows + 1)
    shares = np.zeros((len(counts), rows))
    for index in np.flatnonzero(known):
        shares[index] = _shares(counts[index], edges[index].astype(np.float64), grid)
    return Densities(shares, low, high)


def _shares(counts: Array, edges: Array, grid: Array) -> npt.NDArray[np.float64]:
    """The share of values in each row of the grid; the first and last take what is outside."""
    total = counts.sum()
    if not total:
        return np.zeros(len(grid) - 1)
    steps = np.concatenate([[0.0], np.cumsum(counts, dtype=np.float64)]) / total
    below = np.interp(grid, edges, steps)
    below[0], below[-1] = 0.0, 1.0
    shares: npt.NDArray[np.float64] = np.diff(below)
    return shares
