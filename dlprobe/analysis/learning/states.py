"""What a run has come to, in one of a few words, with the numbers that say so."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import numpy as np

from dlprobe.analysis.learning.learned import NOTHING, WELL, Floats, Learning
from dlprobe.dataclass import dataclass
from dlprobe.registry import counted

StateName: TypeAlias = Literal[
    "learned well",
    "learned in part",
    "learned and lost",
    "did not learn",
    "diverged",
    "too short to tell",
    "interrupted",
    "not evaluated",
    "before training",  # of a configuration, which has not been trained at all
]


@dataclass(frozen=True)
class State:
    """The state of a run at its end: how well it learned. reason: the numbers, in words. now,
    guess: the two numbers that say so, the error at the end (on the validation part where there is
    one) and that of always guessing, as shares of wrong classes or root mean squares; NaN where
    they are not known.
    """

    name: StateName
    reason: str
    now: float = math.nan
    guess: float = math.nan

    @property
    def sentence(self) -> str:
        """`did not learn: 63.6 % error …`"""
        return f"{self.name}: {self.reason}"


def state(learning: Learning | None, status: str) -> State:
    """The state of a run, judged by its last evaluation against the best constant answer; `status`
    is the run's.
    """
    name, reason = _state(learning, status)
    if learning is None:
        return State(name, reason)
    now = (
        float(learning.val_error[-1])
        if math.isfinite(learning.val_error[-1])
        else float(learning.error[-1])
    )
    return State(name, reason, now, learning.guessing)


def _state(learning: Learning | None, status: str) -> tuple[StateName, str]:
    if learning is None:
        return "not evaluated", "neither an evaluation nor batch_loss was recorded"
    if status == "diverged":
        return "diverged", f"numbers are not finite after {counted(learning.updates, 'update')}"
    if not np.isfinite([learning.error, learning.val_error]).any():
        return (
            "not evaluated",
            (
                f"{learning.loss_name} went from {learning.loss[0]:.4g} to "
                f"{learning.loss[-1]:.4g}; errors are not known"
            ),
        )
    numbers = _numbers(learning)
    known = math.isfinite(learning.skill[-1]) or learning.validated
    if not math.isfinite(learning.guessing) or not known:
        return "not evaluated", f"{numbers}; what guessing has is not known"
    if learning.well:
        return "learned well", numbers
    if learning.brief:
        return (
            "too short to tell",
            (
                f"{counted(learning.updates, 'update')} of the {learning.needed} that are needed; "
                f"{_numbers(learning, learning.validated)}"
            ),
        )
    if learning.lost:
        return (
            "learned and lost",
            f"{numbers}; it once had {_size(learning, float(np.nanmin(_errors(learning)[1:])))}",
        )
    if learning.something():
        return "learned in part", numbers + (
            f"; {learning.shortfall}" if learning.reached >= WELL and learning.shortfall else ""
        )
    return "did not learn", numbers + (
        f"; untrained it had {_size(learning, float(_errors(learning)[0]))}"
        if learning.untrained >= NOTHING
        else ""
    )


def _errors(learning: Learning) -> Floats:
    return learning.val_error if learning.validated else learning.error


def _numbers(learning: Learning, new_only: bool = False) -> str:
    """The errors of both parts at the end, or that on new samples, and that of guessing, in
    percent or in the unit of the targets.
    """
    parts = {"training": float(learning.error[-1]), "validation": float(learning.val_error[-1])}
    told = [
        f"{_size(learning, error)} in {part}"
        for part, error in parts.items()
        if math.isfinite(error) and not (new_only and part == "training")
    ]
    guessing = (
        (
            f"; guessing {'the mean ' if learning.task == 'regression' else ''}has "
            f"{_size(learning, learning.guessing)}"
        )
        if math.isfinite(learning.guessing)
        else ""
    )
    plain = (
        f", kernel ridge regression {_size(learning, learning.plain_error)}"
        if math.isfinite(learning.plain)
        else ""
    )
    what = "error (RMS)" if learning.task == "regression" else "error"
    return f"{what} {', '.join(told)}{guessing}{plain}"


def _size(learning: Learning, error: float) -> str:
    return f"{error:.4g}" if learning.task == "regression" else f"{100 * error:.1f} %"
