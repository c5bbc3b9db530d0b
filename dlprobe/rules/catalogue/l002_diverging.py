"""The loss ends far above where it has been.

What it looks for: a training loss that ends, or batch losses that rise, far above the start, or far
above the smallest loss reached; a run that ended non-finite.

Why it hurts: every step makes things worse, and the longer it trains the worse the net.

How it is measured: the largest train_loss of any evaluation and the median batch_loss of any tenth
of the steps, over the first evaluation's loss; and the last train_loss over the smallest one, where
it also lies above half of the first. The status diverged fires by itself.

When it stays silent: a run that learned well is not accused, whatever happened on the way; the loss
of the validation part is B003's.

What to try: a smaller learning rate, or Adam at its usual one; clipping the global norm; scaled
inputs and targets; an initializer that keeps the variance.

References: Goodfellow et al. 2016, §8.2.4 (cliffs); Wardat et al. 2021; Smith 2017, Cyclical
    learning rates (the range test).
"""

from __future__ import annotations

import math

import numpy as np

from dlprobe.registry import counted
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.suspects import calming


def check(evidence: Evidence, settings: Settings) -> Outcome:
    cure = remedies(evidence, *calming(evidence), "usual_optimizer", "clip")
    if evidence.run.status == "diverged":
        step = int(evidence.steps[-1])
        return one_finding(
            math.inf,
            settings["rise"],
            f"the run ended at step {step} with numbers that are not finite",
            steps=(step,),
            remedies=cure,
        )
    learned = evidence.learning
    if learned.well:
        return Passed()
    first = float(learned.loss[0])
    batches = (
        evidence.scalar("batch_loss") if evidence.run.is_recorded("batch_loss") else np.empty(0)
    )
    tenths = [float(np.median(part)) for part in np.array_split(batches, 10) if len(part)]
    losses = learned.loss
    # what rose in the first steps and came down again is L010's
    if tenths and learned.something() and learned.loss[-1] < first:
        tenths, losses = tenths[1:], losses[learned.steps > learned.updates / 10]
    highest = max([float(np.nanmax(losses)) if len(losses) else 0.0, *tenths])
    if highest > settings["rise"] * first > 0:
        evident = (
            f"the loss rose to {highest:.4g} (evaluated, or median of a tenth of the steps), "
            f"{highest / first:.3g} times its first {first:.4g}"
        )
        return one_finding(
            highest / first, settings["rise"], evident, steps=evidence.span, remedies=cure
        )
    lowest, last = float(np.nanmin(learned.loss)), float(learned.loss[-1])
    if lowest > 0 and last > settings["rebound"] * lowest and last > 0.5 * first:
        at = int(learned.steps[int(np.nanargmin(learned.loss))])
        evident = (
            f"{learned.loss_name} ends at {last:.4g}, {last / lowest:.3g} times its smallest "
            f"value {lowest:.4g} after {counted(at, 'update')}"
        )
        return one_finding(
            last / lowest,
            settings["rebound"],
            evident,
            steps=(at, int(learned.steps[-1])),
            remedies=cure,
        )
    return Passed()


register(
    "L002",
    "diverging",
    "error",
    __doc__,
    check,
    needs=("train_loss", "batch_loss", "status"),
    thresholds=[
        Threshold(
            "rise",
            2.0,
            "loss over the loss at the start",
            low=1.0,
            origin="choice: twice as bad as untrained",
        ),
        Threshold(
            "rebound",
            3.0,
            "loss at the end over the smallest one",
            low=1.0,
            origin="choice: clearly beyond the noise between evaluations",
        ),
    ],
    brings_about="A001 W005 N001 L001 L003 B001 L009",
)
