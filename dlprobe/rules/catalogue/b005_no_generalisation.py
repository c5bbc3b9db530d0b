"""What was learned is worth nothing on new samples.

What it looks for: a net that learned something of its training part and does no better on the
validation part than a constant answer.

Why it hurts: either the targets have nothing to do with the inputs, and then there is nothing to
learn, or the samples are so few that chance among them is all there is. Training longer, faster or
with more units learns more of that by heart.

How it is measured: skill (1 − error/chance, or R²) on the training part at the end must be above
the first threshold, and that on the validation part not above what its samples would show by
chance: two standard errors of the chance error, 2/√n for R².

When it stays silent: without a validation part it is not evaluated, nor below a hundred updates or
ten passes where the training part is not learned yet; a run that learned nothing of its training
part is L001's.

What to try: look whether inputs and targets belong together (rows shifted, labels shuffled, the
wrong column); more samples, features that say more; a penalty, fewer units.

References: Zhang et al. 2017, Understanding deep learning requires rethinking generalization
(random labels are learned by heart); Ng 2018, chapters 20-27.
"""

from __future__ import annotations

import math

from dlprobe.analysis.learning.learned import SOMETHING, WELL
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register


def check(evidence: Evidence, settings: Settings) -> Outcome:
    learned = evidence.require_evaluations()
    if learned.brief and learned.reached < WELL:
        evidence.require_time()
    if not learned.validated or not learned.val_samples:
        raise NotEvaluableError("no validation part, or its errors were not evaluated")
    skill, new = float(learned.skill[-1]), float(learned.val_skill[-1])
    chance = learned.val_error[-1] / (1.0 - new) if new < 1.0 else 1.0
    spread = 1.0 if learned.task == "regression" else math.sqrt(max((1.0 - chance) / chance, 0.0))
    limit = settings["deviations"] * spread / math.sqrt(learned.val_samples)
    if not skill >= settings["skill"] or new > limit or skill - new <= limit:
        return Passed()
    what = learned.skill_name
    evident = (
        f"{what} is {skill:.3g} on the training part and {new:.3g} on {learned.val_samples} new "
        f"samples, where chance alone gives up to {limit:.2g}"
    )
    cure = remedies(evidence, "weight_penalty", "dropout", "smaller_net")
    return one_finding(new, limit, evident, steps=(int(learned.steps[-1]),), remedies=cure)


register(
    "B005",
    "no_generalisation",
    "error",
    __doc__,
    check,
    needs=("train_error", "val_error", "val_indices"),
    thresholds=[
        Threshold(
            "skill",
            SOMETHING,
            "skill on the training part",
            low=0.0,
            high=1.0,
            origin="choice: a quarter of the way from guessing to perfect",
        ),
        Threshold(
            "deviations",
            2.0,
            "standard errors of guessing on the validation part",
            low=0.0,
            origin="convention: 2.3 % of constant answers pass",
        ),
    ],
    brings_about="L001 B002 B003 L007 L009",
)
