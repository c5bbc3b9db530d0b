"""Whether losses and errors got worse than those of a baseline: which test each of them gets, and
one verdict over all of them.

The tests of one comparison see the same runs, and several rows of the same samples, so their p
values depend on each other in a way nobody knows. Holm's correction holds whatever it is: the
chance that runs of the same law cause any alarm stays at the level, and with one metric it costs
nothing. (The exact law of the smallest p by relabelling runs is sharper where metrics agree, but
two single runs have no labels to exchange.)

Sources: Holm 1979, Scand. J. Stat. 6:65; Mann & Whitney 1947; prediction interval: Hahn 1969,
    Technometrics 11:515, on logarithms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from dlprobe.analysis.comparing import power, rank_test, single_runs
from dlprobe.analysis.comparing.baseline import FEWEST, BaselineComparison, floor_of
from dlprobe.analysis.comparing.change import Change
from dlprobe.analysis.comparing.count_tests import p_more_errors
from dlprobe.analysis.comparing.paired import holm


def changes(
    comparison: BaselineComparison, metrics: Sequence[str], factor: float, level: float
) -> list[Change]:
    """How each metric changed that can be compared, with the verdict over all of them together:
    see `decided`.
    """
    share = level / max(len(metrics), 1)
    outcomes = [_change(comparison, metric, metrics, factor, share) for metric in metrics]
    return decided([outcome for outcome in outcomes if outcome is not None], level)


def decided(metric_changes: Sequence[Change], level: float) -> list[Change]:
    """The changes, worse where chance is ruled out at the level for all of them together (Holm)
    *and* the factor is reached.
    """
    corrected = holm([change.p for change in metric_changes])
    return [
        replace(change, worse=change.matters and p <= level)
        for change, p in zip(metric_changes, corrected, strict=True)
    ]


def _change(
    comparison: BaselineComparison, metric: str, metrics: Sequence[str], factor: float, share: float
) -> Change | None:
    """How a metric changed, by the strongest test that the runs allow; None where there is none.
    share: of the level, where all metrics get the same.

    A new run beside its twin is compared with that, however many others there are: what both share
    cannot be the luck of a seed.
    """
    new, old = len(comparison.new), len(comparison.old)
    ranked = new > 1 and rank_test.least_p(new, old) <= share
    if not ranked and (twins := single_runs.twins_of(comparison, metric)):
        return single_runs.paired_change(twins, metric, factor, share)
    if ranked:
        return ranked_change(comparison, metric, factor, share)
    if old >= FEWEST:
        return spread_change(comparison, metric, factor, share)
    if metric == "train_error" and any(
        other.endswith("_error") for other in metrics if other != metric
    ):
        return None
    return single_runs.two_sample_change(comparison, metric, factor, share)


def missing_runs(comparison: BaselineComparison, metrics: Sequence[str], level: float) -> str:
    """Why losses of so few runs cannot be compared, and how many runs are needed, in a sentence."""
    count = rank_test.needed(level / max(len(metrics), 1))
    needed = (
        f"at least {FEWEST} runs in the baseline are needed, or {count} against {count} for a "
        "rank test"
    )
    return f"{comparison.sizes} say nothing of how far seeds differ: {needed}"


def ranked_change(
    comparison: BaselineComparison, metric: str, factor: float, share: float
) -> Change:
    """Several runs on both sides: a one-sided rank test, and the factor within reach of the
    interval. A change that is surely smaller than the factor is not reported, however sure it is
    that there is one.
    """
    new, old = ([run.metrics[metric] for run in runs] for runs in (comparison.new, comparison.old))
    floor = floor_of((*comparison.new, *comparison.old), metric)
    factor_between, low, high = rank_test.factor_between(new, old, floor)
    p = rank_test.p_larger(new, old)
    before, after = (float(np.median(rank_test.nan_last(values))) for values in (old, new))
    told = f"{after:.4g} (medians of {comparison.sizes})"
    how = f"rank test p = {p:.2g}"

    def fires(times: float) -> bool:
        return (
            times >= factor and rank_test.p_larger([times * value for value in new], old) <= share
        )

    return Change(
        metric,
        before,
        after,
        factor_between,
        low,
        high,
        how,
        p,
        factor_between > 1.0 and high >= factor,
        "",
        told,
        floor,
        partial(power.from_times, metric, fires),
    )


def spread_change(
    comparison: BaselineComparison, metric: str, factor: float, share: float
) -> Change:
    """The best new run beside several of the baseline: beyond their spread, and more wrong
    samples than theirs explain.
    """
    new = single_runs.by_size(comparison.new, metric)[0]
    old = [run.metrics[metric] for run in comparison.old]
    floor = floor_of((new, *comparison.old), metric)
    counts = [run.errors(metric) for run in (new, *comparison.old)]
    known = [count for count in counts if count is not None]
    counted = len(known) == len(counts)
    rank = rank_test.factor_of_one(new.metrics[metric], old, share, floor, rounded=not counted)
    typical = float(np.exp(np.mean(np.log(np.maximum(rank_test.nan_last(old), floor)))))
    before = float(np.median(rank_test.nan_last(old)))
    after = float(rank_test.nan_last([new.metrics[metric]])[0])
    p = rank.p
    how = (
        f"a further run like those of the baseline stays below {rank.limit * typical:.3g}, "
        f"but for a chance of {share:.2g}"
    )
    seen = partial(power.from_times, metric, lambda times: times >= max(factor, rank.limit))
    if counted:
        (errors, samples), *others = known
        wrong, of = (sum(column) for column in zip(*others, strict=True))
        fisher = p_more_errors(errors, samples, wrong, of)
        p = max(p, fisher)
        how = (
            f"{how}; {errors} wrong of {samples:,} against {wrong} of {of:,}: Fisher's exact "
            f"test p = {fisher:.2g}"
        )
        usual = round(samples * wrong / of)

        def fires(count: int) -> bool:
            return (
                count / samples >= rank.limit * typical
                and p_more_errors(count, samples, wrong, of) <= share
            )

        seen = partial(power.of_counts, metric, samples, usual, fires)
    told = (
        f"{after:.4g} (the best of {comparison.sizes})"
        if len(comparison.new) > 1
        else f"{after:.4g} (median of {len(old)} against it)"
    )
    return Change(
        metric,
        before,
        after,
        rank.factor,
        rank.low,
        rank.high,
        how,
        p,
        rank.factor > 1.0 and rank.high >= factor,
        "",
        told,
        floor,
        seen,
    )
