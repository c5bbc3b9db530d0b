"""Two values of an option, the same seeds: the exact signed-rank test, the effect with its
interval, and what a number of seeds can find.

Sources: Wilcoxon 1945, Biometrics Bull. 1:80; exact law with ties by the shift algorithm:
    Streitberg & Röhmel 1986, Stat. Softw. Newsl. 12:10; Hodges & Lehmann 1963, Ann. Math. Stat.
    34:598; Holm 1979, Scand. J. Stat. 6:65; bootstrap: Efron & Tibshirani 1993, ch. 13.

Why this test: where two values do the same, swapping them within a seed changes nothing, so every
pattern of signs is equally likely, whatever law the losses follow; and a run that diverged is the
largest rank, not an infinite mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass

Floats: TypeAlias = npt.NDArray[np.float64]

LEVEL = 0.05
POWER = 0.8
# find 10 % in four of five cases where single runs vary by 6 %, among three values too
LEAST_SEEDS = 12
EXACT = 60  # seeds up to which the law is counted out
RESAMPLES = 2000
EFFICIENCY = 3 / math.pi  # of the signed-rank test beside the t test on normal differences


def signed_rank_p(differences: Sequence[float] | Floats) -> float:
    """Two-sided p of the hypothesis that the paired differences (seeds,) are symmetric around 0.
    Zeros are left out, infinite ones are the largest ranks.

    >>> signed_rank_p([1, 2, 3, 4, 5, 6])  # 2 of the 2**6 patterns of signs are as extreme
    0.03125
    """
    doubled, positive, total = _signed_ranks(differences)
    if not total:
        return 1.0
    return min(1.0, 2 * _upper_tail(doubled, max(positive, total - positive), EXACT))


def p_larger(differences: Sequence[float] | Floats, exact: int = EXACT) -> float:
    """One-sided p of the same hypothesis: small where the differences are above 0; the law is
    counted out for up to `exact` of them.

    >>> p_larger([1, 2, 3, 4, 5, 6])  # 1 of the 2**6 patterns
    0.015625
    """
    doubled, positive, total = _signed_ranks(differences)
    return min(1.0, _upper_tail(doubled, positive, exact)) if total else 1.0


def _signed_ranks(differences: Sequence[float] | Floats) -> tuple[npt.NDArray[np.int64], int, int]:
    """Twice the midranks of the sizes, their sum where the difference is above 0, and their sum."""
    finite = np.asarray(differences, dtype=np.float64)
    finite = finite[~np.isnan(finite) & (finite != 0)]
    sizes = np.abs(finite)
    ordered = np.sort(sizes)
    doubled = np.searchsorted(ordered, sizes, "left") + np.searchsorted(ordered, sizes, "right") + 1
    return doubled, int(doubled[finite > 0].sum()), int(doubled.sum())


def _upper_tail(doubled: npt.NDArray[np.int64], positive: int, exact: int) -> float:
    """P that the sum of the doubled ranks whose sign is + is at least `positive`."""
    total = int(doubled.sum())
    if len(doubled) > exact:
        deviation = math.sqrt(float(np.square(doubled).sum()))
        return 0.5 * math.erfc((2 * positive - total - 2) / deviation / math.sqrt(2))
    return float(sign_law(tuple(sorted(doubled.tolist())))[positive:].sum())


@cache
def sign_law(ranks: tuple[int, ...]) -> Floats:
    """(sum + 1,): the probability of each sum of those ranks whose sign is +, all patterns of
    signs being equally likely.
    """
    law = np.ones(1)
    for rank in ranks:
        longer = np.zeros(len(law) + rank)
        longer[: len(law)] += 0.5 * law
        longer[rank:] += 0.5 * law
        law = longer
    return law


def least_p(seeds: int) -> float:
    """The smallest p that this many seeds can reach.

    >>> least_p(5), least_p(6)
    (0.0625, 0.03125)
    """
    return 2.0 ** (1 - seeds) if seeds else 1.0


def seeds_needed(comparisons: int) -> int:
    """The smallest number of seeds with which one of these comparisons can be called different at
    all.

    >>> seeds_needed(1), seeds_needed(3), seeds_needed(36)
    (6, 7, 11)
    """
    return next(count for count in range(1, 1000) if least_p(count) <= LEVEL / max(comparisons, 1))


def holm(values: Sequence[float]) -> list[float]:
    """p values corrected for their number: those at most 0.05 hold together with 95 % confidence.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(values)), key=values.__getitem__)
    corrected, largest = [1.0] * len(values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - rank) * values[index]))
        corrected[index] = largest
    return corrected


@dataclass(frozen=True)
class Interval:
    """A number with its interval of 95 %; NaN ends where there are too few seeds for one."""

    value: float
    low: float
    high: float


def centre(differences: Sequence[float] | Floats, level: float = LEVEL) -> Interval:
    """The middle of paired differences (seeds,), the median of all means of two (Hodges &
    Lehmann), with the interval that belongs to the signed-rank test.
    """
    shifts = np.asarray(differences, dtype=np.float64)
    count = len(shifts)
    first, second = np.triu_indices(count)
    means = np.sort((shifts[first] + shifts[second]) / 2)
    middle = float(np.median(means)) if count else math.nan
    below = np.cumsum(sign_law(tuple(range(1, count + 1)))) if count <= EXACT else np.zeros(0)
    if count > EXACT:
        cut = round(
            count * (count + 1) / 4
            - 1.959964 * math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
        )
    else:
        cut = int(np.sum(2 * below <= level))
    if cut < 1:
        return Interval(middle, math.nan, math.nan)
    return Interval(middle, float(means[cut - 1]), float(means[-cut]))


def median_interval(values: Sequence[float] | Floats) -> Interval:
    """Median over seeds and its bootstrap percentile interval of 95 %. NaN counts as infinite;
    NaN ends for fewer than three seeds.
    """
    ordered = np.asarray(values, dtype=np.float64)
    ordered = np.where(np.isnan(ordered), np.inf, ordered)
    if not len(ordered):
        return Interval(math.nan, math.nan, math.nan)
    if len(ordered) < 3:
        return Interval(float(_medians(ordered[None])[0]), math.nan, math.nan)
    drawn = np.random.default_rng(0).integers(0, len(ordered), (RESAMPLES, len(ordered)))
    low, high = np.quantile(_medians(ordered[drawn]), [0.025, 0.975], method="inverted_cdf")
    return Interval(float(_medians(ordered[None])[0]), float(low), float(high))


def _medians(table: Floats) -> Floats:
    """(n,): the median of each row; np.median takes the mean of inf and inf as it should, but
    warns.
    """
    ordered = np.sort(table, axis=1)
    count = table.shape[1]
    lower, upper = ordered[:, (count - 1) // 2], ordered[:, count // 2]
    return np.where(lower == upper, lower, 0.5 * lower + 0.5 * upper)


def detectable(spread: float, seeds: int, comparisons: int) -> float:
    """The difference that is found in four of five cases where paired differences have this
    standard deviation; infinite where nothing can be found.

    At the level that Holm's correction starts with; normal differences.
    """
    if least_p(seeds) <= LEVEL / max(comparisons, 1):
        return _detectable_by_spread(seeds, max(comparisons, 1)) * spread
    return math.inf


@cache
def _detectable_by_spread(seeds: int, comparisons: int) -> float:
    """The difference in standard deviations, by bisection on 4,000 simulated studies of few
    seeds; of many, by the test's efficiency.
    """
    if seeds > EXACT:
        quantile = NormalDist().inv_cdf  # SciPy's takes .16 s to load
        return (quantile(1 - LEVEL / comparisons / 2) + quantile(POWER)) / math.sqrt(
            EFFICIENCY * seeds
        )
    critical = (
        int(np.sum(2 * np.cumsum(sign_law(tuple(range(1, seeds + 1)))) <= LEVEL / comparisons)) - 1
    )
    noise = np.random.default_rng(0).standard_normal((4000, seeds))
    low, high = 0.0, 20.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (
            (low, middle) if _share_found(noise + middle, critical) >= POWER else (middle, high)
        )
    return high


def _share_found(differences: Floats, critical: int) -> float:
    """Share of the rows whose smaller rank sum is at most `critical`."""
    order = np.argsort(np.abs(differences), axis=1)
    ranks = np.arange(1, differences.shape[1] + 1)
    negative = np.take_along_axis(differences < 0, order, axis=1) @ ranks
    return float(np.mean(np.minimum(negative, ranks.sum() - negative) <= critical))


def seeds_for(difference: float, spread: float, comparisons: int) -> int | None:
    """The smallest number of seeds that finds a difference in four of five cases; None above
    1000.
    """
    low, high = seeds_needed(comparisons), 1000
    if not detectable(spread, high, comparisons) <= difference:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (
            (low, middle)
            if detectable(spread, middle, comparisons) <= difference
            else (middle + 1, high)
        )
    return low
