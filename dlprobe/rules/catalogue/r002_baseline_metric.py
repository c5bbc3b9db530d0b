"""A loss or error got worse than in the baseline runs, by more than chance and by more than a factor that matters.

What it looks for: final losses and errors (training, validation, test) that are larger than those of the baseline runs.

Why it hurts: this is the regression that a check in CI is there to catch; comparing two single runs instead reports the luck of their seeds.

How it is measured: with several runs on both sides by a one-sided Mann-Whitney rank test, exact for up to 40 runs, ties included; one new run is compared
with the prediction interval of at least three baseline runs (logarithms, Student's t), and counts of wrong samples by Fisher's exact test too. Chance must be
ruled out at the level, *and* the factor must lie within the 95 % interval of the quotient or below it: a change that is surely smaller is not reported,
however sure it is.

Fewer runs, one against one above all, are compared by the errors of their single samples. A run with the same data, split and seed as one of the baseline is
paired with it row by row, on the predictions that the files hold: classes by McNemar's exact test, |residual| by the signed-rank test (exact for up to 200
samples); so is one new run beside its twin, however many others there are. Without a twin they are two samples: Fisher's exact test of the counts, or the
rank test of |residual|, of the best new run against the worst old one. Chance must be ruled out at the level, and the error must be larger by the factor.
Single runs say nothing of how far losses vary by chance: losses need three baseline runs. The training error is compared only where no other error is,
because its predictions are not stored.

No quotient is taken of a number that cannot be told from 0: below half a wrong sample, or below the rounding of float32 (1.2e-7) of the first loss.

When it stays silent: no metric is worse, or the numbers on both sides are identical. Not evaluated without a baseline, with too few runs for a rank test
to reach its level where single samples cannot be compared either (it names how many runs are needed), on other data (R003), or where the runs have no final
results.

What to try: dlprobe diff OLD NEW shows what changed; more seeds on both sides make smaller losses visible; --set R002.level=0.01 needs fewer runs and
gives more false alarms.

References: Mann & Whitney 1947, Ann. Math. Stat. 18:50; Hodges & Lehmann 1963, Ann. Math. Stat. 34:598;
McNemar 1947, Psychometrika 12:153; Wilcoxon 1945, Biometrics Bull. 1:80; Fisher 1935, J. R. Stat. Soc. 98:39; the level and the factor are those of asv
(airspeed velocity, continuous benchmarking).
"""

from __future__ import annotations

from dlprobe.analysis.comparing.baseline import METRICS, Change, Comparison, common_metrics, lost_metrics, missing_runs, structure_differences
from dlprobe.analysis.comparing.single_runs import changes
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
    found = changes(comparison, metrics, factor, level)
    if not found:
        reason = missing_runs(len(comparison.new), len(comparison.old), level)
        raise NotEvaluableError(f"{reason}; single samples cannot be compared either: the files count no errors that both sides have")
    worse = [each for each in found if each.worse]
    if not worse and (lost := lost_metrics(comparison)):
        raise NotEvaluableError(f"the baseline has {', '.join(lost)}, the new runs have not")
    return fired(*(_finding(each, factor) for each in worse))


def _identical(comparison: Comparison, metrics: tuple[str, ...]) -> bool:
    """Every number of every run is the same: nothing can have got worse."""
    runs = (*comparison.new, *comparison.old)
    return all(len({run.metrics[metric] for run in runs}) == 1 for metric in metrics)


def _finding(found: Change, factor: float) -> Finding:
    return Finding(found.factor, factor, f"{found.words}; {found.how}")


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
    symptom=True,
)
