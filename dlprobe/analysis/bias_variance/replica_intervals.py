"""Intervals for averages over replicas and for what is quadratic in them: squared bias and
variance.

Replicas, not samples, are the units: predictions of one replica may depend on each other in any
way. Where replicas look normal the intervals are those of normal theory, right from a handful of
replicas on; the more they deviate from it, beyond what chance explains, the more the ends of a
studentized bootstrap over replicas count. Nothing is random: the same predictions give the same
ends.

Out of reach: fewer than some 25 replicas of a law with heavy tails (their few numbers do not show
the tails), and discrete laws of one or two samples.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv

from dlprobe.analysis.bias_variance import replica_bootstrap
from dlprobe.analysis.bias_variance.replica_bias import Noncentral
from dlprobe.analysis.bias_variance.replica_laws import (
    TAIL,
    Spectrum,
    shifted_gamma,
    student,
    widening,
)
from dlprobe.analysis.proportions import NORMAL_95
from dlprobe.dataclass import dataclass

Floats: TypeAlias = npt.NDArray[np.float64]
Interval: TypeAlias = tuple[float, float]

ROUNDS = 3  # of a width that depends on itself, little
TOLERATED = 1.0  # squared standard errors of a deviation from the normal law that count as chance


@dataclass(frozen=True)
class Gram:
    """Squared bias and variance of K replicas from the inner products of their errors, (K, K): all
    that intervals need.

    With errors r_k (flat, scaled so that ‖r_k‖² is the mean square), loss = mean r_k·r_k, plug-in
    bias ‖mean r‖², unbiased variance
    Σ‖r_k − mean r‖²/(K − 1), unbiased bias ‖mean r‖² − variance/K. The unbiased two add up to the
    loss too.
    """

    products: Floats

    @classmethod
    def of(cls, errors: Floats) -> Gram:
        """The inner products of errors (K, numbers)."""
        return cls(errors @ errors.T)

    @property
    def count(self) -> int:
        return len(self.products)

    @cached_property
    def toward(self) -> Floats:
        """Inner product of every replica with their mean, (K,)."""
        return np.asarray(self.products.mean(axis=1))

    @cached_property
    def centred(self) -> Floats:
        """Inner products of the deviations from the mean, (K, K)."""
        return self.products - self.toward[:, None] - self.toward + self.plug_in_bias

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
        """95 % intervals of `loss`, `bias`, `variance`. That of the bias may reach below 0, as
        its estimate may; it holds a bias of 0 in 95 % too.
        """
        if not self.variance > 1e-13 * self.loss:
            return {
                name: (value, value)
                for name, value in (
                    ("loss", self.loss),
                    ("bias", self.bias),
                    ("variance", max(self.variance, 0.0)),
                )
            }
        spectrum = Spectrum.of(self.centred)
        bias = self._noncentral(spectrum)
        low, high = spectrum.interval()
        usual = {
            "loss": self._loss(spectrum, bias),
            "variance": (self.variance * low, self.variance * high),
        }
        share = max(
            excess(np.diag(self.centred), self.variance, spectrum),
            skewness(self.centred, self.variance, spectrum),
        )
        if share > 0.0:
            resampled = self._resampled()
            usual = {name: mixed(ends, resampled[name], share) for name, ends in usual.items()}
        return {**usual, "bias": bias.interval()}

    def _noncentral(self, spectrum: Spectrum) -> Noncentral:
        squares = spectrum.second * self.variance**2
        along = float(np.sum((self.toward - self.plug_in_bias) ** 2)) / (self.count - 1)
        away = self.toward - self.plug_in_bias
        twice = float(away @ self.centred @ away) / (self.count - 1) ** 2
        return Noncentral(
            self.count,
            self.plug_in_bias,
            self.variance,
            squares,
            spectrum.third * self.variance**3,
            along,
            spectrum.freedom,
            twice,
        )

    def _loss(self, spectrum: Spectrum, bias: Noncentral) -> Interval:
        """Interval of one replica's loss ‖μ + c‖², c normal: variance 4 μᵀΣμ + 2 tr Σ², third
        cumulant 24 μᵀΣ²μ + 8 tr Σ³.
        """
        linear, squares = 4.0 * bias.linear, 2.0 * bias.squares
        variance = linear + squares
        cumulant = 24.0 * bias.linear * bias.along_bias + 8.0 * bias.cubes
        # what is estimated, its noise not yet taken out
        skew, squared = 4.0 * bias.along_mean / variance, squares / variance
        uncertainty = skew**2 / (self.count - 1) + squared**2 / spectrum.freedom
        shape = self.count * 4.0 * variance**3 / cumulant**2 / widening(1.0 / uncertainty)
        return shifted_gamma(self.loss, 2.0 * variance**2 / cumulant, shape)

    def _resampled(self) -> dict[str, Interval]:
        """Studentized bootstrap of the replicas' losses and squared deviations."""
        own, away = np.diag(self.products), np.diag(self.centred)
        factor = self.count / (self.count - 1) ** 1.5
        return {
            "loss": replica_bootstrap.of_positive_mean(
                own, self.loss, float(own.std(ddof=1)) / math.sqrt(self.count)
            ),
            "variance": replica_bootstrap.of_positive_mean(
                away, self.variance, factor * float(away.std())
            ),
        }


def mixed(usual: Interval, resampled: Interval, share: float) -> Interval:
    return (1.0 - share) * usual[0] + share * resampled[0], (1.0 - share) * usual[
        1
    ] + share * resampled[1]


def beyond_chance(square: float, count: int) -> float:
    """Share of a squared deviation, in squared standard errors, that is not chance: max(0, 1 −
    TOLERATED/square) · max(0, 1 − (FEW/count)²), 0 to 1 (positive-part James & Stein 1961).

    count: of replicas; with FEW (8) or fewer the share is 0.
    """
    if square > 0.0:
        return max(0.0, 1.0 - TOLERATED / square) * max(
            0.0, 1.0 - (replica_bootstrap.FEW / count) ** 2
        )
    return 0.0


def excess(spreads: Floats, variance: float, spectrum: Spectrum) -> float:
    """Evidence, 0 to 1, that the replicas' squared deviations `spreads` (K,) vary more or less than
    those of normal replicas; see `beyond_chance`.
    """
    count = spectrum.count
    if count <= replica_bootstrap.FEW:
        return 0.0
    ratio = float(spreads.var(ddof=1)) * count / (count - 2) / (2.0 * spectrum.second * variance**2)
    deviation = ratio - 1.0 if ratio > 1.0 else math.log(max(ratio, 1e-3))
    return beyond_chance(deviation**2 * count / (2.0 + 4.0 * spectrum.second), count)


def skewness(centred: Floats, variance: float, spectrum: Spectrum) -> float:
    """Evidence, 0 to 1, that the replicas' law is not symmetric: ‖E c⊗c⊗c‖² (Mardia 1970) over what
    normal replicas would show; see `beyond_chance`. centred: (K, K).
    """
    count = spectrum.count
    if count <= replica_bootstrap.FEW:
        return 0.0
    shown = float(np.mean(centred**3)) * (count / (count - 1)) ** 3
    return beyond_chance(
        shown * count / (variance**3 * (1.0 + 3.0 * spectrum.second + 2.0 * spectrum.third)), count
    )


def of_divergences(pseudo: Floats, spreads: Floats, centred: Floats) -> Interval:
    """95 % interval of a variance that is a mean divergence from the main prediction.

    pseudo: (K,), its jackknife pseudo-values, whose mean is the estimate. spreads: (K,), each
        replica's divergence. centred: (K, K), the inner products that are twice the divergences
        where these are quadratic: they say in how many directions replicas vary.
    """
    estimate, count = float(pseudo.mean()), len(pseudo)
    deviation = float(pseudo.std(ddof=1)) / math.sqrt(count)
    if not estimate > 1e-300 or not deviation > 0.0:
        return estimate - student(count - 1) * deviation, estimate + student(count - 1) * deviation
    spectrum = Spectrum.of(centred)
    low, high = spectrum.interval()
    share, usual = excess(spreads, estimate, spectrum), (estimate * low, estimate * high)
    if share > 0.0:
        return mixed(usual, replica_bootstrap.of_positive_mean(spreads, estimate, deviation), share)
    return usual


@dataclass(frozen=True)
class NoiseInTargets:
    """Known normal noise in the targets, the same at all samples: its mean square differs from
    the `level` subtracted as that of `terms` numbers does.
    """

    level: float
    samples: int
    terms: int

    def around(self, interval: Interval, value: float, bias: float) -> Interval:
        """The interval of an estimate with this noise counted: half widths of independent parts add
        up in squares (Zou & Donner 2008).

        The product of noise and mean error grows with the bias: at the upper end it is that of the
        bias there.
        """
        fewest, most = (
            2.0 * gammaincinv(self.terms / 2.0, np.array([TAIL, 1.0 - TAIL])) / self.terms
        )
        below = self._half(value - interval[0], most - 1.0, bias)
        above = self._half(interval[1] - value, 1.0 - fewest, bias)
        for _ in range(ROUNDS):
            above = self._half(interval[1] - value, 1.0 - fewest, bias + above)
        return value - below, value + above

    def _half(self, width: float, squares: float, bias: float) -> float:
        crossed = NORMAL_95**2 * 4.0 * max(bias, 0.0) * self.level / self.samples
        return math.sqrt(width**2 + (self.level * squares) ** 2 + crossed)
