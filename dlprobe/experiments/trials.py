"""Trials: single trainings of a changed configuration, and what each came to, measured without any
rule.

A trial *learned* where the run's own end says so (`analysis.learning`): it learned well; or, of
data of which nobody gets that much, it is as good as the best configuration that was tried on them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from dlprobe.analysis.learning.learned import NOTHING, OF_KNOWN, Learning
from dlprobe.analysis.learning.reading import learning
from dlprobe.analysis.learning.states import state
from dlprobe.dataclass import dataclass
from dlprobe.rules import Finding
from dlprobe.rules.files import Criteria

if TYPE_CHECKING:
    from dlprobe.runs import Run

LEARNED = "learned well"
# the first that a run has is compared
METRICS = ("val_error", "train_error", "val_loss", "train_loss")


@dataclass(frozen=True)
class Trial:
    """The result of one training.

    state: the run's, a `StateName`. skill: 1 − error/chance or R² at the end, on the validation
        part where there is one, −∞ where it is no number. metric: the first of METRICS, infinite
        for none.
    flawed: whether its end has a flaw that a good skill does not make up for: probabilities worse
        than guessing, a scale or offset that is off. findings: what rules say of it; None where not
        asked.
    """

    state: str
    skill: float
    metric: float
    flawed: bool = False
    findings: tuple[Finding, ...] | None = None

    def learned(self, reachable: float = math.nan) -> bool:
        """Whether the run learned; `reachable` is the skill of the best known configuration,
        NaN where none is known.
        """
        if self.state == LEARNED:
            return True
        return (
            self.state == "learned in part"
            and not self.flawed
            and reachable >= NOTHING
            and self.skill >= OF_KNOWN * reachable
        )


Measure: TypeAlias = "Callable[[Run], Trial]"


def trial_of(run: Run) -> Trial:
    """The trial that a run is, without findings. Raises RunFileError where it is damaged."""
    learned = learning(run)
    reached = state(learned, run.status).name
    return Trial(
        reached,
        _skill(learned) if run.status != "diverged" else -math.inf,
        metric_of(run),
        learned is not None and bool(learned.flaw),
    )


def judged_trial_of(run: Run) -> Trial:
    """The trial that a run is, with its findings."""
    measured = trial_of(run)
    return Trial(
        measured.state,
        measured.skill,
        measured.metric,
        measured.flawed,
        Criteria().judge(run).findings,
    )


def _skill(learned: Learning | None) -> float:
    if learned is None:
        return -math.inf
    last = (float(learned.val_skill[-1]), float(learned.skill[-1]))
    return next((value for value in last if math.isfinite(value)), -math.inf)


def metric_of(run: Run) -> float:
    """The first finite one of val_error, train_error, val_loss, train_loss at the end of the run;
    infinite where there is none.
    """
    values = [
        float(run.final[name])
        for name in METRICS
        if name in run.final and np.isfinite(run.final[name])
    ]
    return values[0] if values else math.inf


def reachable_skill(groups: Iterable[Sequence[Trial]]) -> float:
    """The largest median skill of groups of trials, each the seeds of one configuration; NaN
    without trials.
    """
    medians = [float(np.median([trial.skill for trial in group])) for group in groups if group]
    return max(medians, default=math.nan)
