"""A loss or error got worse than in the baseline runs, by more than chance and by more than a
factor that matters.

What it looks for: final losses and errors (training, validation, test) that are larger than those
of the baseline runs.

Why it hurts: this is the regression that a check in CI is there to catch; comparing two single runs
instead reports the luck of their seeds.

How it is measured: chance must be ruled out at the level, *and* the number must be larger by the
factor. The level is that of the whole comparison: the p values of all metrics are corrected for
their number (Holm), so that runs of one law raise any alarm as seldom as it says.

A run with the same data, split and seed as one of the baseline is paired with it row by row, on the
predictions that the files hold: classes by McNemar's exact test, |residual| by the signed-rank test
(exact for up to 200 samples); so is one new run beside its twin, however many others there are.
Runs with other seeds are compared with the spread of the baseline's seeds, from three runs on: by
the prediction interval of a further one (logarithms, Student's t), and counts of wrong samples by
Fisher's exact test too; enough runs on both sides by a one-sided Mann-Whitney rank test, exact for
up to 40 runs, ties included. A change that is surely smaller than the factor, by the 95 % interval
of the quotient, is not reported.

Where the baseline is a run or two with other seeds nobody knows how far seeds differ: then the
error must be *surely* larger than the factor times that of before, by Fisher's exact test of the
odds, or the rank test of |residual| against so many times the old ones, of the best new run against
the worst old one. Losses need three baseline runs then. The training error is compared only where
no other error is, because its predictions are not stored.

Where it passes it says what it would have found: the chance to see three times the errors, or from
how many times on a number is seen to rise.

No quotient is taken of a number that cannot be told from 0: below half a wrong sample, or below the
rounding of float32 (1.2e-7) of the first loss.

When it stays silent: no metric is worse, or the numbers on both sides are identical. Not evaluated
without a baseline, with too few runs to know how far seeds differ where single samples cannot be
compared either (it names how many runs are needed), on other data (R003), or where the runs have no
final results.

What to try: dlprobe diff OLD NEW shows what changed; more seeds on both sides make smaller losses
visible; --set R002.level=0.05 sees more and gives more false alarms.

References: Mann & Whitney 1947, Ann. Math. Stat. 18:50; Hodges & Lehmann 1963, Ann. Math. Stat.
    34:598;
McNemar 1947, Psychometrika 12:153; Wilcoxon 1945, Biometrics Bull. 1:80; Fisher 1935, J. R. Stat.
Soc. 98:39; Holm 1979, Scand. J. Stat. 6:65; the factor is that of asv (airspeed velocity,
continuous benchmarking), the level about that of its .002 for each of six metrics.
"""

from __future__ import annotations

from dlprobe.analysis.comparing.baseline import (
    METRICS,
    BaselineComparison,
    common_metrics,
    lost_metrics,
    structure_differences,
)
from dlprobe.analysis.comparing.change import Change
from dlprobe.analysis.comparing.metric_changes import changes, missing_runs
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding, NotEvaluableError, Outcome, Passed, fired
from dlprobe.rules.rule import Settings, Threshold, register

# the first of these that was compared says what would have been found
GUARDS = ("val_error", "test_error", "val_loss", *METRICS)


def check(evidence: Evidence, settings: Settings) -> Outcome:
    comparison = evidence.require_comparison()
    metrics = common_metrics(comparison)
    if not metrics:
        raise NotEvaluableError("there is no loss or error at the end that all runs have")
    if "data" in structure_differences(comparison):
        raise NotEvaluableError("the data differ from those of the baseline: see R003")
    factor, level = settings["factor"], settings["level"]
    changed = changes(comparison, metrics, factor, level)
    if _identical(comparison, metrics):
        return Passed(_power(changed))
    if not changed:
        few = missing_runs(comparison, metrics, level)
        raise NotEvaluableError(
            f"{few}; single samples cannot be compared: the files count no errors that both "
            "sides have"
        )
    worse = [change for change in changed if change.worse]
    if not worse and (lost := lost_metrics(comparison)):
        raise NotEvaluableError(f"the baseline has {', '.join(lost)}, the new runs have not")
    return (
        fired(*(_finding(change, factor) for change in worse)) if worse else Passed(_power(changed))
    )


def _power(metric_changes: list[Change]) -> str:
    """What the most telling of the tests would have found."""
    tests = {change.metric: change.power for change in metric_changes}
    return next((tests[metric]() for metric in GUARDS if metric in tests), "")


def _identical(comparison: BaselineComparison, metrics: tuple[str, ...]) -> bool:
    """Every number of every run is the same: nothing can have got worse."""
    runs = (*comparison.new, *comparison.old)
    return all(len({run.metrics[metric] for run in runs}) == 1 for metric in metrics)


def _finding(change: Change, factor: float) -> Finding:
    return Finding(change.factor, factor, f"{change.words}; {change.how}")


register(
    "R002",
    "baseline_metric",
    "error",
    __doc__,
    check,
    needs=METRICS,
    thresholds=[
        Threshold(
            "factor",
            1.1,
            "a quotient of new over old that matters",
            low=1,
            origin="asv's default: 1.1",
        ),
        Threshold(
            "level",
            0.01,
            "probability of a false alarm, over all metrics",
            low=0,
            high=0.5,
            open_low=True,
            origin="asv's p < .002 for each of six",
        ),
    ],
    symptom=True,
)
