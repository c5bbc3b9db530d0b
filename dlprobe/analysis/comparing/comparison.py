"""Values of an option beside each other, the same seeds for each: results with intervals,
paired tests, ranking, and what the seeds could have found.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from dlprobe.analysis.comparing import paired
from dlprobe.analysis.comparing.outcome import Floats, Outcome
from dlprobe.analysis.comparing.paired import LEVEL, Interval
from dlprobe.analysis.learning.states import StateName
from dlprobe.analysis.profiles.decomposition import median_factors
from dlprobe.analysis.profiles.depth_profiles import VERDICTS
from dlprobe.analysis.profiles.flow import Flow, median_flow
from dlprobe.analysis.proportions import wilson
from dlprobe.dataclass import dataclass

LEARNED = 0.9  # of the first evaluation: what the best one must be below to count as learned
LARGEST, SMALLEST = 1e300, 1e-12  # stand for infinite and zero, so that quotients exist


@dataclass(frozen=True)
class Health:
    """Verdicts of several seeds at one moment: how many of each, the most frequent (ties to the
    worse), and the medians of the quantities behind them.
    """

    counts: Mapping[str, int]
    verdict: str
    flow: Flow


@dataclass(frozen=True)
class ValueResult:
    """One value with all its seeds. metrics: by "final_…" and "best_…" the median over seeds
    with its interval. standing: see `rank`.
    """

    label: str
    outcomes: tuple[Outcome, ...]
    metrics: Mapping[str, Interval]
    reached: int
    steps_to_target: Interval
    start: Health
    end: Health
    diverged: int
    diverged_low: float
    diverged_high: float
    rank: int = 0
    standing: str = ""

    @property
    def states(self) -> Mapping[StateName, int]:
        """How many seeds came to which state, the most frequent first."""
        return dict(Counter(of_seed.state for of_seed in self.outcomes).most_common())

    @property
    def step_seconds(self) -> float:
        if self.outcomes:
            return float(np.median([of_seed.step_seconds for of_seed in self.outcomes]))
        return math.nan

    @property
    def because(self) -> str:
        """What one layer does to the error signal before training, in words; empty where that
        is not known.
        """
        return median_factors(
            [of_seed.factors for of_seed in self.outcomes if of_seed.factors is not None]
        )

    def first(self, metric: str) -> float:
        """The metric before the first update, median over seeds; infinite where it was not
        evaluated.
        """
        if self.outcomes:
            return middle_of([of_seed.first_of(metric) for of_seed in self.outcomes])
        return math.inf

    def middle(self, name: str) -> float:
        """The median over seeds of `dead` or `saturated`; NaN where no seed has it."""
        known = [
            share for of_seed in self.outcomes if math.isfinite(share := getattr(of_seed, name))
        ]
        return float(np.median(known)) if known else math.nan


@dataclass(frozen=True)
class Pair:
    """Two values compared seed by seed. effect: factor (`ratio`) or difference of a against b,
    below 1 or 0 where a is the better one.

    identical: whether no seed differs at all.
    """

    a: str
    b: str
    effect: Interval
    ratio: bool
    p: float
    p_adjusted: float
    seeds: int
    identical: bool

    @property
    def different(self) -> bool:
        return self.p_adjusted <= LEVEL

    def turned(self) -> Pair:
        """The pair with a and b exchanged, so that `effect` is that of b against a."""
        low, value, high = (
            (1 / effect if effect else math.inf) if self.ratio else -effect
            for effect in (self.effect.high, self.effect.value, self.effect.low)
        )
        return replace(self, a=self.b, b=self.a, effect=Interval(value, low, high))


@dataclass(frozen=True)
class Power:
    """What could be found. spread: middle standard deviation of paired differences (of
    logarithms for losses); detectable: what is found in 4 of 5 cases.
    """

    seeds: int
    comparisons: int
    spread: float
    detectable: float
    needed: int
    for_half: int | None


@dataclass(frozen=True)
class Comparison:
    """All values, best first; all pairs. by: the metric that ranks; ratio: whether effects are
    factors; target: of steps_to_target.
    """

    by: str
    ratio: bool
    target: float
    values: tuple[ValueResult, ...]
    pairs: tuple[Pair, ...]
    power: Power

    @property
    def chance(self) -> float:
        """The value of the metric `by` for the best constant answer, the smallest over runs; NaN
        where it is not known.
        """
        return min(
            (
                of_seed.chance[self.by]
                for value in self.values
                for of_seed in value.outcomes
                if self.by in of_seed.chance
            ),
            default=math.nan,
        )

    @property
    def too_few_seeds(self) -> bool:
        """Whether the exact test cannot call any pair different, whatever the runs show."""
        return _too_few_seeds(self.pairs)

    @property
    def differs_in_time(self) -> bool:
        """Whether a step of one value takes longer in every seed than one of another value in
        any.
        """
        spans = [
            [of_seed.step_seconds for of_seed in value.outcomes]
            for value in self.values
            if len(value.outcomes) > 1
        ]
        return bool(spans) and max(map(min, spans)) > min(map(max, spans))


def compare(
    outcomes: Mapping[str, Sequence[Outcome]], by: str, target: float | None = None
) -> Comparison:
    """Compare values (labels with their runs) by a metric, e.g. val_loss at the end. target: None
    is what the median seed of every value that learns reaches.

    Only seeds that both values of a pair have are paired. Raises ValueError where no value has a
    run.
    """
    groups = {
        label: tuple(sorted(runs, key=lambda run: run.seed))
        for label, runs in outcomes.items()
        if runs
    }
    if not groups:
        raise ValueError("nothing to compare: expected a run of one value at least")
    aimed = common_target(groups, by) if target is None else target
    ratio = is_ratio(by, [run for runs in groups.values() for run in runs])
    pairs = compare_pairs({label: scores(runs, by, ratio) for label, runs in groups.items()}, ratio)
    values = rank([summarize(label, runs, by, aimed) for label, runs in groups.items()], pairs, by)
    return Comparison(
        by, ratio, aimed, tuple(values), pairs, power_of(groups, by, ratio, len(pairs))
    )


def is_ratio(by: str, runs: Sequence[Outcome]) -> bool:
    """Whether a metric is compared by ratios (losses, RMSE of a regression) and not by differences
    (errors that are shares of wrong answers).
    """
    return not (
        by.endswith("_error")
        and any(name.endswith("_accuracy") for run in runs for name in run.final)
    )


@dataclass(frozen=True)
class Margin:
    """The values of one axis of several, each averaged over all values of the others: median
    over seeds, and all pairs.
    """

    values: Mapping[str, Interval]
    pairs: tuple[Pair, ...]

    @property
    def too_few_seeds(self) -> bool:
        """Whether the exact test cannot call any pair different, whatever the runs show."""
        return _too_few_seeds(self.pairs)


def _too_few_seeds(pairs: Sequence[Pair]) -> bool:
    return bool(pairs) and paired.least_p(max(pair.seeds for pair in pairs)) * len(pairs) > LEVEL


def compare_margins(cells: Mapping[str, Sequence[Sequence[Outcome]]], by: str) -> Margin | None:
    """`cells`: by value of the axis the runs of each cell that has it. Only seeds that all
    cells have are averaged; None where there is none.
    """
    runs = [run for value in cells.values() for cell in value for run in cell]
    ratio = is_ratio(by, runs)
    scored = {label: [scores(cell, by, ratio) for cell in value] for label, value in cells.items()}
    shared = sorted(set.intersection(*(set(cell) for value in scored.values() for cell in value)))
    if not shared:
        return None
    averages = {
        label: {seed: float(np.mean([cell[seed] for cell in value])) for seed in shared}
        for label, value in scored.items()
    }
    shown = {
        label: [math.exp(min(entry, 700.0)) if ratio else entry for entry in value.values()]
        for label, value in averages.items()
    }
    return Margin(
        {label: paired.median_interval(entry) for label, entry in shown.items()},
        compare_pairs(averages, ratio),
    )


def common_target(outcomes: Mapping[str, Sequence[Outcome]], by: str) -> float:
    """Default target: the largest, over values, of the median over seeds of the best evaluation.

    Only values below chance count, and of these only those that fell below LEARNED (0.9) of their
    first evaluation, where there are any. NaN where no value gets below chance.
    """
    medians = {
        label: middle_of([run.best_of(by) for run in runs]) for label, runs in outcomes.items()
    }
    chance = min(
        (run.chance.get(by, math.inf) for runs in outcomes.values() for run in runs),
        default=math.inf,
    )
    below = {label: best for label, best in medians.items() if best < chance}
    learned = [
        best
        for label, best in below.items()
        if best < LEARNED * middle_of([run.first_of(by) for run in outcomes[label]])
    ]
    return max(
        (loss for loss in learned or below.values() if math.isfinite(loss)), default=math.nan
    )


def middle_of(values: Sequence[float]) -> float:
    """The median; the larger of the two middle values where their number is even."""
    return sorted(values)[len(values) // 2]


def summarize(label: str, runs: Sequence[Outcome], by: str, target: float) -> ValueResult:
    """The numbers of one value over its runs."""
    names = [
        name
        for name in dict.fromkeys(name for run in runs for name in (*run.final, by))
        if name.partition("_")[2] in ("loss", "error")
    ] or [by]
    names = list(dict.fromkeys([*names, by]))
    metrics = {
        f"final_{name}": paired.median_interval([run.last_of(name) for run in runs])
        for name in names
    }
    metrics |= {
        f"best_{name}": paired.median_interval([run.best_of(name) for run in runs])
        for name in names
        if any(name in run.curves for run in runs)
    }
    steps = [run.reached(by, target) for run in runs]
    lost = sum(run.diverged for run in runs)
    return ValueResult(
        label,
        tuple(runs),
        metrics,
        sum(map(math.isfinite, steps)),
        paired.median_interval(steps),
        health([run.first for run in runs], [run.first_flow for run in runs]),
        health([run.last for run in runs], [run.last_flow for run in runs]),
        lost,
        *wilson(lost, len(runs)),
    )


def health(verdicts: Sequence[str], flows: Sequence[Flow]) -> Health:
    """The verdicts of several seeds as one."""
    counts = Counter(verdict for verdict in verdicts if verdict)
    worst = max(counts, key=lambda name: (counts[name], VERDICTS.index(name)), default="")
    return Health(dict(counts), worst, median_flow(flows))


def scores(runs: Sequence[Outcome], by: str, ratio: bool) -> dict[int, float]:
    """The last value of `by` per seed as it enters differences: its natural logarithm where `ratio`
    (clipped to 1e-12 … 1e300), else the share itself, at most 1. A run that diverged has the
    largest.
    """
    values = {run.seed: run.last_of(by) for run in runs}
    if ratio:
        return {
            seed: math.log(min(max(value, SMALLEST), LARGEST)) for seed, value in values.items()
        }
    return {seed: min(value, 1.0) for seed, value in values.items()}


def differences(a: Mapping[int, float], b: Mapping[int, float]) -> Floats:
    """a − b of each seed that both have, (seeds,)."""
    return np.array([a[seed] - b[seed] for seed in a if seed in b], dtype=np.float64)


def compare_pairs(scored: Mapping[str, Mapping[int, float]], ratio: bool) -> tuple[Pair, ...]:
    """Signed-rank tests of every pair of values over their common seeds, p corrected by Holm.

    scored: by label the score of each seed. ratio: effects are ratios in place of differences.
    """
    labels = list(combinations(scored, 2))
    pairs = [differences(scored[a], scored[b]) for a, b in labels]
    raw = [paired.signed_rank_p(pair) for pair in pairs]
    corrected = paired.holm(raw)
    return tuple(
        Pair(
            a,
            b,
            effect_of(pair, ratio),
            ratio,
            p,
            adjusted,
            len(pair),
            bool(len(pair)) and not pair.any(),
        )
        for (a, b), pair, p, adjusted in zip(labels, pairs, raw, corrected, strict=True)
    )


def effect_of(differing: Floats, ratio: bool) -> Interval:
    """The middle of the differences, as a factor for losses."""
    middle = paired.centre(differing)
    if not ratio:
        return middle
    return Interval(
        *(
            math.exp(min(difference, 700.0)) if not math.isnan(difference) else math.nan
            for difference in (middle.value, middle.low, middle.high)
        )
    )


def rank(values: Sequence[ValueResult], pairs: Sequence[Pair], by: str) -> list[ValueResult]:
    """The values, smallest median first. standing: "best", "not distinguishable" from the best,
    "worse" than it, or "too few seeds to tell".
    """
    ordered = sorted(values, key=lambda value: value.metrics[f"final_{by}"].value)
    apart = {frozenset((pair.a, pair.b)) for pair in pairs if pair.different}
    seeds = {frozenset((pair.a, pair.b)): pair.seeds for pair in pairs}
    results = []
    for place, value in enumerate(ordered, start=1):
        both = frozenset((ordered[0].label, value.label))
        reachable = paired.least_p(seeds.get(both, 0)) * len(pairs) <= LEVEL
        standing = (
            "worse"
            if both in apart
            else "not distinguishable"
            if reachable
            else "too few seeds to tell"
        )
        results.append(replace(value, rank=place, standing="best" if place == 1 else standing))
    return results


def power_of(
    outcomes: Mapping[str, Sequence[Outcome]], by: str, ratio: bool, comparisons: int
) -> Power:
    """What these seeds can find, given how much pairs scatter here; pairs with a diverged run
    say nothing of that.
    """
    seeds = min(len(runs) for runs in outcomes.values())
    finite = {
        label: scores([run for run in runs if math.isfinite(run.last_of(by))], by, ratio)
        for label, runs in outcomes.items()
    }
    effects = [differences(finite[a], finite[b]) for a, b in combinations(outcomes, 2)]
    spreads = [float(gaps.std(ddof=1)) for gaps in effects if len(gaps) > 1]
    spread = float(np.median(spreads)) if spreads else math.nan
    needed = paired.seeds_needed(comparisons)
    if math.isnan(spread):
        return Power(seeds, comparisons, spread, math.nan, needed, None)
    least = paired.detectable(spread, seeds, comparisons)
    half = (
        paired.seeds_for(least / 2, spread, comparisons)
        if math.isfinite(least) and spread > 0
        else None
    )
    return Power(seeds, comparisons, spread, least, needed, half)
