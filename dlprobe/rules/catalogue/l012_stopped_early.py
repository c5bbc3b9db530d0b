"""Early stopping ended a run that was still to learn.

What it looks for: a run that early stopping ended while the training part was not learned and its
loss was still falling.

Why it hurts: the budget was there and was not used. What stopped it was the patience, or an
improvement that was asked for and is larger than what an evaluation brings, not the end of
learning.

How it is measured: stopped_step in the results, skill on the training part at the end as a share of
what is reachable, and the share of the training loss that went between the last two evaluations
before the end.

When it stays silent: a run that learned its training part, or whose validation loss had its best
before, was stopped in time; a run that ended by its budget passes.

What to try: more patience, no least improvement; no early stopping until the training error is low.

References: Prechelt 1998, Early stopping, but when?; Goodfellow et al. 2016, §7.8.
"""

from __future__ import annotations

import numpy as np

from dlprobe.analysis.learning.learned import WELL
from dlprobe.registry import counted
from dlprobe.rules.evidence import Evidence, Floats
from dlprobe.rules.outcome import Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register

NOISE = 0.02  # of the validation loss between evaluations


def check(evidence: Evidence, settings: Settings) -> Outcome:
    learned = evidence.require_evaluations()
    stopped = evidence.run.final.get("stopped_step")
    # as they were, before the best parameters were put back
    losses = _evaluated(evidence, "train_loss")
    if (
        stopped is None
        or learned.well
        or learned.reached >= WELL
        or len(losses) < 2
        or _turned(evidence)
    ):
        return Passed()
    before, last = float(losses[-2]), float(losses[-1])
    fell = 1.0 - last / before if before > 0 else 0.0
    if fell < settings["fall"]:
        return Passed()
    config = evidence.config
    how = (
        f"by {config.training.early_stopping}"
        if config is not None and config.training.early_stopping is not None
        else "early"
    )
    evident = (
        f"ended {how} after {counted(stopped, 'update')}, train_loss at {last:.3g} after "
        f"{before:.3g} one evaluation before"
    )
    cure = remedies(evidence, "no_early_stopping", "patient_stopping")
    return one_finding(fell, settings["fall"], evident, steps=(int(stopped),), remedies=cure)


def _evaluated(evidence: Evidence, name: str) -> Floats:
    losses = np.asarray(evidence.run.evaluations.get(name, ()), np.float64)
    return losses[np.isfinite(losses)]


def _turned(evidence: Evidence) -> bool:
    """Whether the validation loss had its best before the end: then it was time to stop."""
    known = _evaluated(evidence, "val_loss")
    return len(known) > 1 and bool(known[-1] > (1.0 + NOISE) * known.min())


register(
    "L012",
    "stopped_early",
    "warning",
    __doc__,
    check,
    needs=("stopped_step", "train_loss", "train_error"),
    thresholds=[
        Threshold(
            "fall",
            0.01,
            "fall of the loss in the last evaluation",
            low=0.0,
            origin="choice: a hundredth, clearly above a loss that stands",
        )
    ],
    brings_about="B001 L004 L001",
)
