"""The loss rose far above its start in the first steps, then recovered.

What it looks for: a batch loss that in the first tenth of training goes far above the first one, in
a run whose loss came down again.

Why it hurts: the first steps threw the weights to a place that is worse than a random one. It may
cost units, which die there, and the same configuration with another seed may not come back.

How it is measured: the largest batch_loss of the first tenth of the recorded steps (a hundred of
them at most, ten at least) over the larger one of the first batch loss and the first evaluation;
and the last evaluation below the start. Info for a run that learned something in
the end, else a warning.

When it stays silent: a run that ended with numbers that are not finite, or whose loss stayed up, is
L002's.

What to try: a smaller learning rate; warming up; standardized inputs and targets.

References: Goyal et al. 2017, Accurate, large minibatch SGD (warm-up); Lewkowycz et al. 2020, The
large learning rate phase of deep learning: the catapult mechanism.
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.scale import off_scale

FEWEST, MOST = 10, 100


def check(evidence: Evidence, settings: Settings) -> Outcome:
    loss, learned = evidence.scalar("batch_loss"), evidence.learning
    if len(loss) < FEWEST:
        raise NotEvaluableError(f"too few steps: {len(loss)} were recorded, {FEWEST} are needed")
    early = loss[: min(max(len(loss) // 10, FEWEST), MOST)]
    start = max(
        float(loss[0]),
        float(learned.loss[0]) if learned.evaluated and learned.steps[0] == 0 else 0.0,
    )
    if (
        evidence.run.status == "diverged"
        or not np.isfinite(early).all()
        or not start > 0.0
        or not learned.loss[-1] < start
    ):
        return Passed()
    row = int(np.argmax(early))
    times = float(early[row]) / start
    if times <= settings["rise"]:
        return Passed()
    rate = (
        f" at a rate of {evidence.scalar('learning_rate')[row]:g}"
        if evidence.run.is_recorded("learning_rate")
        else ""
    )
    step = int(evidence.steps[row])
    evident = (
        f"batch_loss rose to {early[row]:.3g} at step {step}{rate}, {times:.3g} times its start "
        f"of {start:.3g}, and ends at {learned.loss[-1]:.3g}"
    )
    severity = "info" if evidence.spared or learned.something() else "warning"
    cure = remedies(evidence, *off_scale(evidence), "warmup", "lower_rate")
    return one_finding(
        times, settings["rise"], evident, steps=(step,), remedies=cure, severity=severity
    )


register(
    "L010",
    "early_instability",
    "info",
    __doc__,
    check,
    needs=("batch_loss", "train_loss", "learning_rate"),
    thresholds=[
        Threshold(
            "rise",
            5.0,
            "largest early loss over the one at the start",
            low=1.0,
            origin="choice: batches of 32 differ by less than a factor of 3",
        )
    ],
    brings_about="A001 L002 L009",
)
