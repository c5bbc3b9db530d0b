"""Features of very different, or very large, scale reach the net.

What it looks for: inputs, as the net sees them after scaling, whose standard deviations differ by
orders of magnitude, that sit far from zero, or that are far larger or smaller than 1.

Why it hurts: one rate for all weights suits none: the direction of the large feature is steep,
those of the small ones flat. Sigmoid units start saturated. Inputs that all share a sign make all
weights of a unit move the same way.

How it is measured: mean and standard deviation of every raw training feature, pushed through the
stored scaler. Compared are the largest deviation over that which the faintest tenth of the features
stays below (pixels of one range have faint ones at the border, which hinder nobody), the largest
root mean square of a feature, and the median of |mean| over deviation.

When it stays silent: standardized inputs always pass, and so do those that the net normalizes
itself. A run that learned well, or was too short to tell, gets an info.

What to try: scaling standardize, fitted on the training part and used for every other one.

References: LeCun et al. 1998, Efficient backprop, §4.3; Goodfellow et al. 2016, §8.2.1; Bishop
    1995, §8.2.
"""

from __future__ import annotations

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.scale import INPUTS, inputs_off


def check(evidence: Evidence, settings: Settings) -> Outcome:
    off = inputs_off(evidence, {name: float(settings[name]) for name in INPUTS})
    if not off:
        return Passed()
    severity = "info" if evidence.spared else ""
    evident = f"{'; '.join(departure.told for departure in off)} (as the net sees them)"
    return one_finding(
        off[0].number,
        off[0].limit,
        evident,
        remedies=remedies(evidence, "both_scales", "scaling"),
        severity=severity,
    )


register(
    "D001",
    "unscaled_inputs",
    "warning",
    __doc__,
    check,
    needs=("feature_mean", "feature_std", "scaler_shift", "scaler_scale", "train_loss"),
    thresholds=[
        Threshold(
            "spread",
            100.0,
            "largest deviation over that of the faintest tenth",
            low=1.0,
            origin="choice: two orders of magnitude",
        ),
        Threshold(
            "offset",
            10.0,
            "typical |mean| in deviations",
            low=0.0,
            origin="choice: an order of magnitude",
        ),
        Threshold(
            "size",
            30.0,
            "largest root mean square of a feature",
            low=0.0,
            origin="choice: weights that suit inputs of size 1 are 30 times too large",
        ),
    ],
    brings_about="W003 A001 A002 A004 G002 G003 G004 L005 L001 L004 W006 B001 L010",
)
