"""The first loss is far from that of a net that knows nothing.

What it looks for: a training loss before the first update that is many times what a constant answer
would have.

Why it hurts: a net that starts confident and wrong spends its first steps, which are its largest,
on forgetting. A loss in the thousands usually means targets that nobody scaled, or initial weights
far too large.

How it is measured: for classes with cross-entropy, ln C of C classes; for regression, 1 − R² of the
first evaluation, which is the error in units of the targets' variance. Severity info; a warning
where the run had a hundred updates or ten passes and did not come half of the way from chance to
perfect.

When it stays silent: other losses have no such value, so they are not evaluated; a run that learned
well gets nothing.

What to try: standardized targets; smaller initial weights, at least in the output layer; the output
bias set to the mean of the targets.

References: Karpathy 2019, A recipe for training neural networks ("verify loss @ init"); Goodfellow
et al. 2016, §8.4.
"""

from __future__ import annotations

import math

from dlprobe.analysis.learning.learned import SOMETHING, Learning
from dlprobe.registry import counted
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.scale import off_scale


def check(evidence: Evidence, settings: Settings) -> Outcome:
    learned = evidence.require_evaluations()
    if learned.steps[0] != 0:
        raise NotEvaluableError(
            f"the first evaluation is after {counted(learned.steps[0], 'update')}, one before "
            "the first update is needed"
        )
    off, told = _off(evidence, learned)
    if learned.well or off <= settings["factor"]:
        return Passed()
    severity = (
        "info"
        if learned.brief or (learned.reached >= SOMETHING and not learned.overconfident > 1.0)
        else "warning"
    )
    cure = remedies(evidence, *off_scale(evidence), "init")
    return one_finding(
        off,
        settings["factor"],
        told,
        steps=(int(learned.steps[0]),),
        remedies=cure,
        severity=severity,
    )


def _off(evidence: Evidence, learned: Learning) -> tuple[float, str]:
    """How many times too large the first loss is, in words too."""
    if learned.task == "regression":
        if not math.isfinite(learned.skill[0]):
            raise NotEvaluableError("train_r2 was not evaluated before the first update")
        off = 1.0 - float(learned.skill[0])
        return (
            off,
            (
                f"before the first update the squared error is {off:.3g} times the variance of "
                "the targets"
            ),
        )
    loss, first, chance = _loss(evidence), float(learned.loss[0]), _uniform(evidence)
    if "cross_entropy" not in loss:
        raise NotEvaluableError(f"the loss {loss or 'in the file'} has no known chance value")
    return (
        first / chance,
        (
            f"train_loss before the first update is {first:.4g}, {first / chance:.3g} times that "
            f"of giving every class the same, {chance:.4g}"
        ),
    )


def _loss(evidence: Evidence) -> str:
    loss = str(evidence.fact("loss"))
    return "cross_entropy" if loss == "auto" else loss.partition("(")[0]


def _uniform(evidence: Evidence) -> float:
    """The loss of a net that gives every class the same, ln C; rare classes make that no
    smaller before anything is learned.
    """
    counts = evidence.class_counts
    classes = int((counts > 0).sum())
    if classes < 2:
        raise NotEvaluableError("the class counts are not in the file")
    return math.log(classes)


register(
    "L005",
    "initial_loss_off",
    "info",
    __doc__,
    check,
    needs=("train_loss", "train_class_counts", "train_r2"),
    thresholds=[
        Threshold(
            "factor",
            5.0,
            "first loss over that of a constant answer",
            low=1.0,
            origin="choice: He weights give up to twice ln C",
        )
    ],
    brings_about="L004 L001 G004 B001 L007",
)
