"""A loss or error got worse than in the baseline runs, by more than chance and by more than a factor that matters.

What it looks for: final losses and errors (training, validation, test) that are larger than those of the baseline runs.

Why it hurts: this is the regression that a check in CI is there to catch; comparing two single runs instead reports the luck of their seeds.

How it is measured: with several runs on both sides by a one-sided Mann-Whitney rank test, exact for up to 40 runs, ties included; one new run is compared
with the prediction interval of at least three baseline runs (logarithms, Student's t). Chance must be ruled out at the level, *and* the factor must lie
within the 95 % interval of the quotient or below it: a change that is surely smaller is not reported, however sure it is.

When it stays silent: no metric is worse, or the numbers on both sides are identical. Not evaluated without a baseline, with too few runs for the test to
reach its level at all (it names how many are needed), on other data (R003), or where the runs have no final results.

What to try: dlprobe diff OLD NEW shows what changed; more seeds on both sides make smaller losses visible; --set R002.level=0.01 needs fewer runs and
gives more false alarms.

References: Mann & Whitney 1947, Ann. Math. Stat. 18:50; Hodges & Lehmann 1963, Ann. Math. Stat. 34:598; the level and the factor are those of asv
(airspeed velocity, continuous benchmarking).
"""

from __future__ import annotations

from dlprobe.analysis.baseline import METRICS, Change, Comparison, change, common_metrics, missing_runs, structure_differences
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding, NotEvaluableError, Outcome, Passed, fired
from dlprobe.rules.rule import Settings, Threshold, register


def check(evidence: Evidence, settings: Settings) -> Outcome:
    comparison = evidence.require_comparison()
    metrics = common_metrics(comparison)
    if not metrics:
        raise NotEvaluableError("there is no loss or error at the end that all runs have")
    if "data" in structure_differences(comparison):
        raise NotEvaluableError("the data differ from those of the baseline: see R003")
    if _identical(comparison, metrics):
        return Passed()
    factor, level = float(settings["factor"]), float(settings["level"])
    if reason := missing_runs(len(comparison.new), len(comparison.old), level):
        raise NotEvaluableError(reason)
    found = [change(comparison, metric, factor, level) for metric in metrics]
    return fired(*(_finding(each, factor, comparison.sizes) for each in found if each.worse))


def _identical(comparison: Comparison, metrics: tuple[str, ...]) -> bool:
    """Every number of every run is the same: nothing can have got worse."""
    runs = (*comparison.new, *comparison.old)
    return all(len({run.metrics[metric] for run in runs}) == 1 for metric in metrics)


def _finding(found: Change, factor: float, sizes: str) -> Finding:
    evident = (
        f"{found.metric} went from {found.old:.4g} to {found.new:.4g} (medians of {sizes}): {found.factor:.3g} times, "
        f"95 % interval {found.low:.3g} to {found.high:.3g}; {found.how}"
    )
    return Finding(found.factor, factor, evident)


register(
    "R002",
    "baseline_metric",
    "error",
    __doc__,
    check,
    needs=METRICS,
    thresholds=[
        Threshold("factor", 1.1, "a quotient of new over old that matters", low=1, origin="asv's default: 1.1"),
        Threshold("level", 0.002, "probability of a false alarm per metric", low=0, high=0.5, open_low=True, origin="asv's default: p < .002"),
    ],
)
