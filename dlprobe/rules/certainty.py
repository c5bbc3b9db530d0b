"""When an error that is found while a run trains is certain: so that a hopeless job can be
stopped, and one that only needs time is not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dlprobe.analysis.learning.learned import MOVED
from dlprobe.analysis.learning.reading import learning
from dlprobe.dataclass import dataclass
from dlprobe.rules.diagnosis import FAILED, Diagnosis
from dlprobe.rules.judging import Judgement
from dlprobe.rules.outcome import Finding
from dlprobe.runs import Run

LASTING = ("N001",)  # what no later step can take back: parameters that are not finite stay so
SHARE = 0.5  # of the planned steps, that must be made
SINCE = 0.5  # of the steps made, from which on the error must have stood at every look
LOOKS = 3  # of them at least


@dataclass(frozen=True)
class Glance:
    """What a look at a run found. step: the last that was recorded; errors: findings of this
    severity; failed: whether it has not learned so far; loss: on its training part, NaN where that
    is not known.
    """

    step: int
    errors: tuple[Finding, ...]
    failed: bool
    loss: float = math.nan


def seen(run: Run, judgement: Judgement, diagnosis: Diagnosis) -> Glance:
    """A look, to be remembered."""
    errors = tuple(finding for finding in judgement.findings if finding.severity == "error")
    learned = learning(run)
    loss = math.nan if learned is None else float(learned.loss[-1])
    return Glance(
        int(run.steps[-1]) if len(run.steps) else -1, errors, diagnosis.state.name in FAILED, loss
    )


def certain(looks: Sequence[Glance], planned: int | None) -> Finding | None:
    """The error that the last of some looks found and that stays; None while it may still go.

    One that no later step can take back is certain at once; so is everything of a run that is over,
    which is the caller's to know. Any other one has stood since SINCE of the steps made so far and
    at LOOKS looks or more, in a run that has not learned and whose loss stands still, when SHARE of
    the planned steps are made: then the run had as much time again to disprove it. planned: None
    where that is not known, and then nothing is certain that way.
    """
    last = looks[-1]
    lasting = next((finding for finding in last.errors if finding.code in LASTING), None)
    if lasting is not None or planned is None or last.step + 1 < SHARE * planned:
        return lasting
    half = SINCE * (last.step + 1)
    since = [look for look in looks if look.step + 1 >= half]
    if (
        len(since) < LOOKS
        or looks[0].step + 1 > half
        or not all(look.failed for look in since)
        or since[0].loss - last.loss > MOVED * abs(since[0].loss)
    ):
        return None
    return next(
        (
            finding
            for finding in last.errors
            if all(finding.code in [error.code for error in look.errors] for look in since)
        ),
        None,
    )


def planned_steps(run: Run) -> int | None:
    """The steps of a run that is not stopped early; None where its file does not say."""
    config, batch = run.configuration, run.facts.batch_size
    if config is None:
        return None
    if config.training.steps:
        return config.training.steps
    samples = len(run.data.get("train_indices", ()))
    return (
        (config.training.epochs or 0) * -(-samples // batch) or None if samples and batch else None
    )
