"""What came of a run of a reported case, and what today's rules say of it."""

from __future__ import annotations

import numpy as np

from dlprobe.analysis.learning.reading import learning
from dlprobe.analysis.learning.states import state
from dlprobe.rules import judge
from dlprobe.runs import Run

from ..outcome import SOMETHING, Outcome, judged_part, label, outcome
from .case import DIVERGED, LOST, NOT, PART, SHORT, WELL, Answer, Reported

ONCE, AT_LEAST = (
    0.5,
    0.25,
)  # share of the reachable skill, and skill, that had been learned if they were reached twice
NOTHING = 0.1  # share of it below which nothing was learned
FEW, PASSES = 100, 10  # updates, or passes over the training part, below which nothing is expected


def measured_state(case: Reported, run: Run, reachable: float) -> tuple[str, Outcome]:
    """The state by error and loss alone, beside what is reachable, and the outcome it comes
    from. It knows nothing of rules.
    """
    found = outcome(run)
    if not np.isfinite(found.skill):
        return DIVERGED, found
    if label(_by_outcome(case), found, reachable) == "learned":
        return WELL, found
    if reachable < SOMETHING:
        return NOT, found
    scale = reachable
    before = _skills(run) / scale
    if np.count_nonzero(
        (before >= ONCE) & (before * scale >= AT_LEAST)
    ) >= 2 and found.skill / scale < ONCE * float(np.nanmax(before)):
        return LOST, found
    if found.skill / scale >= NOTHING:
        return PART, found
    passes, updates = float(run.final["epochs_done"]), int(run.final["steps_done"])
    return (SHORT if updates < FEW and passes < PASSES else NOT), found


def _by_outcome(case: Reported) -> Reported:
    """The case without the label that it has by construction."""
    return Reported(
        case.name, case.kind, case.family, case.options, case.ill, case.states, case.why
    )


def _skills(run: Run) -> np.ndarray:
    """Skill of the judged part at every evaluation after the first update."""
    part, found = judged_part(run), run.evaluations
    if run.data["task"] == "regression":
        values = np.asarray(found[f"{part}_r2"], np.float64)
    else:
        counts = np.asarray(run.data[f"{part}_class_counts"], np.float64)
        values = 1.0 - np.asarray(found[f"{part}_error"], np.float64) / (
            1.0 - counts.max() / counts.sum()
        )
    return values[np.asarray(found["step"]) > 0]


def answer_of_today(run: Run) -> Answer:
    """State, options that the remedies of errors and warnings change, and findings."""
    found = judge(run).findings
    changed = {
        key.rpartition(".")[2]
        for each in found
        if each.severity != "info"
        for remedy in each.remedies
        for key in remedy.patch
    }
    return Answer(
        state(learning(run), run.status).name,
        frozenset(changed),
        tuple((each.code, str(each.severity)) for each in found),
    )


def is_healthy_run(case: Reported, came_of_it: str) -> bool:
    """Whether the run is judged as a healthy one: a healthy case, or an ill one whose fault did
    not strike in this seed.
    """
    return not case.ill or (came_of_it == WELL and WELL in case.states and not case.label)
