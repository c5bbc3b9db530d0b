"""Gradients fall below what the precision holds.

What it looks for: layers in which a large share of the back-propagated gradient is exactly zero, or
subnormal, though what comes back from the layer above is not.

Why it hurts: what has become zero has lost its sign. Layers below get nothing however the optimizer
scales, and subnormal numbers are computed many times more slowly.

How it is measured: underflow_count (zeros and subnormals of dL/da in rows whose next layer's error
signal is not zero) over batch × units, without the share that dropout drops, per layer: the median
of nine rows from the first to the last.

When it stays silent: a run that learned well is not accused. ReLU's zeros do not count, because
dL/da is taken before the slope. The output layer has no such count.

What to try: the remedies of a vanishing gradient (G001); float64 moves the limit from 1e-38 to
1e-308 and hides the cause.

References: IEEE 754-2019; Micikevicius et al. 2018, Mixed precision training, §3.2 (loss scaling);
    Goldberg 1991.
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register


def check(evidence: Evidence, settings: Settings) -> Outcome:
    hidden = evidence.require_hidden()
    # (moment, layer)
    counts = np.stack([evidence.row("underflow_count", row) for row in evidence.moments])[:, hidden]
    if np.isnan(counts).all():
        raise NotEvaluableError("underflow_count was not recorded")
    if evidence.well:
        return Passed()
    units = np.array([float(evidence.layer_fact("units", index)) for index in hidden])
    share = np.median(np.nan_to_num(counts), axis=0) / (units * evidence.fact("batch_size"))
    share -= evidence.facts.dropout or 0.0  # what is dropped gets nothing by intention
    worst = int(np.argmax(share))
    if share[worst] <= settings["share"]:
        return Passed()
    layers = tuple(
        evidence.names[hidden[index]] for index in np.flatnonzero(share > settings["share"])
    )
    evident = (
        f"in {evidence.names[hidden[worst]]} typically {share[worst]:.0%} of dL/da is zero or "
        "subnormal while the layer above still has an error signal"
    )
    cure = remedies(evidence, "relu", "batch_norm", "shallower", "double")
    return one_finding(float(share[worst]), settings["share"], evident, layers, evidence.span, cure)


register(
    "N002",
    "underflow",
    "warning",
    __doc__,
    check,
    needs=("underflow_count", "units", "train_loss"),
    thresholds=[
        Threshold(
            "share",
            0.1,
            "share of the elements that underflow",
            low=0.0,
            high=1.0,
            origin="choice: one element in ten",
        )
    ],
    brings_about="G005 W004",
)
