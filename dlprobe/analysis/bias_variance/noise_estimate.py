"""The variance of the noise in targets nobody knows it of, from samples whose inputs are
neighbours: the gamma test.

Evans & Jones 2002, A proof of the Gamma test, Proceedings of the Royal Society A 458, 2759-2799.
Half the mean squared difference of the targets of k-th neighbours is the noise variance plus what
the function itself does over their distance, which goes to 0 with the squared distance. A straight
line through both for k = 1 … 10 meets distance 0 at the noise variance. It holds for a smooth
function and neighbours that are near: with few samples in many features, what bends between
neighbours counts as noise too, and the estimate is an upper bound rather.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.errors import DataError

Floats: TypeAlias = npt.NDArray[np.float64]

NEIGHBOURS = 10
LEAST = 50  # samples; fewer have no neighbours to speak of
MOST = 4000  # samples that are looked at, spread evenly over all
BLOCK = 256


def noise_variance(inputs: Any, targets: Any) -> float:
    """The estimate, of one output (mean over outputs). inputs: (n, features) on comparable scales;
    targets: (n,) or (n, outputs).

    Raises DataError for fewer than 50 samples, and for inputs and targets that do not belong
    together.

    >>> x = np.linspace(0.0, 1.0, 201)
    >>> abs(noise_variance(x[:, None], 3.0 * x)) < 1e-3
    True
    """
    if any(np.asarray(array).dtype.kind not in "biuf" for array in (inputs, targets)):
        raise DataError(
            "inputs or targets are not numbers: the noise cannot be estimated from them"
        )
    x, y = np.asarray(inputs, np.float64), np.asarray(targets, np.float64)
    if x.ndim != 2 or y.ndim not in (1, 2) or len(x) != len(y):
        raise DataError(
            f"inputs have shape {x.shape}, targets {y.shape}: expected inputs (samples, "
            "features) and targets (samples) of the same samples"
        )
    if len(x) < LEAST:
        raise DataError(
            f"{len(x)} samples are too few to estimate the noise from neighbours, {LEAST} are "
            "needed: give its variance as a number"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError(
            "inputs or targets hold NaN or infinite numbers: the noise cannot be estimated "
            "from them"
        )
    rows = np.unique(np.linspace(0, len(x) - 1, min(len(x), MOST)).round().astype(np.int64))
    distances, differences = neighbours(x[rows], y[rows].reshape(len(rows), -1))
    return max(float(at_distance_zero(distances, differences)), 0.0)


def neighbours(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """To the k-th nearest sample, k = 1 … NEIGHBOURS, (NEIGHBOURS,) each: the mean squared distance
    in x (samples, features), and half the mean squared difference of y (samples, outputs).
    """
    x = x - x.mean(axis=0)
    squares = (x**2).sum(axis=1)
    distances, differences = np.zeros(NEIGHBOURS), np.zeros(NEIGHBOURS)
    for start in range(0, len(x), BLOCK):
        block = np.arange(start, min(start + BLOCK, len(x)))
        far = np.maximum(squares[block, None] + squares - 2.0 * x[block] @ x.T, 0.0)
        far[np.arange(len(block)), block] = np.inf
        nearest = np.argpartition(far, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
        reach = np.take_along_axis(far, nearest, axis=1)
        order = np.argsort(reach, axis=1, kind="stable")
        distances += np.take_along_axis(reach, order, axis=1).sum(axis=0)
        near = np.take_along_axis(nearest, order, axis=1)
        differences += 0.5 * ((y[near] - y[block, None]) ** 2).mean(axis=2).sum(axis=0)
    return distances / len(x), differences / len(x)


def at_distance_zero(distances: Floats, differences: Floats) -> float:
    """The intercept of the straight line of least squares, whose slope is not below 0."""
    middle = distances - distances.mean()
    spread = float(middle @ middle)
    slope = max(float(middle @ differences) / spread, 0.0) if spread > 0.0 else 0.0
    return float(differences.mean() - slope * distances.mean())
