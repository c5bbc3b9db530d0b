"""One run against one, or so few that no rank test can rule out chance: their errors are compared sample by sample.

Runs with the same data, split and seed are twins: what one gets wrong is paired with what the other gets wrong in the same row. Where a new run has no twin,
the best of the new runs is compared with the worst of the old ones as two samples.

Sources: McNemar 1947, Psychometrika 12:153; Wilcoxon 1945, Biometrics Bull. 1:80; Fisher 1935, J. R. Stat. Soc. 98:39; Mann & Whitney 1947.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.comparing import paired, rank_test
from dlprobe.analysis.comparing.baseline import Change, Comparison, Numbers, change, floor_of, missing_runs
from dlprobe.analysis.comparing.count_tests import p_more_errors, p_newly_wrong

Floats: TypeAlias = npt.NDArray[np.float64]
Twins: TypeAlias = tuple[tuple[Numbers, Numbers], ...]

EXACT = 200  # differences of residuals up to which the law of their ranks is counted out, in milliseconds


def changes(comparison: Comparison, metrics: Sequence[str], factor: float, level: float) -> list[Change]:
    """How each metric changed that can be compared: between groups or with the spread of the baseline where the runs suffice, else by single samples.

    A new run beside its twin is compared with that, however many others there are: what both share cannot be the luck of a seed.
    """
    few = missing_runs(len(comparison.new), len(comparison.old), level)
    found: list[Change | None] = []
    for metric in metrics:
        twins = twins_of(comparison, metric) if few or len(comparison.new) == 1 else ()
        if twins:
            found.append(paired_change(twins, metric, factor, level))
        elif not few:
            found.append(change(comparison, metric, factor, level))
        elif metric != "train_error" or not any(other.endswith("_error") for other in metrics if other != metric):
            found.append(two_sample_change(comparison, metric, factor, level))
    return [each for each in found if each is not None]


def twins_of(comparison: Comparison, metric: str) -> Twins:
    """Every new run with the one of the baseline that has the same data, split and seed, and predictions of the same rows; () where one has none."""
    part = metric.partition("_")[0]
    found = [(new, next((old for old in comparison.old if _same_rows(new, old, part)), None)) for new in comparison.new]
    twins = tuple((new, old) for new, old in found if old is not None)
    return twins if len(twins) == len(found) and metric.endswith("_error") else ()


def _same_rows(new: Numbers, old: Numbers, part: str) -> bool:
    """Whether what two runs say of a part can be paired."""
    same = all(getattr(new, name) == getattr(old, name) for name in ("fingerprint", "data_seed", "seed")) and bool(new.fingerprint)
    return same and all(part in run.misses for run in (new, old)) and np.array_equal(new.misses[part].rows, old.misses[part].rows)


def paired_change(twins: Twins, metric: str, factor: float, level: float) -> Change:
    """How an error changed on the same rows: worse where an exact paired test rules out chance at the level and it is larger by the factor."""
    new, old = zip(*twins, strict=True)
    differences = _by_row(twins, metric.partition("_")[0])
    if not new[0].classification:
        p = paired.p_larger(differences, EXACT)
        how = f"the residuals of {np.count_nonzero(differences > 0):,} of the same {len(differences):,} samples are larger: signed-rank test p = {p:.2g}"
        return _change(metric, new, old, p <= level, factor, how)
    wrong, right = int(np.sum(differences > 0)), int(np.sum(differences < 0))
    name = "McNemar's exact test"
    if len(twins) == 1:
        p = p_newly_wrong(wrong, right)
    else:
        p, name = _p_sign_flips(differences), f"exact sign test over rows, {len(twins)} pairs of runs with the same seed"
    how = f"of the same {len(differences):,} samples {wrong} are newly wrong and {right} newly right: {name} p = {p:.2g}"
    return _change(metric, new, old, p <= level, factor, how)


def _by_row(twins: Twins, part: str) -> Floats:
    """(row,): how much further off the new runs are than the old ones, summed over the pairs that have the row."""
    rows = np.concatenate([new.misses[part].rows for new, _ in twins])
    with np.errstate(invalid="ignore"):
        differences = np.concatenate([new.misses[part].sizes - old.misses[part].sizes for new, old in twins])
    kinds, places = np.unique(rows, return_inverse=True)
    finite = np.nan_to_num(differences, nan=0.0, posinf=rank_test.LARGEST, neginf=-rank_test.LARGEST)
    return np.bincount(places.ravel(), finite, len(kinds)).astype(np.float64)


def _p_sign_flips(differences: Floats) -> float:
    """P of as large a sum where each row's whole number is as likely to have the other sign."""
    sizes = np.abs(differences[differences != 0]).astype(np.int64)
    law = paired.sign_law(tuple(sorted(sizes.tolist())))
    return min(1.0, float(law[int(differences[differences > 0].sum()) :].sum()))


def two_sample_change(comparison: Comparison, metric: str, factor: float, level: float) -> Change | None:
    """How an error changed on other rows, of the best new run against the worst old one; None where the files do not say what each sample got.

    Counts of wrong classes by Fisher's exact test, the sizes of residuals by the rank test.
    """
    part, _, what = metric.partition("_")
    new, old = _by_size(comparison.new, metric)[0], _by_size(comparison.old, metric)[-1]
    counts, ends = (new.errors(metric), old.errors(metric)), f" ({comparison.sizes}: the best of the new, the worst of the old)"
    ends = ends if len(comparison.new) + len(comparison.old) > 2 else ""
    if counts[0] is not None and counts[1] is not None:
        p = p_more_errors(*counts[0], *counts[1])
        return _change(metric, [new], [old], p <= level, factor, f"not the same samples: Fisher's exact test p = {p:.2g}{ends}")
    if what != "error" or any(run.classification or part not in run.misses for run in (new, old)):
        return None
    p = rank_test.p_larger(*(run.misses[part].sizes.tolist() for run in (new, old)))
    return _change(metric, [new], [old], p <= level, factor, f"not the same samples: rank test of the residuals p = {p:.2g}{ends}")


def _by_size(runs: Sequence[Numbers], metric: str) -> list[Numbers]:
    """The best run first."""
    return sorted(runs, key=lambda run: float(rank_test.nan_last([run.metrics[metric]])[0]))


def _change(metric: str, new: Sequence[Numbers], old: Sequence[Numbers], sure: bool, factor: float, how: str) -> Change:
    floor = floor_of((*new, *old), metric)
    after, before = (float(np.median(rank_test.nan_last([run.metrics[metric] for run in runs]))) for runs in (new, old))
    times = max(after, floor) / max(before, floor)
    return Change(metric, before, after, times, math.nan, math.nan, how, sure and times >= factor, _words(old, metric), _words(new, metric), floor)


def _words(runs: Sequence[Numbers], metric: str) -> str:
    """`6.67 % (24 of 360)` for one run that counts wrong samples, a share in percent for several."""
    counts = [run.errors(metric) for run in runs]
    known = [each for each in counts if each is not None]
    if not known or len(known) < len(counts):
        return ""
    share = f"{100 * float(np.median([wrong / of for wrong, of in known])):.3g} %"
    return f"{share} ({known[0][0]:,} of {known[0][1]:,})" if len(known) == 1 else share
