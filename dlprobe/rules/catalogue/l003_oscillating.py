"""The loss jumps up and down and gets nowhere.

What it looks for: training losses of successive evaluations that rise and fall by a large share of
themselves, without net gain, in a run that did not learn.

Why it hurts: steps are too long for the valley, or too noisy: each undoes the last one.

How it is measured: over the evaluations of the second half: the mean |change| of train_loss from
one to the next over its mean; of the changes, at least a quarter must go up; and the loss must not
have fallen by more than that mean change from the first to the second half of them.

When it stays silent: a run that learned well is not accused, however its loss jumps; fewer than
eight evaluations are not evaluated.

What to try: a smaller learning rate; a larger batch; a schedule that lowers the rate towards the
end.

References: Zhang et al. 2021, AutoTrainer (oscillating loss); Bottou, Curtis & Nocedal 2018,
    Optimization methods for large-scale machine learning, §4.
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.suspects import calming

EVALUATIONS = 8
RISING = 0.25


def check(evidence: Evidence, settings: Settings) -> Outcome:
    learned = evidence.require_time()
    late = learned.late
    if len(learned.loss) < EVALUATIONS:
        raise NotEvaluableError(
            f"too few {learned.moments_name}: {len(learned.loss)}, {EVALUATIONS} are needed"
        )
    if learned.well or len(late) < EVALUATIONS // 2:
        return Passed()
    swing, rising = learned.swing
    half = len(late) // 2
    gain = float(late[:half].mean() - late[half:].mean())
    if swing <= settings["swing"] or rising < RISING or gain > float(np.abs(np.diff(late)).mean()):
        return Passed()
    what = f"from one {learned.moment_name} to the next {learned.loss_name}"
    evident = (
        f"{what} changes by {swing:.0%} of itself on average in the second half, {rising:.0%} of "
        "the changes upwards"
    )
    cure = remedies(evidence, *calming(evidence), "larger_batch")
    return one_finding(swing, settings["swing"], evident, steps=evidence.second_half, remedies=cure)


register(
    "L003",
    "oscillating",
    "warning",
    __doc__,
    check,
    needs=("train_loss",),
    thresholds=[
        Threshold(
            "swing",
            0.15,
            "mean change between evaluations over the loss",
            low=0.0,
            origin="choice: settled runs change by a few percent",
        )
    ],
    brings_about="L001 B001 L009",
)
