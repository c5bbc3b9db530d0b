"""Features of very different, or very large, scale reach the net.

What it looks for: inputs, as the net sees them after scaling, whose standard deviations differ by orders of magnitude, that sit far from zero, or
that are far larger or smaller than 1.

Why it hurts: one rate for all weights suits none: the direction of the large feature is steep, those of the small ones flat. Sigmoid units start
saturated. Inputs that all share a sign make all weights of a unit move the same way.

How it is measured: mean and standard deviation of every raw training feature, pushed through the stored scaler. Compared are the largest deviation
over the smallest one above 0, the median of |mean| over deviation, and the largest deviation.

When it stays silent: standardized inputs always pass. A run that learned well, or was too short to tell, gets an info.

What to try: scaling standardize, fitted on the training part and used for every other one.

References: LeCun et al. 1998, Efficient backprop, §4.3; Goodfellow et al. 2016, §8.2.1; Bishop 1995, §8.2.
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence, Floats
from dlprobe.rules.outcome import Finding, NotEvaluableError, Outcome, Passed, fired
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register


def check(evidence: Evidence, settings: Settings) -> Outcome:
    mean, deviation = _scaled(evidence)
    varying = deviation > 0
    if not varying.any():
        return Passed()
    spread = float(deviation[varying].max() / deviation[varying].min())
    offset = float(np.median(np.abs(mean[varying]) / deviation[varying]))
    largest = float(deviation[varying].max())
    said = [
        (spread, "spread", f"the largest standard deviation of a feature is {spread:.3g} times the smallest"),
        (offset, "offset", f"the typical feature has a mean of {offset:.3g} standard deviations"),
        (largest, "size", f"the largest standard deviation of a feature is {largest:.3g}"),
    ]
    found = [(number, float(settings[name]), text) for number, name, text in said if number > float(settings[name])]
    if not found:
        return Passed()
    number, limit, _ = found[0]
    severity = "info" if evidence.learning.well or evidence.learning.brief else ""
    evident = f"{'; '.join(each[2] for each in found)} (as the net sees them)"
    return fired(Finding(number, limit, evident, remedies=remedies(evidence, "scaling"), severity=severity))  # type: ignore[arg-type]


def _scaled(evidence: Evidence) -> tuple[Floats, Floats]:
    """Mean and deviation of every feature after scaling, (features,)."""
    data = evidence.run.data
    missing = [name for name in ("feature_mean", "feature_std", "scaler_shift", "scaler_scale") if name not in data]
    if missing:
        raise NotEvaluableError(f"{missing[0]} is not in the file")
    mean, deviation, shift, scale = (np.asarray(data[name], np.float64) for name in ("feature_mean", "feature_std", "scaler_shift", "scaler_scale"))
    with np.errstate(all="ignore"):
        return (mean - shift) * scale, deviation * np.abs(scale)


register(
    "D001",
    "unscaled_inputs",
    "warning",
    __doc__,
    check,
    needs=("feature_mean", "feature_std", "scaler_shift", "scaler_scale", "train_loss"),
    thresholds=[
        Threshold("spread", 100.0, "largest deviation over the smallest", low=1.0, origin="choice: two orders of magnitude"),
        Threshold("offset", 10.0, "typical |mean| in deviations", low=0.0, origin="choice: an order of magnitude"),
        Threshold("size", 30.0, "largest deviation of a feature", low=0.0, origin="choice: weights that suit inputs of size 1 are 30 times too large"),
    ],
    brings_about="W003 A001 A002 A004 G002 G003 G004 L005 L001 L004 W006 B001",
)
