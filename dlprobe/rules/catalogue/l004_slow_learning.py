"""The loss falls steadily and is far from done.

What it looks for: a training loss that falls nearly as fast in the last part of training as before,
in a run that has not learned when its budget ends.

Why it hurts: the budget is spent before the net is trained. What is compared with such a run is a
matter of patience, not of quality.

How it is measured: the fall of train_loss over the second half of the evaluations over that of the
first half must exceed the threshold (1: it falls as a straight line), with at least three in four
changes downwards and a fall of at least 0.1 % in all. Where the run has come 30 % of the way from
chance to perfect, the loss must also fall by a tenth of itself in the second half and the skill
rise by .02: the rest may be more than the data allow.

When it stays silent: where the validation loss rises meanwhile, samples are learned by heart and
more time would not help. A run that learned well is not accused; below a hundred updates or ten
passes, or with fewer than six evaluations, it is not evaluated. A loss that stands still is L001's
or W004's.

What to try: a larger learning rate, the optimizer's usual one, or Adam; more epochs; scaled
targets.

References: Zhang et al. 2021, AutoTrainer (slow convergence); Smith 2017, Cyclical learning rates
for training neural networks.
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.scale import off_scale

EVALUATIONS = 6
FALLING = 0.75
LEAST = 1e-3
LITTLE = 0.3
BETTER = 0.02


def check(evidence: Evidence, settings: Settings) -> Outcome:
    learned = evidence.require_time()
    if len(learned.loss) < EVALUATIONS:
        raise NotEvaluableError(
            f"too few {learned.moments_name}: {len(learned.loss)}, {EVALUATIONS} are needed"
        )
    if learned.well or not np.isfinite(learned.loss).all():
        return Passed()
    middle = int(np.argmin(np.abs(learned.steps - learned.steps[-1] / 2)))
    early = float(learned.loss[0] - learned.loss[middle])
    late = float(learned.loss[middle] - learned.loss[-1])
    falling = float(np.mean(np.diff(learned.loss) < 0))
    share = late / float(learned.loss[middle]) if learned.loss[middle] > 0 else 0.0
    better = float(learned.skill[-1] - learned.skill[middle])
    val = learned.val_loss
    # what is learned late is the samples themselves, not what new ones have in common with them
    if np.isfinite(val).all() and val[-1] > val[middle]:
        return Passed()
    # for all we know there is no more: classes may overlap
    if learned.reached > LITTLE and (share < settings["fall"] or better < BETTER):
        return Passed()
    if (
        early <= 0
        or early + late < LEAST * abs(float(learned.loss[0]))
        or falling < FALLING
        or late < settings["pace"] * early
    ):
        return Passed()
    evident = (
        f"{learned.loss_name} fell by {early:.3g} in the first half of training and by {late:.3g} "
        f"in the second, to {learned.loss[-1]:.4g}"
    )
    cure = remedies(evidence, *off_scale(evidence), "raise_rate", "usual_optimizer", "longer")
    return one_finding(
        late / early,
        settings["pace"],
        evident,
        steps=(int(learned.steps[0]), int(learned.steps[-1])),
        remedies=cure,
    )


register(
    "L004",
    "slow_learning",
    "warning",
    __doc__,
    check,
    needs=("train_loss", "train_error"),
    thresholds=[
        Threshold(
            "pace",
            0.3,
            "fall in the second half over fall in the first",
            low=0.0,
            origin="choice: decay by e in half the time gives .37",
        ),
        Threshold(
            "fall",
            0.1,
            "fall in the second half as a share of the loss",
            low=0.0,
            origin="choice: a tenth, of runs that learned something",
        ),
    ],
    brings_about="L001",
)
