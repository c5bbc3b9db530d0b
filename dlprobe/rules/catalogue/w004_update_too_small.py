"""Nothing moved.

What it looks for: a run at whose end no layer's weights have moved by more than a small share of
their size, and which did not learn.

Why it hurts: the budget was spent on the spot. With a rate this small the same result costs a
thousand times as much.

How it is measured: weight_distance ‖W_t − W_0‖/‖W_0‖ of the last evaluation, of the layer that
moved most; without it, the sum of update_ratio over the steps, which can only be larger.

When it stays silent: a run that learned well is not accused; below a hundred updates or ten passes
it is not evaluated. Where one layer moved the rate is not the reason.

What to try: a learning rate ten times larger, or the optimizer's usual one; lr-find shows the
range; smaller initial weights, where they are so large that updates are small beside them; more
epochs where the loss does fall.

References: Karpathy 2015, CS231n notes; Humbatova, Jahangirova & Tonella 2021, DeepCrime (mutants
    of the learning rate).
"""

from __future__ import annotations

import numpy as np

from dlprobe.registry import counted
from dlprobe.rules.changes_of_training import clipped_to
from dlprobe.rules.evidence import Evidence, Floats
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register

CLIPPED = 0.1  # of the gradient's norm: what is left then is a step ten times smaller


def check(evidence: Evidence, settings: Settings) -> Outcome:
    moved = _moved(evidence)
    if np.isnan(moved).all():
        raise NotEvaluableError("neither weight_distance nor update_ratio was recorded")
    if evidence.require_time().well or evidence.run.status == "diverged":
        return Passed()
    furthest = int(np.nanargmax(moved))
    if moved[furthest] >= settings["distance"]:
        return Passed()
    evident = (
        f"the layer that moved most, {evidence.names[furthest]}, moved by {moved[furthest]:.2g} "
        f"of its norm in {counted(evidence.learning.updates, 'update')}"
    )
    clipped = ["no_clip"] if clipped_to(evidence) < CLIPPED else []
    cure = remedies(evidence, *clipped, "raise_rate", "usual_optimizer", "init", "longer")
    return one_finding(
        float(moved[furthest]),
        settings["distance"],
        evident,
        (evidence.names[furthest],),
        evidence.span,
        cure,
    )


def _moved(evidence: Evidence) -> Floats:
    """(layer,): how far the weights went, as a share of their first norm."""
    distances = evidence.run.evaluation_layers.get("weight_distance")
    if distances is not None and np.isfinite(distances[-1]).any():
        return np.asarray(distances[-1], np.float64)
    series = evidence.series("update_ratio")
    every = max(1, int(np.median(np.diff(evidence.steps)))) if len(evidence.steps) > 1 else 1
    return np.asarray(np.nansum(series.mean, axis=0) * series.rows * every, np.float64)


register(
    "W004",
    "update_too_small",
    "warning",
    __doc__,
    check,
    needs=("weight_distance", "update_ratio", "train_loss"),
    thresholds=[
        Threshold(
            "distance",
            0.03,
            "distance that the weights must have gone",
            low=0.0,
            origin="tuned on the detection benchmark",
        )
    ],
    brings_about="L001 L004 B001",
)
