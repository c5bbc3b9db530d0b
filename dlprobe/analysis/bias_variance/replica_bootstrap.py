"""Studentized bootstrap over replicas (Hall 1988) from a fixed seed, for what no law of few
numbers describes.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.bias_variance.replica_laws import TAIL, student

Floats: TypeAlias = npt.NDArray[np.float64]
Interval: TypeAlias = tuple[float, float]

# replicas between which resampling pays: with fewer it says nothing new, with more estimates are
# normal; Student's interval serves
FEW, MANY = 8, 500
# of weights held: their error is the same in every interval, so resamples are as many as time
# allows
NUMBERS = 400_000
# times Student's, which an interval may be wide to either side: without one odd replica, resamples
# have next to no deviation to divide by
WIDEST = 3.0


@lru_cache(maxsize=4)
def weights(count: int) -> Floats:
    """Weights of the replicas in every resample, (resamples, count), rows sum to 1; not to be
    written to.
    """
    resamples = int(np.clip(NUMBERS // count, 1000, 4000))
    drawn: Floats = (
        np.random.default_rng(0).multinomial(count, np.full(count, 1.0 / count), size=resamples)
        / count
    )
    drawn.flags.writeable = False
    return drawn


def pays(count: int) -> bool:
    return FEW <= count <= MANY


def of_mean(values: Floats) -> Interval:
    """95 % interval of the mean of independent values (K,); of jackknife pseudo-values it is
    the jackknife's (Tukey 1958).
    """
    middle, deviation = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
    low, high = _ratios(values, student(len(values) - 1))
    return middle - high * deviation, middle - low * deviation


def of_positive_mean(values: Floats, estimate: float, deviation: float) -> Interval:
    """95 % interval around `estimate` > 0 whose law is that of the mean of `values` (K,), on
    the log scale, on which it is more symmetric.
    """
    relative = deviation / estimate
    low, high = _ratios(values, student(len(values) - 1), logarithmic=True)
    return estimate * math.exp(-high * relative), estimate * math.exp(min(-low * relative, 700.0))


def _ratios(values: Floats, usual: float, *, logarithmic: bool = False) -> Interval:
    """The 2.5 % and 97.5 % points of (resampled − true)/deviation; Student's where resampling
    does not pay.
    """
    middle, count = float(values.mean()), len(values)
    if not pays(count):
        return -usual, usual
    drawn = weights(count)
    means = drawn @ values
    deviations = np.sqrt(
        np.maximum(drawn @ (values - middle) ** 2 - (means - middle) ** 2, 0.0) / (count - 1)
    )
    with np.errstate(all="ignore"):
        ratios = (np.log(means / middle) * means if logarithmic else means - middle) / deviations
    return _ends(ratios, usual)


def _ends(ratios: Floats, usual: float) -> Interval:
    """The 2.5 % and 97.5 % points, within a few times Student's."""
    usable = ratios[np.isfinite(ratios)]
    if not len(usable):
        return -usual, usual
    low, high = np.percentile(usable, (100 * TAIL, 100 * (1 - TAIL)))
    return max(float(low), -WIDEST * usual), min(float(high), WIDEST * usual)
