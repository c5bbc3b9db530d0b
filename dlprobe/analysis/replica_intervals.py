"""Intervals for averages over replicas and for what is quadratic in them: squared bias and variance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.proportions import NORMAL_95

Floats: TypeAlias = npt.NDArray[np.float64]
Interval: TypeAlias = tuple[float, float]

RESAMPLES = 1000
WIDEST = 3.0  # times Student's, which an interval of resampling may be wide to either side
MOST_RESAMPLES = 2000  # the 2.5 % points of 1000 are off by .5 % of probability; of inner products more are cheap
FEW, MANY = 8, 500  # replicas between which resampling pays: with fewer it says nothing new, with more the estimates are normal; Student's interval serves
CHUNK = 2**22  # numbers held at once
STUDENT = {1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764, 5: 2.5706}


@dataclass(frozen=True)
class Gram:
    """Squared bias and variance of K replicas from the inner products of their errors, (K, K): all that resampling needs.

    With errors r_k (flat, scaled so that ‖r_k‖² is the mean square), loss = mean r_k·r_k, plug-in bias ‖mean r‖², unbiased variance
    Σ‖r_k − mean r‖²/(K − 1), unbiased bias ‖mean r‖² − variance/K. The unbiased two add up to the loss too.
    """

    products: Floats

    @classmethod
    def of(cls, errors: Floats) -> Gram:
        """From errors (K, numbers)."""
        return cls(errors @ errors.T)

    @property
    def count(self) -> int:
        return len(self.products)

    @property
    def loss(self) -> float:
        return float(np.trace(self.products)) / self.count

    @property
    def plug_in_bias(self) -> float:
        return float(self.products.sum()) / self.count**2

    @property
    def plug_in_variance(self) -> float:
        return self.loss - self.plug_in_bias

    @property
    def variance(self) -> float:
        return self.plug_in_variance * self.count / (self.count - 1)

    @property
    def bias(self) -> float:
        return self.loss - self.variance

    def intervals(self) -> dict[str, Interval]:
        """95 % intervals of `loss`, `bias`, `variance`: studentized bootstrap over replicas (Hall 1988), which covers skewed estimates better than percentiles.

        The deviations come from influence values. In the resampled world the truth is the plug-in value.
        """
        equal = np.full((1, self.count), 1.0 / self.count)
        value, deviation = self._estimates(equal)
        if not FEW <= self.count <= MANY:
            found = {name: _around(float(value[name][0]), student(self.count - 1) * float(deviation[name][0])) for name in value}
            return found | {"variance": positive(float(value["variance"][0]), float(deviation["variance"][0]), self.count)}
        truth = {"loss": self.loss, "bias": self.plug_in_bias, "variance": self.plug_in_variance}
        resamples = int(np.clip(2**30 // self.count**2, RESAMPLES, MOST_RESAMPLES))
        weights = np.random.default_rng(0).multinomial(self.count, equal[0], size=resamples) / self.count
        resampled, spread = self._estimates(weights)
        found = {}
        for name in value:
            with np.errstate(all="ignore"):
                ratios = (resampled[name] - truth[name]) / spread[name]
            low, high = np.percentile(ratios[np.isfinite(ratios)], (2.5, 97.5)) if np.isfinite(ratios).any() else (0.0, 0.0)
            farthest = WIDEST * student(self.count - 1)  # without the one odd replica, resamples have next to no deviation to divide by
            low, high = max(float(low), -farthest), min(float(high), farthest)
            found[name] = (float(value[name][0] - high * deviation[name][0]), float(value[name][0] - low * deviation[name][0]))
        for name in ("loss", "variance"):
            found[name] = (max(found[name][0], 0.0), found[name][1])
        return found

    def _estimates(self, weights: Floats) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """The three estimates and their deviations, each (B,), for weights (B, K) of the replicas that sum to 1."""
        count, own = self.count, np.diag(self.products)
        toward = weights @ self.products  # (B, K)
        square = np.sum(toward * weights, axis=1)
        loss = weights @ own
        distance = own - 2.0 * toward + square[:, None]  # ‖r_k − mean‖²
        spread = np.sum(weights * distance, axis=1)
        inflation = count / (count - 1)
        influence = {"loss": own - loss[:, None], "variance": inflation * (distance - spread[:, None])}
        influence["bias"] = influence["loss"] - influence["variance"]
        values = {"loss": loss, "bias": loss - inflation * spread, "variance": inflation * spread}
        return values, {name: np.sqrt(np.sum(weights * influence[name] ** 2, axis=1) / (count - 1)) for name in values}


def of_mean(values: Floats) -> Interval:
    """Student's 95 % interval of the mean of independent values (K,); of jackknife pseudo-values it is the jackknife's (Tukey 1958)."""
    return _around(float(values.mean()), student(len(values) - 1) * float(values.std(ddof=1)) / math.sqrt(len(values)))


def positive(value: float, deviation: float, count: int) -> Interval:
    """Student's 95 % interval of a variance on the log scale, on which it is close to normal; around a value that is not positive on its own scale."""
    half = student(count - 1) * deviation
    return (value * math.exp(-half / value), value * math.exp(min(half / value, 700.0))) if value > 0.0 else _around(value, half)


def _around(middle: float, half: float) -> Interval:
    return middle - half, middle + half


def student(freedom: int) -> float:
    """97.5 % point of Student's t: a table up to 5 degrees of freedom, above it Cornish and Fisher's expansion, right to .001.

    >>> round(student(10), 3), round(student(30), 3)
    (2.228, 2.042)
    """
    if freedom in STUDENT:
        return STUDENT[freedom]
    z = NORMAL_95
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def resampled_means(rows: Floats, measure: Callable[[Floats], Floats]) -> Floats:
    """`measure` of the mean of resampled rows: rows (K, numbers); measure takes means (B, numbers) and gives (values, B). Returns (values, RESAMPLES)."""
    count = len(rows)
    weights = np.random.default_rng(0).multinomial(count, np.full(count, 1.0 / count), size=RESAMPLES) / count
    size = max(1, CHUNK // rows.shape[1])
    return np.concatenate([measure(weights[first : first + size] @ rows) for first in range(0, RESAMPLES, size)], axis=1)
