"""Training went on after the validation loss had its best.

What it looks for: a validation loss that ends well above its smallest value while the training loss
went on falling.

Why it hurts: from there on the net learned its own samples only. The parameters that were kept are
not the best that it had.

How it is measured: the last val_loss over the smallest one, and train_loss at the end below that at
the same evaluation. Severity info; a warning where the validation error too has risen from its best
by the second threshold. The evidence says when training should have ended.

When it stays silent: without validation part, or with fewer than five evaluations, it is not
evaluated; below a hundred updates or ten passes neither.

What to try: early stopping; a penalty or dropout; fewer epochs.

References: Prechelt 1998, Early stopping, but when?; Guo et al. 2017, On calibration of modern
    neural networks, which shows the loss rising while the error stays.
"""

from __future__ import annotations

import numpy as np

from dlprobe.registry import counted
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register

EVALUATIONS = 5


def check(evidence: Evidence, settings: Settings) -> Outcome:
    evidence.require_evaluations()
    learned = evidence.require_time()
    if np.isnan(learned.val_loss).all():
        raise NotEvaluableError("no validation part")
    if len(learned.steps) < EVALUATIONS:
        raise NotEvaluableError(
            f"too few evaluations: {len(learned.steps)}, {EVALUATIONS} are needed"
        )
    best = learned.best_val
    lowest, last = float(learned.val_loss[best]), float(learned.val_loss[-1])
    if not last > settings["rise"] * lowest or not learned.loss[-1] < learned.loss[best]:
        return Passed()
    lost = 100.0 * float(np.nanmax(learned.val_skill) - learned.val_skill[-1])
    severity = "warning" if lost >= settings["lost"] else "info"
    evident = (
        f"val_loss was smallest, {lowest:.4g}, after {counted(learned.steps[best], 'update')} and "
        f"ends at {last:.4g}; val skill lost {lost:.1f} points"
    )
    cure = remedies(evidence, "early_stopping", "dropout", "weight_penalty")
    steps = (int(learned.steps[best]), int(learned.steps[-1]))
    return one_finding(
        learned.val_rise, settings["rise"], evident, steps=steps, remedies=cure, severity=severity
    )


register(
    "B003",
    "overtraining",
    "info",
    __doc__,
    check,
    needs=("train_loss", "val_loss", "val_error"),
    thresholds=[
        Threshold(
            "rise",
            1.1,
            "last validation loss over the smallest one",
            low=1.0,
            origin="choice: a tenth, above the noise between evaluations",
        ),
        Threshold(
            "lost",
            15.0,
            "points of skill lost from which it is a warning",
            low=0.0,
            origin="choice: a seventh of what there was to learn",
        ),
    ],
    brings_about="L007 L009",
)
