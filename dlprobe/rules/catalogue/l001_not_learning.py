"""The net never did better than a constant answer.

What it looks for: a run that at no evaluation was better on its own training part than the best constant answer by more than a small share.

Why it hurts: naming the commonest class, or the mean of the targets, needs no net. Whatever was configured, nothing of the inputs got through.

How it is measured: skill is 1 − error/chance on the training part, chance being the error of always naming the commonest class; for regression it is
R², as a share of what known noise leaves. The best skill over all evaluations is compared with the threshold.

When it stays silent: below a hundred updates or ten passes it is not evaluated; a run that learned something and lost it again is L002's.

What to try: what the other findings say; else the optimizer's usual rate, scaled inputs, the output activation and loss that suit the data.

References: Zhang et al. 2021, AutoTrainer; Humbatova et al. 2020, Taxonomy of real faults in deep learning systems.
"""

from __future__ import annotations

import math

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding, NotEvaluableError, Outcome, Passed, fired
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register

ROUNDING = 1e-12  # of 1 − error/chance, which is 0 for a constant answer


def check(evidence: Evidence, settings: Settings) -> Outcome:
    learned = evidence.require_time()
    best = learned.best
    if not math.isfinite(best):
        raise NotEvaluableError("train_error (or train_r2) was not evaluated, or the class counts are not in the file")
    if best >= float(settings["skill"]):
        return Passed()
    what = "R²" if learned.task == "regression" else "1 − error/chance"
    shown = 0.0 if abs(best) < ROUNDING else best
    evident = f"the best {what} on the training part is {shown:.3g} over {len(learned.steps)} evaluations and {learned.updates} updates"
    cure = remedies(evidence, "outputs", "target_scaling", "usual_optimizer", "scaling", "relu", "batch_norm")
    return fired(Finding(shown, float(settings["skill"]), evident, steps=(int(learned.steps[0]), int(learned.steps[-1])), remedies=cure))


register(
    "L001",
    "not_learning",
    "error",
    __doc__,
    check,
    needs=("train_error", "train_class_counts", "train_r2"),
    thresholds=[Threshold("skill", 0.1, "skill that counts as learning", low=0.0, high=1.0, origin="choice: a tenth of the way from chance to perfect")],
    brings_about="B001",
    symptom=True,
)
