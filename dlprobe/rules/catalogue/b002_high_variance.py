"""The net does far worse on new samples than on its own (the textbook reading of high variance).

What it looks for: a validation error far above the training error at the end of training.

Why it hurts: the net has learned its samples, noise included, more than what they have in common.
The training error says nothing of how it will do.

How it is measured: E_val − E_train in percentage points, or R² lost, in points. As in the
textbook's table, it counts where it is above 1.5 points and at least half of the gap from the
reference to E_train: then it is an info, which is normal on small data. A warning needs the higher
threshold and twice the gap's standard error, from the number of validation samples.

When it stays silent: without a validation part it is not evaluated; below a hundred updates or ten
passes only where the training part is learned already. A training R² below .05 leaves nothing to
lose. Where R² on new samples is negative, which is worse than naming the mean, half of the
threshold is enough.

What to try: what dlprobe bias-variance RUN names as the one direction; if that is more data, more
data; a smaller net; a penalty or dropout; early stopping.

References: Ng 2018, Machine Learning Yearning, chapters 20-27; Zhang et al. 2017, Understanding
    deep learning requires rethinking generalization.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from dlprobe.analysis.learning.learned import WELL, Learning
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.one_direction import going
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.suspects import DEEP

SHARE = 0.5
TURNED = 1.1  # last validation loss over the smallest one, as B003 has it


def check(evidence: Evidence, settings: Settings) -> Outcome:
    learned = evidence.learning
    if learned.brief and learned.reached < WELL:
        evidence.require_time()
    gap, spread = generalisation_gap(evidence, learned)
    classes = learned.task != "regression"
    limit = float(settings["high" if classes else "high_r2"])
    # worse than the mean on new samples: half of the gap is enough
    if not classes and learned.val_skill[-1] < 0:
        limit *= 0.5
    high = gap >= limit and not gap <= 2.0 * spread
    textbook = gap > settings["points"] and (
        not classes or gap >= SHARE * 100.0 * float(learned.error[-1])
    )
    if not (high or textbook):
        return Passed()
    what = ("train_error", "val_error") if classes else ("1 − train_r2", "1 − val_r2")
    evident = f"at the end {what[1]} is {gap:.1f} points above {what[0]}" + (
        f" (standard error {spread:.1f} points)" if spread > 0 else ""
    )
    limit = limit if high else settings["points"]
    turned = not np.isnan(learned.val_loss).all() and learned.val_rise > TURNED
    names = ("dropout", "weight_penalty", "early_stopping", "smaller_net")
    first = [
        *(["shallower"] if len(evidence.hidden) > DEEP else []),
        *([] if classes else ["weight_penalty"]),
        *(["early_stopping"] if turned else []),
    ]
    cure = remedies(evidence, *first, *names)
    severity: Literal["warning", "info"] = "warning" if high else "info"
    toward = going(evidence, "more data or regularization", cure, severity)
    return one_finding(
        gap, limit, evident, steps=(int(learned.steps[-1]),), remedies=toward, severity=severity
    )


def generalisation_gap(evidence: Evidence, learned: Learning) -> tuple[float, float]:
    """E_val − E_train in points, and its standard error from the validation samples (NaN where
    it is not known).
    """
    if learned.task == "regression":
        train, val = float(learned.skill[-1]), float(learned.val_skill[-1])
        if not (math.isfinite(train) and math.isfinite(val)):
            raise NotEvaluableError("no validation part, or R² was not evaluated")
        if train < 0.05:
            raise NotEvaluableError(
                f"R² on the training part is {train:.3g}: there is nothing to lose"
            )
        return 100.0 * (train - val), 100.0 * _spread_of_r2(evidence)
    error, val_error = float(learned.error[-1]), float(learned.val_error[-1])
    samples = len(np.asarray(evidence.run.data.get("val_indices", ())))
    if not math.isfinite(val_error) or not math.isfinite(error):
        raise NotEvaluableError("no validation part, or errors were not evaluated")
    spread = math.sqrt(max(val_error * (1.0 - val_error), 0.0) / samples) if samples else math.nan
    return 100.0 * (val_error - error), 100.0 * spread


def _spread_of_r2(evidence: Evidence) -> float:
    """The standard error of the validation part's 1 − R²: that of its mean squared residual,
    over the variance of its targets.
    """
    outputs, targets = (
        evidence.run.predictions.get(f"val_{what}") for what in ("outputs", "targets")
    )
    if outputs is None or targets is None or len(outputs) < 2:
        return math.nan
    wanted = np.asarray(targets, np.float64).reshape(len(outputs), -1)
    variance = np.square(wanted - wanted.mean(axis=0)).mean(axis=0)
    with np.errstate(all="ignore"):
        scaled = (np.square(np.asarray(outputs, np.float64) - wanted) / variance).mean(axis=1)
    return float(scaled.std(ddof=1) / math.sqrt(len(scaled)))


register(
    "B002",
    "high_variance",
    "info",
    __doc__,
    check,
    needs=("train_error", "val_error", "val_indices"),
    thresholds=[
        Threshold(
            "points",
            1.5,
            "gap that counts as high variance",
            low=0.0,
            origin="fitted to the six rows of the textbook's table",
        ),
        Threshold(
            "high",
            10.0,
            "gap in points of error from which it is a warning",
            low=0.0,
            origin="choice: one sample in ten",
        ),
        Threshold(
            "high_r2",
            30.0,
            "the same in points of R²",
            low=0.0,
            origin="choice: R² of small samples scatters more",
        ),
    ],
    brings_about="B003",
)
