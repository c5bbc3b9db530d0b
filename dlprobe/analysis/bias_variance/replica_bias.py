"""The interval of a squared bias: tests of every candidate against the length of the replicas'
mean error, inverted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv, ndtr

from dlprobe.analysis.bias_variance.replica_laws import TAIL
from dlprobe.dataclass import dataclass

Floats: TypeAlias = npt.NDArray[np.float64]
Interval: TypeAlias = tuple[float, float]

DRAWS = 600
STEPS = 40
PRECISION = 1e-5  # of a tail's probability


@lru_cache(maxsize=1)
def cube_points() -> Floats:
    """Quasi-random points of the unit cube [0, 1)⁴, float64 (4, DRAWS), one point per column.

    Element (k, n), both counted from 1, is (0.37 + n·g⁻ᵏ) mod 1, where g = 1.1673 is the real root
    of x⁵ = x + 1 (Roberts 2018, the R sequence in four dimensions).
    """
    steps = 1.1673039782614187 ** -np.arange(1.0, 5.0)
    points: Floats = (0.37 + steps[:, None] * np.arange(1, DRAWS + 1)) % 1.0
    return points


def _gamma(points: Floats, shape: Floats | float) -> Floats:
    """Quantiles of the gamma law of mean 1."""
    return np.asarray(gammaincinv(shape, points) / shape, np.float64)


@dataclass(frozen=True)
class Noncentral:
    """The squared length of the mean error of `count` near-normal replicas, and their covariance Σ
    as estimated from the same replicas: enough to test any squared bias.

    length: ‖m‖² of the mean error m. variance: tr Σ. squares, cubes: tr Σ², tr Σ³. along_mean,
        along_twice: mᵀΣm and mᵀΣ²m. All in powers of the output's unit.
    freedom: degrees of freedom of the estimate of tr Σ².
    """

    count: int
    length: float
    variance: float
    squares: float
    cubes: float
    along_mean: float
    freedom: float
    along_twice: float

    @cached_property
    def bias(self) -> float:
        """The unbiased estimate of the squared bias, length − variance/count; may be below 0."""
        return self.length - self.variance / self.count

    @cached_property
    def linear(self) -> float:
        """Estimate of μᵀΣμ for the true mean error μ: along_mean − squares/count, at least 0."""
        return max(self.along_mean - self.squares / self.count, 0.0)

    @cached_property
    def along_bias(self) -> float:
        """Variance of the replicas along the true mean error, at most √(tr Σ²).

        It is a weighted mean of linear/bias and of a usual value: 7/8 of the variance along the
        estimated mean error and 1/8 of that of the larger directions, tr Σ³/tr Σ², since learners
        that shrink err most where they vary least. The first counts the more, the larger bias and
        the variance of the eigenvalues of Σ are.
        """
        square = max(self.bias, 0.0)
        larger = self.cubes / self.squares
        # a mean error of exactly 0 has no direction: that of the larger ones is taken
        along = self.along_mean / self.length if self.length > 0.0 else larger
        typical = (7.0 * along + larger) / 8.0
        differ = max(self.cubes / self.variance - (self.squares / self.variance) ** 2, 0.0)
        doubt = (
            2.0 * self.along_mean**2 / (self.count - 1)
            + 2.0 * self.squares / self.count**2 * typical**2
        )
        value = (self.linear * square * differ + typical * doubt) / (square**2 * differ + doubt)
        return min(value, math.sqrt(self.squares))

    @cached_property
    def slope(self) -> float:
        """How much μᵀΣμ is found too small where the squared bias is by 1: μᵀΣ²μ/μᵀΣμ, the
        regression of the one estimate's error on the other's.
        """
        if not self.linear > 0.0:
            return self.along_bias
        freedom = self.count - 1
        twice = (self.along_twice - self.along_mean * self.variance / freedom) / (
            1.0 + 1.0 / freedom
        ) - self.cubes / self.count
        return min(max(twice / self.linear, self.along_bias), math.sqrt(self.squares))

    def along(self, candidate: float) -> float:
        """Variance of the replicas along the true mean error, were the candidate its squared
        length.
        """
        bias = max(self.bias, 0.0)
        if candidate <= bias:
            return self.along_bias
        return (self.along_bias * bias + self.slope * (candidate - bias)) / candidate

    @cached_property
    def _across(self) -> Floats:
        """Draws of what the other directions add to the length, their scale and number as
        uncertain as they are.
        """
        rest, squares = self.variance - self.along_bias, self.squares - self.along_bias**2
        if rest <= 1e-9 * self.variance or squares <= 1e-6 * self.squares:
            return np.full(DRAWS, max(rest, 0.0) / self.count)
        cubes = min(max(self.cubes - self.along_bias**3, squares**2 / rest), squares**1.5)
        block, directions = squares**2 / cubes, squares**3 / cubes**2
        _, number, made, scale = cube_points()
        doubt = _gamma(number, min(self.freedom, 1e6) / 2.0)
        drawn = _gamma(made, np.maximum(directions * doubt, 1e-3) / 2.0) / _gamma(
            scale, directions * (self.count - 1) / 2.0
        )
        return np.asarray((rest - block + block * drawn) / self.count, np.float64)

    @cached_property
    def _scale(self) -> Floats:
        return np.asarray(
            self.along_bias / _gamma(cube_points()[0], (self.count - 1) / 2.0) / self.count,
            np.float64,
        )

    def exceeding(self, candidate: float) -> float:
        """Upper tail probability of the observed `length` if `candidate` were the squared bias.

        The uncertainty of Σ counts: with a single output and candidate 0 this is the two-sided p of
        Student's t with count − 1 degrees of freedom (integrated over DRAWS points). A candidate
        below 0 is tested as 0 against length + |candidate|.
        """
        rest = self.length - self._across - min(candidate, 0.0)
        scale = self._scale * (self.along(max(candidate, 0.0)) / self.along_bias)
        reach, shift = np.sqrt(np.maximum(rest, 0.0) / scale), np.sqrt(max(candidate, 0.0) / scale)
        return float(
            np.mean(np.where(rest > 0.0, 1.0 - ndtr(reach - shift) + ndtr(-reach - shift), 1.0))
        )

    def interval(self) -> Interval:
        """95 % interval of the squared bias: the candidates that neither tail of 2.5 % rejects."""
        step = math.sqrt(
            2.0 * self.squares / self.count**2 + 4.0 * self.length * self.along_bias / self.count
        )
        return _root(self.exceeding, TAIL, self.length, step), _root(
            self.exceeding, 1.0 - TAIL, self.length, step
        )


def _root(rising: Callable[[float], float], level: float, start: float, step: float) -> float:
    """Where a rising function passes a level: steps that grow until it is between two of them,
    then the false position (Illinois rule).
    """
    low = high = start
    below = above = rising(start) - level
    farthest = 1e9 * step
    while below > 0.0 and step < farthest:
        high, above, low, step = low, below, low - step, 2.0 * step
        below = rising(low) - level
    while above < 0.0 and step < farthest:
        low, below, high, step = high, above, high + step, 2.0 * step
        above = rising(high) - level
    for _ in range(STEPS):
        middle = low + (high - low) * below / (below - above) if below < above else low
        excess = rising(middle) - level
        if abs(excess) < PRECISION:
            return middle
        if excess < 0.0:
            low, below, above = middle, excess, above / 2.0
        else:
            high, above, below = middle, excess, below / 2.0
    return (low + high) / 2.0
