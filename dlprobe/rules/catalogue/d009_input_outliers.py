"""A few far values set the scale of an input.

What it looks for: features of which half of the samples lie within a small part of a standard
deviation.

Why it hurts: what scaling divides by is the deviation, and a single value of a million makes it so
large that all others become the same number: the net cannot tell them apart. Stand-ins for missing
values, such as -999 or 9999, do the same.

How it is measured: the interquartile range of each feature of the training part as the net gets it,
of at most 400 samples, over its standard deviation. It is 1.35 of a normal feature, .27 of a
lognormal one of σ = 1.5. Features most of whose values are one and the same are left out.

When it stays silent: a run that learned well, or was too short to tell, gets an info, and so does
one of whose features fewer than a tenth are squeezed so.

What to try: look at the column with `dlprobe data`, and mend or leave out the rows whose values are
mistakes; empty cells in place of stand-ins, which `--missing median` fills; the logarithm of what
spans powers of ten.

References: Hampel et al. 1986, Robust statistics; LeCun et al. 1998, Efficient backprop, §4.3
    (inputs of unit variance).
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.scale import TENTH, scaled_inputs


def check(evidence: Evidence, settings: Settings) -> Outcome:
    data = evidence.run.data
    if "feature_spread" not in data:
        raise NotEvaluableError("feature_spread is not in the file")
    _, deviation = scaled_inputs(evidence)
    spread = np.asarray(data["feature_spread"], np.float64)
    told = (spread > 0) & (deviation > 0)
    ratio = np.divide(spread, deviation, out=np.full_like(spread, np.inf), where=told)
    squeezed = ratio < settings["spread"]
    if not squeezed.any():
        return Passed()
    worst = int(ratio.argmin())
    name, far = evidence.feature_name(worst), _farthest(evidence, worst)
    evident = (
        f"{name} reaches {far:.6g} while its middle half spans {ratio[worst]:.2g} of its standard "
        "deviations (normal values: 1.35), as with mistakes or stand-ins for missing values"
    )
    if squeezed.sum() > 1:
        evident += f"; so it is with {squeezed.sum()} of {len(squeezed)} features"
    few = squeezed.sum() < TENTH * len(squeezed)
    severity = "info" if evidence.spared or few else ""
    return one_finding(float(ratio[worst]), settings["spread"], evident, severity=severity)


def _farthest(evidence: Evidence, index: int) -> float:
    """The value of a feature, as it was before scaling, that is farthest from the mean."""
    low, high, mean = (
        float(evidence.run.data[f"feature_{what}"][index]) for what in ("min", "max", "mean")
    )
    return high if high - mean > mean - low else low


register(
    "D009",
    "input_outliers",
    "warning",
    __doc__,
    check,
    needs=("feature_spread", "feature_std", "feature_max"),
    thresholds=[
        Threshold(
            "spread",
            0.1,
            "interquartile range in standard deviations",
            low=0.0,
            origin="choice: a tenth; 1.35 of a normal feature",
        )
    ],
    brings_about="L001 L004 B001 B002 B005",
)
