"""The loss of single batches jumps from step to step; averaged over stretches of steps it can
be drawn.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass


@dataclass(frozen=True)
class Curve:
    """A curve by stretches of steps: middle step and mean of each, (stretch,); a stretch with a
    value that is not finite has that value.
    """

    steps: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]


def smoothed(steps: npt.ArrayLike, values: npt.ArrayLike, stretches: int = 100) -> Curve:
    """Means over at most `stretches` neighbouring groups of equal size; steps and values are
    (step,).

    >>> smoothed([0, 1, 2, 3], [1.0, 3.0, 5.0, 7.0], stretches=2).values
    array([2., 6.])
    """
    at, what = np.asarray(steps, np.float64), np.asarray(values, np.float64)
    if not len(what):
        return Curve(at, what)
    starts = np.unique(
        np.linspace(0, len(what), min(stretches, len(what)), endpoint=False).astype(int)
    )
    counts = np.diff(np.append(starts, len(what)))
    with np.errstate(all="ignore"):
        return Curve(np.add.reduceat(at, starts) / counts, np.add.reduceat(what, starts) / counts)
