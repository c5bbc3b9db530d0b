"""Features that never change.

What it looks for: features that have the same value in every training sample.

Why it hurts: they carry nothing, cost weights, and may change in use: then they are numbers that no
weight was trained for. Standardizing sets them to 0.

How it is measured: feature_std of the raw training part equal to 0.

When it stays silent: every feature varies. Severity info always: the corner pixels of digits are
constant and do no harm.

What to try: leave the columns out, or find out why they do not change; a constant column is often a
failed join or a default.

References: Breck et al. 2019, Data validation for machine learning; Hynes, Sculley & Terry 2017,
    The data linter.
"""

from __future__ import annotations

import numpy as np

from dlprobe.registry import first_of
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.rule import Settings, Threshold, register

NAMED = 5  # features


def check(evidence: Evidence, settings: Settings) -> Outcome:
    if "feature_std" not in evidence.run.data:
        raise NotEvaluableError("feature_std is not in the file")
    deviation = np.asarray(evidence.run.data["feature_std"], np.float64)
    constant = int((deviation == 0.0).sum())
    if constant <= int(settings["count"]):
        return Passed()
    still = first_of(
        [evidence.feature_name(k) for k in np.flatnonzero(deviation == 0.0).tolist()], NAMED
    )
    evident = (
        f"{constant} of {len(deviation)} features have a standard deviation of 0 in the training "
        f"part: {still}"
    )
    return one_finding(float(constant), float(settings["count"]), evident)


register(
    "D004",
    "constant_features",
    "info",
    __doc__,
    check,
    needs=("feature_std",),
    thresholds=[
        Threshold(
            "count",
            0,
            "constant features that are all right",
            low=0,
            origin="definition: none carries anything",
        )
    ],
)
