"""The penalty weighs more than the data.

What it looks for: penalty terms larger than the data loss over the last part of training, or at the start and then hardly any weights left; or a
training loss with dropout far above the one without; in a run that did not learn.

Why it hurts: the optimizer minimises what is larger. Weights are pulled to zero faster than the data can pull them away, and the training error stays
up.

How it is measured: the median of penalty over that of batch_loss in the last quarter of the recorded steps; and both in the first recorded step, where
the penalty then fell to less than a tenth. For dropout, the batch loss (with) over the evaluated training loss (without) at the end.

When it stays silent: a run that learned well is not accused; below a hundred updates or ten passes it is not evaluated. Without penalty and dropout it passes.

What to try: a penalty ten times smaller, less dropout, or neither, until the training error is low.

References: Goodfellow et al. 2016, §7.1; Srivastava et al. 2014, Dropout; Humbatova et al. 2021, DeepCrime (mutants of the regularization).
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding, Outcome, Passed, fired
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register

FALLEN = 0.1  # of its first value: what a penalty is then has no weights left to weigh


def check(evidence: Evidence, settings: Settings) -> Outcome:
    penalty, loss = evidence.scalar("penalty"), evidence.scalar("batch_loss")
    learned = evidence.require_time()
    if learned.well:
        return Passed()
    quarter = slice(-max(len(loss) // 4, 1), None)
    pulled, data = float(np.median(penalty[quarter])), float(np.median(loss[quarter]))
    cure = remedies(evidence, "no_penalty")
    if data > 0 and pulled > float(settings["share"]) * data:
        evident = f"in the last quarter the penalty has a median of {pulled:.3g}, {pulled / data:.3g} times that of the data loss, {data:.3g}"
        return fired(Finding(pulled / data, float(settings["share"]), evident, steps=evidence.second_half, remedies=cure))
    first, start = float(penalty[0]), float(loss[0])
    if start > 0 and first > float(settings["share"]) * start and pulled < FALLEN * first:
        evident = (
            f"at first the penalty was {first:.3g}, {first / start:.3g} times the data loss; by the last quarter it had pulled the weights down to {pulled:.3g}"
        )
        return fired(Finding(first / start, float(settings["share"]), evident, steps=evidence.span, remedies=cure))
    evaluated = float(learned.loss[-1])
    if evidence.drops and evaluated > 0 and data > float(settings["dropped"]) * evaluated:
        evident = f"with dropout the loss of the last quarter is {data:.3g}, {data / evaluated:.3g} times that without, {evaluated:.3g}"
        return fired(Finding(data / evaluated, float(settings["dropped"]), evident, steps=evidence.second_half, remedies=cure))
    return Passed()


register(
    "B004",
    "regularization_dominates",
    "warning",
    __doc__,
    check,
    needs=("penalty", "batch_loss", "train_loss"),
    thresholds=[
        Threshold("share", 1.0, "penalty over data loss", low=0.0, origin="definition: it weighs more"),
        Threshold("dropped", 2.0, "loss with dropout over loss without", low=1.0, origin="choice: dropout of .5 costs less than that where it helps"),
    ],
    brings_about="A001 A003 A004 G001 G002 G005 L001 L002 L004 B001",
)
