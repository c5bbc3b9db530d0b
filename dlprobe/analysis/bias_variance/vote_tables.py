"""What a count of votes says of a point's modal error and of its minority share, corrected for the
noise of the count.

Of K replicas, j err at a sample where each errs with probability q. The sample adds m(q) = 1 where
q > ½ to the bias and m(q) = min(q, 1 − q) to the variance. Both have an edge at the tie, so m(j/K)
is biased near it: modes of few votes switch. Of the functions a(j) that replace it, this is the one
for which weight · bias² + variance is least on average over q: the more samples are averaged, the
more the bias counts (linear functionals of mixing laws; cf. Cai & Low 2011, Ann. Stat. 39:1012,
Efron 2016, Biometrika 103:1).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from dlprobe.dataclass import dataclass

Floats: TypeAlias = npt.NDArray[np.float64]
Part = Literal["bias", "variance"]

PARTS: dict[Part, Callable[[Floats], Floats]] = {
    "bias": lambda q: np.asarray(q > 0.5, np.float64),
    "variance": lambda q: np.minimum(q, 1.0 - q),
}
EDGE = 0.75  # of the prior (q(1 − q))^−EDGE: most samples of a learned task are clear
SHARPNESS = 3.0  # weight of the bias in tables of variances, which need not be right to the last
TERMS = 3  # of the covariance between samples
LARGEST = 400  # replicas of a table; of more, the shares of votes are read from this one
RIDGE = 1e-12


@dataclass(frozen=True)
class VoteTable:
    """By the number of erring votes, 0 to K: `values` a(j); `variance` of a; `terms`: of its
    expansion into products over replicas (Hoeffding 1948), in standard deviations: the k-th term of
    two samples has the covariance (product of both entries) · (correlation of the votes)^k.
    """

    values: Floats
    variance: Floats
    terms: tuple[Floats, ...]

    def read(self, column: Floats, shares: Floats) -> Floats:
        """Values of `column` (K + 1,) at `shares` of erring votes (0 to 1), of the shape of shares;
        linear between whole numbers of votes.
        """
        return np.asarray(np.interp(shares * (len(column) - 1), np.arange(len(column)), column))


@lru_cache(maxsize=32)
def table(count: int, weight: float, part: Part) -> VoteTable:
    """For `count` replicas; `weight` of the bias, some times the number of independent samples."""
    count = min(count, LARGEST)
    angle = (np.arange(max(200, 4 * count)) + 0.5) * math.pi / max(200, 4 * count)
    rates = (1.0 - np.cos(angle)) / 2.0
    prior = np.sin(angle) ** (1.0 - 2.0 * EDGE)
    chances = _binomial(count, rates)
    weighted = chances * (prior / prior.sum())[:, None]
    together, alone = weighted.T @ chances, np.diag(weighted.sum(axis=0) + RIDGE)

    def fitted(wanted: Floats, sharpness: float) -> Floats:
        return np.asarray(
            np.linalg.solve((sharpness - 1.0) * together + alone, sharpness * (weighted.T @ wanted))
        )

    values = fitted(PARTS[part](rates), weight)
    variance = fitted(chances @ values**2 - (chances @ values) ** 2, SHARPNESS)
    terms = tuple(fitted(term, SHARPNESS) for term in _expansion(values, rates))
    return VoteTable(values, np.maximum(variance, 0.0), terms)


def _binomial(count: int, rates: Floats) -> Floats:
    """Chances of 0 to `count` votes, (rates, count + 1)."""
    votes = np.arange(count + 1)
    ways = gammaln(count + 1) - gammaln(votes + 1) - gammaln(count - votes + 1)
    return np.asarray(
        np.exp(ways + votes * np.log(rates)[:, None] + (count - votes) * np.log1p(-rates)[:, None])
    )


def _expansion(values: Floats, rates: Floats) -> list[Floats]:
    """Standard deviation of the k-th Krawtchouk term of values(j), j binomial, with its sign:
    √(K over k) (q(1−q))^{k/2} E Δᵏ values, for k = 1, 2, …
    """
    count, expansion, change = len(values) - 1, [], values
    for order in range(1, min(TERMS, count) + 1):
        change = np.diff(change)
        expansion.append(
            (_binomial(count - order, rates) @ change)
            * np.sqrt(math.comb(count, order) * (rates * (1.0 - rates)) ** order)
        )
    return expansion
