"""Weights grow and the loss has nothing of it.

What it looks for: a layer whose weight norm in the second half of training grows by more than the
given factor while the training loss does not fall.

Why it hurts: larger weights mean sharper slopes or saturation, smaller relative steps and worse
generalisation, and here nothing is bought with them.

How it is measured: weight_l2 at the last row over that at the middle one, per layer; the training
loss of the last evaluation against that in the middle.

When it stays silent: a run that learned well is not accused: with cross-entropy the weights of a
net that separates its classes grow for ever, and the loss falls as they do.

What to try: weight decay or an L2 penalty; a smaller learning rate; normalization.

References: Krogh & Hertz 1992, A simple weight decay can improve generalization; Soudry et al.
    2018, The implicit bias of gradient descent.
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register


def check(evidence: Evidence, settings: Settings) -> Outcome:
    learned, middle = evidence.require_time(), len(evidence.steps) // 2
    with np.errstate(all="ignore"):
        growth = evidence.row("weight_l2", -1) / evidence.row("weight_l2", middle)
    if np.isnan(growth).all():
        raise NotEvaluableError("weight_l2 was not recorded")
    if len(learned.steps) < 3:
        raise NotEvaluableError(f"fewer than three {learned.moments_name}")
    before = float(learned.loss[int(np.searchsorted(learned.steps, evidence.steps[middle]))])
    worst = int(np.nanargmax(growth))
    if learned.well or learned.loss[-1] < 0.99 * before or not growth[worst] > settings["growth"]:
        return Passed()
    evident = (
        f"weight_l2 of {evidence.names[worst]} grew {growth[worst]:.3g} times in the second half "
        f"of training, {learned.loss_name} went from {before:.4g} to {learned.loss[-1]:.4g}"
    )
    cure = remedies(evidence, "lower_rate", "weight_penalty", "batch_norm")
    return one_finding(
        float(growth[worst]),
        settings["growth"],
        evident,
        (evidence.names[worst],),
        evidence.second_half,
        cure,
    )


register(
    "W005",
    "weight_growth",
    "warning",
    __doc__,
    check,
    needs=("weight_l2", "train_loss"),
    thresholds=[
        Threshold(
            "growth",
            1.5,
            "growth of the norm in the second half",
            low=1.0,
            origin="choice: half as much again",
        )
    ],
)
