"""The net does not even fit its training part (the textbook reading of high bias).

What it looks for: a training error far above the reference error (what a human, or the best known
model, makes), at the end of training.

Why it hurts: no amount of data, penalty or early stopping helps a net that cannot express, or did
not find, what is in its own training samples.

How it is measured: E_train − E_reference in percentage points of wrong classes, at the end; where
the validation error is the smaller one, that: noise in the training labels is no bias. For
regression 1 − R²/ceiling in points, the ceiling being what known noise leaves, or what kernel ridge
regression reaches on new samples. Above the first threshold it is an info, the textbook's verdict,
which is normal on small data. A warning needs 10 points, and either 70 % of the chance error,
because classes may overlap and nobody said what the best error is, or 10 points above the error of
kernel ridge regression on new samples. The reference is 0 unless it is set; error that rows which
repeat, or replaced labels, leave to everybody is taken off.

When it stays silent: a run that learned well gets an info at most; below a hundred updates or ten
passes; a regression whose noise is not known is not evaluated where no other method was laid beside
it, because nobody can say what error is left over; nor are files without training errors.

What to try: what dlprobe bias-variance RUN names as the one direction; if that is more capacity,
more units or layers; training for longer, or faster; less penalty and dropout; and first what the
other findings say.

References: Ng 2018, Machine Learning Yearning, chapters 20-27; Geman, Bienenstock & Doursat 1992,
Neural networks and the bias/variance dilemma.
"""

from __future__ import annotations

import math
from typing import Literal

from dlprobe.analysis.learning.learned import NOTHING, Learning
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.one_direction import going
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.suspects import fitting


def check(evidence: Evidence, settings: Settings) -> Outcome:
    evidence.require_evaluations()
    learned = evidence.require_time()
    gap = training_gap(
        learned, settings["reference"], evidence.run.data.get("noise_variance") is not None
    )
    if gap <= settings["points"]:
        return Passed()
    limit = "high_r2" if learned.task == "regression" else "high"
    behind = 100.0 * (float(learned.error[-1]) - learned.plain_error)
    far = learned.task == "regression" or 1.0 - learned.reached >= settings["left"]
    high = gap >= float(settings[limit]) and not evidence.well
    high = high and (far or behind >= float(settings[limit]))
    what = (
        "1 − R²/ceiling"
        if learned.task == "regression"
        else "train_error (val_error where that is smaller)"
    )
    reference = settings["reference"]
    against = (
        f"{gap:.1f} above the reference of {reference:g}"
        if reference
        else "an upper bound of the bias (no human error given)"
    )
    evident = f"{what} at the end is {gap + reference:.1f} points, {against}"
    if math.isfinite(learned.plain):
        evident += f"; kernel ridge regression has a skill of {learned.plain:.2f} on new samples"
    cure = remedies(evidence, *fitting(evidence))
    compared = float(settings[limit if high else "points"])
    severity: Literal["warning", "info"] = "warning" if high else "info"
    toward = going(evidence, "more capacity", cure, severity, reference)
    return one_finding(
        gap, compared, evident, steps=(int(learned.steps[-1]),), remedies=toward, severity=severity
    )


def training_gap(learned: Learning, reference: float, noise_known: bool) -> float:
    """E_train − `reference`, all in percentage points: of wrong answers, or for a regression of the
    unexplained share 1 − R². Errors that no net can avoid are taken off E_train first. Raises
    NotEvaluableError where an error is not known.
    """
    if learned.task == "regression":
        measured = learned.plain >= NOTHING
        if not (noise_known or learned.known or measured):
            raise NotEvaluableError(
                "regression whose noise is not known: nobody can say what error is left over"
            )
        ceiling = learned.plain if measured and not noise_known else learned.ceiling
        reached = learned.reached if learned.known else float(learned.skill[-1]) / ceiling
        return 100.0 * (1.0 - reached) - reference
    if not math.isfinite(float(learned.error[-1])):
        raise NotEvaluableError("train_error was not evaluated")
    new = float(learned.val_error[-1])
    error = float(learned.error[-1])
    # by rows that repeat, or labels that were replaced
    unreachable = (1.0 - learned.reachable) * learned.guessing if learned.reachable < 1.0 else 0.0
    return (
        100.0 * max((min(error, new) if math.isfinite(new) else error) - unreachable, 0.0)
        - reference
    )


register(
    "B001",
    "high_bias",
    "info",
    __doc__,
    check,
    needs=("train_error", "noise_variance"),
    thresholds=[
        Threshold(
            "reference",
            0.0,
            "error of a human or the best known model, in points",
            low=0.0,
            high=100.0,
            origin="textbook: 0 unless it is known",
        ),
        Threshold(
            "points",
            1.5,
            "gap that counts as high bias",
            low=0.0,
            origin="fitted to the six rows of the textbook's table",
        ),
        Threshold(
            "high",
            10.0,
            "gap in points of error from which it is a warning",
            low=0.0,
            origin="choice: one training sample in ten",
        ),
        Threshold(
            "left",
            0.7,
            "share of the chance error left",
            low=0.0,
            high=1.0,
            origin="choice: classes that overlap leave less",
        ),
        Threshold(
            "high_r2",
            25.0,
            "the same in points of R²",
            low=0.0,
            origin="choice: a quarter of what there is to explain",
        ),
    ],
)
