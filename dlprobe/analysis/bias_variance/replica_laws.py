"""The laws that estimates from few replicas follow, and ends of intervals read from them.

A variance is a sum of squares over directions: where replicas are near normal its estimate is a sum
of chi-squares weighted by the eigenvalues λ of the replicas' covariance. Two ratios of its traces
tell its spread and skew (Satterthwaite 1946; three moments: Hall 1983, Buckley & Eagleson 1988).
They come from the inner products of the replicas alone, without bias for normal replicas of any
number of dimensions.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv, stdtrit

from dlprobe.analysis.proportions import NORMAL_95
from dlprobe.dataclass import dataclass

Floats: TypeAlias = npt.NDArray[np.float64]
Interval: TypeAlias = tuple[float, float]

TAIL = 0.025  # of each side
SMALLEST_RATIO = 1e-6  # a million directions are as good as infinitely many


def student(freedom: float) -> float:
    """97.5 % point of Student's t.

    >>> round(student(10), 3), round(student(30), 3)
    (2.228, 2.042)
    """
    return float(stdtrit(freedom, 1.0 - TAIL))


def widening(freedom: float) -> float:
    """Factor (t/1.96)² for a variance that was estimated with so many degrees of freedom, t the
    97.5 % point of Student's law; 1 from 10⁶ degrees on.
    """
    return (student(freedom) / NORMAL_95) ** 2 if freedom < 1e6 else 1.0


@dataclass(frozen=True)
class Spectrum:
    """Spectrum of the covariance of `count` replicas: second = Σλ²/(Σλ)², third = Σλ³/(Σλ)³; both 1
    for one direction, 1/d and 1/d² for d equal ones.
    """

    count: int
    second: float
    third: float

    @classmethod
    def of(cls, centred: Floats) -> Spectrum:
        """The spectrum estimated from the inner products (K, K) of the replicas' deviations from
        their mean: expectations of traces of Wishart matrices, solved for Σλ² and Σλ³.

        Two replicas show one direction only and three nothing of the third power; then the law that
        spreads most is taken.
        """
        count, square = len(centred), centred @ centred
        free, first = count - 1, float(np.trace(centred))
        if count < 3 or not first > 0.0:
            return cls(count, 1.0, 1.0)
        two, three = float(np.trace(square)) / first**2, float(np.sum(square * centred)) / first**3
        squares, whole = np.linalg.solve(
            np.array([[free * (free + 1), free], [2 * free, free**2]], float), [two, 1.0]
        )
        second = min(max(float(squares / whole) if whole > 0.0 else 1.0, SMALLEST_RATIO), 1.0)
        most, least = second**1.5, second**2
        if count < 4:
            return cls(count, second, most)
        mixed = np.array(
            [
                [free**3, 6 * free**2, 8 * free],
                [free**2, free**2 * (free + 1) + 4 * free, 4 * free * (free + 1)],
                [free, 3 * free * (free + 1), free * (free**2 + 3 * free + 4)],
            ],
            float,
        )
        cubes = np.linalg.solve(mixed, [1.0, two, three])
        return cls(
            count,
            second,
            min(max(float(cubes[2] / cubes[0]) if cubes[0] > 0.0 else most, least), most),
        )

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the estimate `second`: (K(K − 1)/2 − 1)/(1 − second) for K = count
        replicas; numerator at least 1, denominator at least 1e-12.
        """
        return max(self.count * (self.count - 1) / 2 - 1, 1.0) / max(1.0 - self.second, 1e-12)

    def interval(self) -> Interval:
        """95 % interval of a variance, relative to its estimate."""
        block = self.second**2 / self.third
        shape = (self.count - 1) / 2 * self.second**3 / self.third**2
        return shifted_gamma(1.0, block, shape / widening(self.freedom))


def shifted_gamma(value: float, block: float, shape: float) -> Interval:
    """95 % interval of what was estimated as `value`, of which the part `block` follows a gamma law
    of that shape and the rest is certain.

    With block = 2 s⁴/κ and shape = 4 s⁶/κ² the estimate has variance s² and third cumulant κ
    (Pearson's third type).
    """
    high, low = float(gammaincinv(shape, 1.0 - TAIL)), float(gammaincinv(shape, TAIL))
    return value - block + block * shape / high, value - block + (
        block * shape / low if low > 0.0 else math.inf
    )


def share_of_mean(values: Floats) -> Interval:
    """95 % interval of the mean of independent shares (K,), each from 0 to 1: Wilson's score with
    the number of trials that their spread amounts to.

    Where all are 0 or all are 1 the K replicas count as that many trials: nothing shows that they
    are more.
    """
    count, middle = len(values), float(values.mean())
    spread = float(values.var(ddof=1)) / count
    if spread > 0.0 and 0.0 < middle < 1.0:
        trials, square = middle * (1.0 - middle) / spread, student(count - 1) ** 2
    else:
        trials, square = float(count), NORMAL_95**2
    centre = (middle + square / (2.0 * trials)) / (1.0 + square / trials)
    half = math.sqrt(square * (middle * (1.0 - middle) / trials + square / (4.0 * trials**2))) / (
        1.0 + square / trials
    )
    return max(centre - half, 0.0), min(centre + half, 1.0)
