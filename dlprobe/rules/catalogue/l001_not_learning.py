"""The net ends no better than a constant answer.

What it looks for: a run whose end is not better than the best constant answer, on new samples where
there are some, by more than a small share; or only as much better as the untrained net was by luck.

Why it hurts: naming the commonest class, or the mean of the targets, needs no net. Whatever was
configured, nothing of the inputs got through.

How it is measured: skill is 1 − error/chance on the validation part (on the training part where
there is no other), chance being the error of always naming the commonest class; for regression it
is R². Rows that repeat and label noise that was asked for lower what counts as all of it. The skill
at the end, and its gain over the first evaluation where that is before the first update, are
compared with the threshold: one lucky evaluation on the way is no learning.

When it stays silent: below a hundred updates or ten passes it is not evaluated; a run that had
learned and lost it again is L009's.

What to try: what the other findings say; else Adam at its usual rate, the output activation and
loss that suit the data, a normalization; another rate: smaller where weights went more than ten
times their norm, else larger.

References: Zhang et al. 2021, AutoTrainer; Humbatova et al. 2020, Taxonomy of real faults in deep
learning systems.
"""

from __future__ import annotations

import math

from dlprobe.analysis.learning.learned import SOMETHING, Learning
from dlprobe.registry import counted
from dlprobe.rules.changes_of_training import distance
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, Remedy, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.scale import off_scale
from dlprobe.rules.suspects import is_odd, passing

FAR = 10.0  # norms of W that no net needs to go: steps that took it there are not too small
ROUNDING = 1e-6  # of 1 − error/chance, 0 for a constant answer, from an error in float32


def check(evidence: Evidence, settings: Settings) -> Outcome:
    learned = evidence.require_time()
    end = float(learned.judged[-1])
    if not math.isfinite(end):
        raise NotEvaluableError(
            "errors (or R²) were not evaluated at the end, or the class counts are not in the file"
        )
    if learned.well or learned.lost or learned.something(settings["skill"]):
        return Passed()
    what = learned.skill_name
    part = "validation" if learned.validated else "training"
    gain = end - learned.untrained
    shown = 0.0 if abs(end) < ROUNDING else end
    evident = (
        f"{what} on the {part} part ends at {shown:.3g} after {counted(learned.updates, 'update')}"
        + (f", {gain:.3g} more than before the first" if learned.untrained > 0 else "")
    )
    return one_finding(
        shown,
        settings["skill"],
        evident,
        steps=(int(learned.steps[0]), int(learned.steps[-1])),
        remedies=_cure(evidence, learned),
    )


def _cure(evidence: Evidence, learned: Learning) -> tuple[Remedy, ...]:
    # the training part is learned: what is missing is not in how it is trained
    if learned.reached >= SOMETHING:
        return ()
    linear = [] if evidence.hidden else ["larger_net"]
    odd = passing(evidence)[:1] if is_odd(evidence) else ()
    pace = "lower_rate" if distance(evidence) > FAR else "raise_rate"
    return remedies(
        evidence,
        *off_scale(evidence),
        "outputs",
        *linear,
        *odd,
        pace,
        "usual_optimizer",
        "batch_norm",
    )


register(
    "L001",
    "not_learning",
    "error",
    __doc__,
    check,
    needs=("train_error", "val_error", "train_class_counts", "train_r2"),
    thresholds=[
        Threshold(
            "skill",
            0.1,
            "skill that counts as learning",
            low=0.0,
            high=1.0,
            origin="choice: a tenth of the way from chance to perfect",
        )
    ],
    brings_about="B001",
    symptom=True,
)
