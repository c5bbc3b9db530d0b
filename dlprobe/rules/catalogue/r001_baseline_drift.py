"""A statistic's depth profile left the band of the baseline runs.

What it looks for: layers whose activation variance, error signal, gradient, weights, updates or
share of flat or active elements are not what they were in the runs of the baseline, at the first
recorded step or at the end.

Why it hurts: a change of the code, the data or a library has changed how signal or gradient flows,
whether or not the loss shows it already.

How it is measured: in each layer the band runs from the smallest number of the baseline runs
divided by the statistic's tolerance to the largest times it (shares: minus and plus the tolerance).
The tolerance of signals and gradients is multiplied by what random weights of this width and depth
differ by themselves, that of a few weights or units is at least what chance makes of so few. It
counts twice, once for either side, where the baseline is one or two runs of other seeds, which do
not tell how far seeds differ. Several new runs are represented by their median. The end is the
median over the last tenth of the recorded rows, at most 256: a single batch fluctuates too much.
What cannot be told from 0 stands as such: below 1.2e-7 (the rounding of float32) of what the layer
had at the start. There is one finding per statistic and moment.

When it stays silent: everything is inside; a statistic that one side has not recorded is left out.
Not evaluated without a baseline, or where layers differ (R003 says so), or where no statistic was
recorded on both sides.

What to try: find the change with dlprobe diff OLD NEW; where it is meant, make new baseline runs;
--set R001.error_signal_rms=5 widens a band.

References: ours; the default bands were measured in November 2026 on repeated runs of small nets.
"""

from __future__ import annotations

from dlprobe.analysis.comparing.baseline import PROFILES, Drift, common_profiles, drift, same_layers
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding, NotEvaluableError, Outcome, fired
from dlprobe.rules.rule import Settings, Threshold, register

MOMENTS = {"start": "at the first recorded step", "end": "at the end"}
TOLERANCES = {
    "activation_variance": 3.0,
    "error_signal_rms": 3.0,
    "gradient_rms": 3.0,
    "weight_rms": 1.25,
    "update_ratio": 3.0,
    "flat_fraction": 0.25,
    "active_fraction": 0.25,
}


def check(evidence: Evidence, settings: Settings) -> Outcome:
    comparison = evidence.require_comparison()
    if not same_layers(comparison):
        raise NotEvaluableError("the layers differ from those of the baseline: see R003")
    if not all(run.profiles for run in (*comparison.new, *comparison.old)):
        raise NotEvaluableError("no step was recorded in some of the runs")
    if not common_profiles(comparison):
        raise NotEvaluableError("there is no statistic that both sides have recorded")
    drifts = [
        drift(comparison, name, when, float(settings[name]))
        for name in PROFILES
        for when in MOMENTS
    ]
    return fired(*(_finding(change, comparison.sizes) for change in drifts if change is not None))


def _finding(change: Drift, sizes: str) -> Finding:
    evident = (
        f"{change.statistic} of {change.layers[0]} is {change.value:.3g} {MOMENTS[change.when]}, "
        f"outside {change.low:.3g} to {change.high:.3g}, the band of the baseline ({sizes})"
    )
    return Finding(
        change.value,
        change.high if change.value > change.high else change.low,
        evident,
        change.layers,
    )


def _threshold(name: str, tolerance: float) -> Threshold:
    origin = "choice: other seeds of one configuration stay inside"
    if name.endswith("_fraction"):
        return Threshold(
            name, tolerance, f"what {name} may differ by", low=0, high=1, origin=origin
        )
    return Threshold(
        name,
        tolerance,
        f"factor by which {name} may leave the range of the baseline",
        low=1,
        origin=origin,
    )


register(
    "R001",
    "baseline_drift",
    "warning",
    __doc__,
    check,
    needs=PROFILES,
    thresholds=[_threshold(*tolerance) for tolerance in TOLERANCES.items()],
    symptom=True,
)
