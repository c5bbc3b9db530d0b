"""Intervals of Domingos's bias, variance and net variance, from the classes that replicas name.

Bias and variance jump where the mode changes: no resampling of the same votes shows how often it
would. Every sample's part is read from a table that corrects for it (`vote_tables`); samples may
depend on each other, for one replica names the classes of all.

Out of reach: a share of samples so close to a tie that the replicas cannot tell (their bias stays
open, and for five replicas "close" is far), and bias or variance of one or two samples, which are
too discrete for 95 %. Where every sample is clear the bias is known and the interval always holds
it.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.bias_variance.replica_laws import Interval, share_of_mean, student
from dlprobe.analysis.bias_variance.vote_tables import Part, VoteTable, table
from dlprobe.dataclass import dataclass

Floats: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.int64]

LEAST_WEIGHT: dict[Part, float] = {"bias": 4.0, "variance": 20.0}
MOST_WEIGHT = 4000.0
CERTAIN = 0.5  # of what the tables say of the spread counts as known exactly
PAIRED = 1000  # samples nearest to a tie whose pairs are looked at


@dataclass(frozen=True)
class Estimate:
    """A value, what each replica pushes it by, (K,), so that the sum of squares is the first
    part of its variance, and the rest of that.
    """

    value: float
    pushes: Floats
    rest: float

    def ends(self, pushes: Floats | None = None) -> Interval:
        """Deviation and Student's point, of the value or of something else that the replicas
        push by so much.
        """
        first = float(np.sum((self.pushes if pushes is None else pushes) ** 2))
        total = first + self.rest
        if not total > 0.0:
            return 0.0, 0.0
        known = 1.0 - CERTAIN * self.rest / total
        return math.sqrt(total), student((len(self.pushes) - 1) / known**2)


def vote_intervals(hits: Floats, truth: Indices) -> dict[str, Interval]:
    """95 % intervals of `bias`, `variance` and `net_variance` from hits (K, n, classes), 1 for
    the class named, and the true classes (n,).
    """
    count, samples = hits.shape[:2]
    at, shares = np.arange(samples), hits.mean(axis=0)
    wrong = 1.0 - hits[:, at, truth]
    independent = _independent(wrong)
    others = shares.copy()
    others[at, truth] = -1.0
    first, second = np.argsort(-shares, axis=1, kind="stable")[:, :2].T
    bias = _estimate(
        "bias",
        hits,
        truth,
        others.argmax(axis=1),
        table(count, _weight("bias", independent**2 / 4.0), "bias"),
    )
    variance = _estimate(
        "variance",
        hits,
        first,
        second,
        table(count, _weight("variance", 8.0 * independent), "variance"),
    )
    deviation, point = bias.ends()
    low, high = _holding_a_share(_within(bias.value, deviation, point, 0.0), samples)
    intervals = {"bias": (low, high), "variance": _score(variance.value, *variance.ends())}
    if low == high or deviation * point * samples < 0.5:  # the bias is certain
        certain, (least, most) = (
            round(bias.value * samples) / samples,
            share_of_mean(wrong.mean(axis=1)),
        )
        return {**intervals, "net_variance": (least - certain, most - certain)}
    loss = float(wrong.mean())
    losses = (wrong.mean(axis=1) - loss) / math.sqrt(count * (count - 1))
    return {
        **intervals,
        "net_variance": _within(loss - bias.value, *bias.ends(losses - bias.pushes), -1.0),
    }


def _holding_a_share(interval: Interval, samples: int) -> Interval:
    """A bias is a whole number of samples: ends that have none between them are moved to the
    nearest.
    """
    nearest = round(sum(interval) / 2.0 * samples) / samples
    holds = math.floor(interval[1] * samples + 1e-9) >= math.ceil(interval[0] * samples - 1e-9)
    return interval if holds else (min(interval[0], nearest), max(interval[1], nearest))


def _independent(wrong: Floats) -> float:
    """The number of independent samples, 1 to n, whose losses would vary as the replicas' do."""
    count, samples = wrong.shape
    rates, spread = wrong.mean(axis=0), float(wrong.mean(axis=1).var(ddof=1))
    alone = float(np.mean(rates * (1.0 - rates))) * count / (count - 1)
    return min(max(alone / spread, 1.0), float(samples)) if spread > 0.0 else float(samples)


def _weight(part: Part, wanted: float) -> float:
    """Within limits, in steps of √2, so that tables are met again."""
    return float(
        2.0 ** (round(2.0 * math.log2(min(max(wanted, LEAST_WEIGHT[part]), MOST_WEIGHT))) / 2.0)
    )


def _estimate(
    part: Part, hits: Floats, first: Indices, second: Indices, read: VoteTable
) -> Estimate:
    """From the votes for two classes of every sample: the true one and its rival, or the two with
    most votes.

    With votes p, p' of the two, sum s, the count is read at the share that has the same margin in
    standard deviations: (p − p')/√s. Then
    1 − max(p, p') = 1 − s/2 − √s (½ − m).
    """
    count, at = len(hits), np.arange(hits.shape[1])
    one, two = hits[:, at, first], hits[:, at, second]
    upper, lower = one.mean(axis=0), two.mean(axis=0)
    both = upper + lower
    root, margin = np.sqrt(both), (upper - lower) / np.sqrt(both)
    rates = np.clip((1.0 - margin) / 2.0, 0.0, 1.0)
    moves = -0.5 * (
        (1.0 / root - margin / (2.0 * both)) * (one - upper)
        - (1.0 / root + margin / (2.0 * both)) * (two - lower)
    )
    units = moves / np.sqrt(np.maximum(np.sum(moves**2, axis=0), 1e-300))
    scale = root if part == "variance" else np.ones_like(root)
    values = read.read(read.values, rates)
    terms = [scale * read.read(term, rates) for term in read.terms]
    pushes = units * terms[0] * math.sqrt(count / (count - 1))
    if part == "variance":
        edge = 0.5 - values
        pushes = pushes - (0.5 + edge / (2.0 * root)) * ((one - upper) + (two - lower)) / math.sqrt(
            count * (count - 1)
        )
        values = 1.0 - both / 2.0 - root * edge
    spare = np.maximum(
        scale**2 * read.read(read.variance, rates) - sum(term**2 for term in terms), 0.0
    )
    rest = float(np.sum(spare)) / len(at) ** 2 + max(_higher(units, terms[1:]), 0.0) / len(at) ** 2
    return Estimate(float(values.mean()), pushes.mean(axis=1), rest)


def _higher(units: Floats, terms: list[Floats]) -> float:
    """Σ over pairs of samples of the second and third terms' covariances, less what
    correlations of independent samples come to over so few replicas.
    """
    if not terms:
        return 0.0
    size = np.sum(np.square(terms), axis=0)
    near = np.argsort(-size, kind="stable")[:PAIRED] if len(size) > PAIRED else np.arange(len(size))
    count = len(units)
    correlations = units[:, near].T @ units[:, near]
    skews = np.sum(units[:, near] ** 3, axis=0)
    np.fill_diagonal(correlations, 0.0)
    squares, second = correlations * correlations, terms[0][near]
    moment = float(second @ squares @ second) - (
        float(second.sum()) ** 2 - float(second @ second)
    ) / (count - 1)
    if len(terms) > 1:
        third = terms[1][near]
        chance = (float(third @ skews) ** 2 - float(np.sum((third * skews) ** 2))) / (
            (count - 1) * (count - 2)
        )
        moment += float(third @ (squares * correlations) @ third) - chance
    return moment + float(np.sum(size))


def _within(value: float, deviation: float, point: float, least: float) -> Interval:
    return min(max(value - point * deviation, least), 1.0), min(
        max(value + point * deviation, least), 1.0
    )


def _score(value: float, deviation: float, point: float) -> Interval:
    """Wilson's score around a share, with the number of trials that its deviation amounts to."""
    if not (0.0 < value < 1.0 and deviation > 0.0):
        return _within(value, deviation, point, 0.0)
    trials, square = value * (1.0 - value) / deviation**2, point**2
    centre = (value + square / (2.0 * trials)) / (1.0 + square / trials)
    half = (
        point
        * math.sqrt(value * (1.0 - value) / trials + square / (4.0 * trials**2))
        / (1.0 + square / trials)
    )
    return max(centre - half, 0.0), min(centre + half, 1.0)
