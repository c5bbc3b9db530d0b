"""The learning rate is beyond what the curvature allows.

What it looks for: a learning rate whose product with the largest eigenvalue of the Hessian
(sharpness) stays above 2 by the given factor.

Why it hurts: along that direction every step of gradient descent lands further away than it
started. Training at the edge (a product near 2) is usual and harmless; well beyond it the loss
jumps.

How it is measured: sharpness at the histogram cadence times learning_rate of the same step; the
median over the second half. For momentum μ the limit is 2·(1 + μ), which is taken into account;
adaptive optimizers have another one, so their runs are not evaluated.

When it stays silent: a run that learned well is not accused; without sharpness (give --sharpness N)
it is not evaluated.

What to try: a smaller learning rate; warming up; larger batches do not help here.

References: Cohen, Kaur, Li, Kolter & Talwalkar 2021, Gradient descent on neural networks typically
    occurs at the edge of stability; LeCun et al.
1998.
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register


def check(evidence: Evidence, settings: Settings) -> Outcome:
    steps, sharpness = evidence.instrument("sharpness")
    momentum = _momentum(evidence)
    rates = evidence.scalar("learning_rate")[
        np.clip(np.searchsorted(evidence.steps, steps), 0, len(evidence.steps) - 1)
    ]
    product = rates * sharpness / (1.0 + momentum)
    late = product[len(product) // 2 :]
    late = late[np.isfinite(late)]
    limit = 2.0 * settings["factor"]
    if not len(late):
        raise NotEvaluableError("sharpness is not finite in the second half of training")
    level = float(np.median(late))
    if evidence.well or level <= limit:
        return Passed()
    evident = (
        f"learning_rate × sharpness{'/(1 + momentum)' if momentum else ''} has a median of "
        f"{level:.3g} in the second half; the limit is 2"
    )
    return one_finding(
        level,
        limit,
        evident,
        steps=evidence.second_half,
        remedies=remedies(evidence, "lower_rate", "clip"),
    )


def _momentum(evidence: Evidence) -> float:
    optimizer = str(evidence.fact("optimizer")).partition("(")[0]
    if optimizer not in ("sgd", "momentum", "nesterov"):
        raise NotEvaluableError(
            f"the limit 2/rate is that of gradient descent, the optimizer is {optimizer}"
        )
    return float(evidence.fact("momentum"))


register(
    "W006",
    "edge_of_stability",
    "warning",
    __doc__,
    check,
    needs=("sharpness", "learning_rate", "train_loss"),
    thresholds=[
        Threshold(
            "factor",
            1.5,
            "how far beyond the limit of 2",
            low=1.0,
            origin="choice: hovering just above 2 is no fault",
        )
    ],
    brings_about="L003 G004 L002",
)
