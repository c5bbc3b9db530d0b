"""What had been learned was lost.

What it looks for: a run that at two evaluations or more was well better than guessing, and ends
with less than half of that.

Why it hurts: the parameters that are kept are not those that had learned. What threw them away may
do it again.

How it is measured: skill (1 − error/chance, or R²) on the validation part, on the training part
where there is no other. The second largest after the first update must have reached the threshold
(one evaluation is luck), and the last must be below half of it, by more than three standard errors
of what the validation samples leave open.

When it stays silent: a run that learned well is not accused; one that never learned is L001's.

What to try: a constant or falling rate where a schedule raised it; a smaller rate; clipping; early
stopping, which goes back to the best parameters.

References: Goodfellow et al. 2016, §8.2.4 (cliffs) and §7.8 (early stopping); Prechelt 1998, Early
stopping, but when?
"""

from __future__ import annotations

import numpy as np

from dlprobe.analysis.learning.learned import HALF
from dlprobe.registry import counted
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.suspects import calming


def check(evidence: Evidence, settings: Settings) -> Outcome:
    learned = evidence.require_evaluations()
    if learned.well or not learned.lost or learned.best < settings["skill"]:
        return Passed()
    best = int(np.nanargmax(np.where(learned.steps > 0, learned.judged, -np.inf)))
    what = learned.skill_name
    part = "validation" if learned.validated else "training"
    evident = (
        f"{what} on the {part} part was {learned.judged[best]:.2f} after "
        f"{counted(learned.steps[best], 'update')} and ends at {learned.judged[-1]:.2f} after "
        f"{learned.updates}"
    )
    steps, end = (int(learned.steps[best]), int(learned.steps[-1])), float(learned.judged[-1])
    # the training part went on being learned: it is the rest that was lost
    memorised = learned.loss[-1] < learned.loss[best]
    names = (
        ("early_stopping", "weight_penalty", "dropout")
        if memorised
        else (*calming(evidence), "clip", "early_stopping")
    )
    return one_finding(
        end, 0.5 * learned.best, evident, steps=steps, remedies=remedies(evidence, *names)
    )


register(
    "L009",
    "learned_and_lost",
    "error",
    __doc__,
    check,
    needs=("train_error", "val_error", "train_class_counts", "train_r2"),
    thresholds=[
        Threshold(
            "skill",
            HALF,
            "skill that had been learned",
            low=0.0,
            high=1.0,
            origin="choice: half of the way from guessing to perfect",
        )
    ],
    brings_about="B001",
    symptom=True,
)
