"""The Mann–Whitney rank-sum test, exact for few runs with ties too, and the factor between two
groups with its interval.

Sources: Mann & Whitney 1947, Ann. Math. Stat. 18:50; exact law with ties: Streitberg & Röhmel 1986,
    Stat. Softw. Newsl. 12:10 (shift algorithm); Hodges & Lehmann 1963, Ann. Math. Stat. 34:598.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.proportions import NORMAL_95

Floats: TypeAlias = npt.NDArray[np.float64]

EXACT = 40  # runs in all up to which the law is counted out, in milliseconds
LARGEST = 1e300  # stands for infinite, so that differences of logarithms exist
SMALLEST = 1e-12  # stands for zero: below what a loss or an error share of a run can resolve


def p_larger(new: Sequence[float], old: Sequence[float]) -> float:
    """One-sided p of the rank sum of `new` under the hypothesis that all come from one law: small
    where `new` is larger. NaN counts as the largest.

    Raises ValueError where a group is empty.

    >>> round(p_larger([4, 5, 6], [1, 2, 3]), 4)  # 1 of 20 ways to choose 3 of 6
    0.05
    """
    if not len(new) or not len(old):
        raise ValueError("a rank test needs a number in both groups")
    doubled = _doubled_ranks(np.concatenate([nan_last(new), nan_last(old)]))
    if len(doubled) > EXACT:
        return _normal_p(doubled, len(new))
    ways = _ways(doubled, len(new))
    return float(ways[int(doubled[: len(new)].sum()) :].sum() / math.comb(len(doubled), len(new)))


def least_p(new: int, old: int) -> float:
    """The smallest one-sided p that groups of these sizes can reach: 1/C(new + old, new), 1 for an
    empty group.
    """
    return 1.0 / math.comb(new + old, new) if new and old else 1.0


def needed(level: float) -> int:
    """The smallest number of runs on both sides with which the test can reach the level.

    >>> needed(0.002), needed(0.05)
    (6, 3)
    """
    return next(count for count in range(1, 1000) if least_p(count, count) <= level)


def nan_last(values: Sequence[float]) -> Floats:
    """The values as float64, NaN replaced by infinity: a run that diverged ranks behind all
    others.
    """
    array = np.asarray(values, dtype=np.float64)
    return np.where(np.isnan(array), np.inf, array)


def _doubled_ranks(values: Floats) -> npt.NDArray[np.int64]:
    """Twice the midranks, which are whole numbers."""
    ordered = np.sort(values)
    return np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right") + 1


def _ways(doubled: npt.NDArray[np.int64], size: int) -> Floats:
    """(sum,): in how many ways `size` of the doubled ranks have each sum."""
    counts = np.zeros((size + 1, int(doubled.sum()) + 1))
    counts[0, 0] = 1
    for rank in doubled:
        for taken in range(size, 0, -1):
            counts[taken, rank:] += counts[taken - 1, : counts.shape[1] - rank]
    chosen: Floats = counts[size]
    return chosen


def _normal_p(doubled: npt.NDArray[np.int64], size: int) -> float:
    """The normal approximation, with the variance of the ranks as they are (ties included) and
    a correction for continuity.
    """
    ranks = doubled / 2
    total, count = ranks[:size].sum(), len(ranks)
    spread = math.sqrt(size * (count - size) / (count - 1) * ranks.var())
    if spread == 0:
        return 1.0
    return 0.5 * math.erfc((total - size * ranks.mean() - 0.5) / spread / math.sqrt(2))


def factor_between(
    new: Sequence[float], old: Sequence[float], floor: float = SMALLEST
) -> tuple[float, float, float]:
    """(factor, low, high): median of all quotients new/old (Hodges & Lehmann on logarithms) with
    its distribution-free interval of about 95 %.

    With few runs the interval spans all quotients. What is below `floor`, which cannot be told from
    0, stands as `floor`; infinities as 1e300.
    """
    differences = np.sort(np.subtract.outer(_logs(new, floor), _logs(old, floor)).ravel())
    runs, others = len(new), len(old)
    cut = max(
        0,
        math.floor(
            runs * others / 2 - NORMAL_95 * math.sqrt(runs * others * (runs + others + 1) / 12)
        ),
    )
    low, high = differences[cut], differences[-1 - cut]
    return _exp(float(np.median(differences))), _exp(float(low)), _exp(float(high))


def _logs(values: Sequence[float], floor: float) -> Floats:
    logs: Floats = np.log(np.clip(nan_last(values), floor, LARGEST))
    return logs


def _exp(exponent: float) -> float:
    return math.exp(min(exponent, 700.0))


class Further(NamedTuple):
    """One further run beside several. factor: of their geometric mean, low and high its two-sided
    95 % interval; limit: the factor up to which a further run like them comes, but for a chance of
    the level; p: how likely one comes as far.
    """

    factor: float
    low: float
    high: float
    limit: float
    p: float


def factor_of_one(
    new: float, old: Sequence[float], level: float, floor: float = SMALLEST, rounded: bool = True
) -> Further:
    """One run against the spread of several, by the prediction interval of a further one:
    logarithms are taken as normal (Student's t).

    What is below `floor` stands as `floor`; `rounded` numbers near it vary by as much as it is,
    whatever their spread. Raises ValueError for fewer than two others.
    """
    from scipy.special import stdtr, stdtrit

    if len(old) < 2:
        raise ValueError("a prediction interval needs two runs at least")
    logs = _logs(old, floor)
    count = len(logs)
    least = math.exp(math.log(floor) - float(logs.mean())) if rounded else 0.0
    spread = max(float(logs.std(ddof=1)), least) * math.sqrt(1 + 1 / count)
    factor = float(_logs([new], floor)[0] - logs.mean())
    half = float(stdtrit(count - 1, 0.975)) * spread
    limit = _exp(float(stdtrit(count - 1, 1 - level)) * spread)
    p = (
        float(stdtr(count - 1, -factor / spread))
        if spread
        else 0.5
        if factor == 0
        else float(factor < 0)
    )
    return Further(_exp(factor), _exp(factor - half), _exp(factor + half), limit, p)
