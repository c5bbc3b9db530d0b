"""One run against one, or so few that no rank test can rule out chance: their errors are compared
sample by sample.

Runs with the same data, split and seed are twins: what one gets wrong is paired with what the other
gets wrong in the same row. Where a new run has no twin, the best of the new runs is compared with
the worst of the old ones as two samples.

Sources: McNemar 1947, Psychometrika 12:153; Wilcoxon 1945, Biometrics Bull. 1:80; Fisher 1935, J.
    R. Stat. Soc. 98:39; Mann & Whitney 1947.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.comparing import paired, power, rank_test
from dlprobe.analysis.comparing.baseline import BaselineComparison, Numbers, floor_of
from dlprobe.analysis.comparing.change import Change
from dlprobe.analysis.comparing.count_tests import p_more_errors, p_newly_wrong
from dlprobe.analysis.comparing.misses import Misses

Floats: TypeAlias = npt.NDArray[np.float64]
Twins: TypeAlias = tuple[tuple[Numbers, Numbers], ...]

# differences of residuals up to which the law of their ranks is counted out, in milliseconds
EXACT = 200


def twins_of(comparison: BaselineComparison, metric: str) -> Twins:
    """Every new run with the one of the baseline that has the same data, split and seed, and
    predictions of the same rows; () where one has none.
    """
    part = metric.partition("_")[0]
    pairs = [
        (new, next((old for old in comparison.old if _same_rows(new, old, part)), None))
        for new in comparison.new
    ]
    twins = tuple((new, old) for new, old in pairs if old is not None)
    return twins if len(twins) == len(pairs) and metric.endswith("_error") else ()


def _same_rows(new: Numbers, old: Numbers, part: str) -> bool:
    """Whether what two runs say of a part can be paired."""
    same = all(
        getattr(new, name) == getattr(old, name) for name in ("fingerprint", "data_seed", "seed")
    ) and bool(new.fingerprint)
    return (
        same
        and all(part in run.misses for run in (new, old))
        and np.array_equal(new.misses[part].rows, old.misses[part].rows)
    )


def paired_change(twins: Twins, metric: str, factor: float, share: float) -> Change:
    """How an error changed on the same rows, by an exact paired test. share: the level of this
    metric, for what the test would have found.
    """
    new, old = zip(*twins, strict=True)
    differences = _by_row(twins, metric.partition("_")[0])
    if not new[0].classification:
        p = paired.p_larger(differences, EXACT)
        how = (
            f"the residuals of {np.count_nonzero(differences > 0):,} of the same "
            f"{len(differences):,} samples are larger: signed-rank test p = {p:.2g}"
        )
        return _change(
            metric, new, old, p, factor, how, partial(_seen_in_pairs, twins, metric, factor, share)
        )
    wrong, right = int(np.sum(differences > 0)), int(np.sum(differences < 0))
    name = "McNemar's exact test"
    if len(twins) == 1:
        p = p_newly_wrong(wrong, right)
    else:
        p = _p_sign_flips(differences)
        name = f"exact sign test over rows, {len(twins)} pairs of runs with the same seed"
    how = (
        f"of the same {len(differences):,} samples {wrong} are newly wrong and {right} newly "
        f"right: {name} p = {p:.2g}"
    )
    seen: Callable[[], str] = str
    if (counts := old[0].errors(metric)) and len(twins) == 1:
        usual, samples = counts

        def fires(count: int) -> bool:
            return (
                count >= factor * max(usual, 0.5)
                and p_newly_wrong(max(0, count - usual + right), right) <= share
            )

        seen = partial(power.of_counts, metric, samples, usual, fires)
    return _change(metric, new, old, p, factor, how, seen)


def _seen_in_pairs(twins: Twins, metric: str, factor: float, share: float) -> str:
    """From how many times as large residuals on the paired test sees them."""
    part = metric.partition("_")[0]

    def fires(times: float) -> bool:
        scaled = tuple((_scaled(new, part, times), old) for new, old in twins)
        return times >= factor and paired.p_larger(_by_row(scaled, part), EXACT) <= share

    return power.from_times(metric, fires)


def _scaled(run: Numbers, part: str, times: float) -> Numbers:
    return replace(
        run, misses={part: Misses(run.misses[part].rows, times * run.misses[part].sizes)}
    )


def _by_row(twins: Twins, part: str) -> Floats:
    """(row,): how much further off the new runs are than the old ones, summed over the pairs
    that have the row.
    """
    rows = np.concatenate([new.misses[part].rows for new, _ in twins])
    with np.errstate(invalid="ignore"):
        differences = np.concatenate(
            [new.misses[part].sizes - old.misses[part].sizes for new, old in twins]
        )
    kinds, places = np.unique(rows, return_inverse=True)
    finite = np.nan_to_num(
        differences, nan=0.0, posinf=rank_test.LARGEST, neginf=-rank_test.LARGEST
    )
    return np.bincount(places.ravel(), finite, len(kinds)).astype(np.float64)


def _p_sign_flips(differences: Floats) -> float:
    """P of as large a sum where each row's whole number is as likely to have the other sign."""
    sizes = np.abs(differences[differences != 0]).astype(np.int64)
    law = paired.sign_law(tuple(sorted(sizes.tolist())))
    return min(1.0, float(law[int(differences[differences > 0].sum()) :].sum()))


def two_sample_change(
    comparison: BaselineComparison, metric: str, factor: float, share: float
) -> Change | None:
    """How an error changed on other rows or with other seeds, of the best new run against the worst
    old one; None where the files do not say what each sample got. Nothing is known of how far seeds
    differ, so the test asks whether the error is surely larger *than the factor* times that of
    before: counts of wrong classes by Fisher's exact test of the odds, the sizes of residuals by
    the rank test against so many times the old ones.
    """
    part, _, what = metric.partition("_")
    new, old = by_size(comparison.new, metric)[0], by_size(comparison.old, metric)[-1]
    after, before = new.errors(metric), old.errors(metric)
    ends = f" ({comparison.sizes}: the best of the new, the worst of the old)"
    ends = ends if len(comparison.new) + len(comparison.old) > 2 else ""
    if after is not None and before is not None:
        (errors, samples), (wrong, of) = after, before
        p = p_more_errors(errors, samples, wrong, of, factor)
        seen = partial(
            power.of_counts,
            metric,
            samples,
            round(samples * wrong / of),
            lambda count: p_more_errors(count, samples, wrong, of, factor) <= share,
        )
        how = (
            f"another seed: Fisher's exact test of more than {factor:g} times the odds p = "
            f"{p:.2g}{ends}"
        )
        return _change(metric, [new], [old], p, factor, how, seen)
    if what != "error" or any(run.classification or part not in run.misses for run in (new, old)):
        return None
    ours, theirs = new.misses[part].sizes, (factor * old.misses[part].sizes).tolist()
    p = rank_test.p_larger(ours.tolist(), theirs)
    seen = partial(
        power.from_times,
        metric,
        lambda times: rank_test.p_larger((times * ours).tolist(), theirs) <= share,
    )
    how = (
        f"another seed: rank test of residuals more than {factor:g} times as large p = "
        f"{p:.2g}{ends}"
    )
    return _change(metric, [new], [old], p, factor, how, seen)


def by_size(runs: Sequence[Numbers], metric: str) -> list[Numbers]:
    """The best run first."""
    return sorted(runs, key=lambda run: float(rank_test.nan_last([run.metrics[metric]])[0]))


def _change(
    metric: str,
    new: Sequence[Numbers],
    old: Sequence[Numbers],
    p: float,
    factor: float,
    how: str,
    seen: Callable[[], str],
) -> Change:
    floor = floor_of((*new, *old), metric)
    after, before = (
        float(np.median(rank_test.nan_last([run.metrics[metric] for run in runs])))
        for runs in (new, old)
    )
    times = max(after, floor) / max(before, floor)
    return Change(
        metric,
        before,
        after,
        times,
        math.nan,
        math.nan,
        how,
        p,
        times >= factor,
        _words(old, metric),
        _words(new, metric),
        floor,
        seen,
    )


def _words(runs: Sequence[Numbers], metric: str) -> str:
    """`6.67 % (24 of 360)` for one run that counts wrong samples, a share in percent for
    several.
    """
    counts = [run.errors(metric) for run in runs]
    known = [count for count in counts if count is not None]
    if not known or len(known) < len(counts):
        return ""
    share = f"{100 * float(np.median([wrong / of for wrong, of in known])):.3g} %"
    return f"{share} ({known[0][0]:,} of {known[0][1]:,})" if len(known) == 1 else share
