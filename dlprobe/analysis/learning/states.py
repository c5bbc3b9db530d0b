"""What a run has come to, in one of a few words, with the numbers that say so."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from dlprobe.analysis.learning.learned import NOTHING, WELL, Floats, Learning
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
    """What a run has come to. reason: the numbers, in words. now, guess: the two numbers that say
    so, the error at the end (on the validation part where there is one) and that of always
    guessing, as shares of wrong classes or root mean squares; NaN where they are not known.
    """

    name: StateName
    reason: str
    now: float = math.nan
    guess: float = math.nan

    @property
    def sentence(self) -> str:
        """`did not learn: 63.6 % error …`"""
        return f"{self.name}: {self.reason}"


def state(found: Learning | None, status: str) -> State:
    """What a run has come to, judged by its end beside the best constant answer; `status` is
    the run's.
    """
    name, reason = _state(found, status)
    if found is None:
        return State(name, reason)
    now = (
        float(found.val_error[-1]) if math.isfinite(found.val_error[-1]) else float(found.error[-1])
    )
    return State(name, reason, now, found.guessing)


def _state(found: Learning | None, status: str) -> tuple[StateName, str]:
    if found is None:
        return "not evaluated", "neither an evaluation nor batch_loss was recorded"
    if status == "diverged":
        return "diverged", f"numbers are not finite after {counted(found.updates, 'update')}"
    if not np.isfinite(found.error).any():
        return (
            "not evaluated",
            (
                f"{found.loss_name} went from {found.loss[0]:.4g} to {found.loss[-1]:.4g}; errors "
                "are not known"
            ),
        )
    numbers = _numbers(found)
    if not math.isfinite(found.guessing) or not math.isfinite(found.skill[-1]):
        return "not evaluated", f"{numbers}; what guessing has is not known"
    if found.well:
        return "learned well", numbers
    if found.brief:
        return (
            "too short to tell",
            (
                f"{counted(found.updates, 'update')} of the {found.needed} that are needed; "
                f"{_numbers(found, found.validated)}"
            ),
        )
    if found.lost:
        return (
            "learned and lost",
            f"{numbers}; it once had {_size(found, float(np.nanmin(_errors(found)[1:])))}",
        )
    if found.something():
        return "learned in part", numbers + (
            f"; {found.shortfall}" if found.reached >= WELL and found.shortfall else ""
        )
    return "did not learn", numbers + (
        f"; untrained it had {_size(found, float(_errors(found)[0]))}"
        if found.untrained >= NOTHING
        else ""
    )


def _errors(found: Learning) -> Floats:
    return found.val_error if found.validated else found.error


def _numbers(found: Learning, new_only: bool = False) -> str:
    """The errors of both parts at the end, or that on new samples, and that of guessing, in
    percent or in the unit of the targets.
    """
    parts = {"training": float(found.error[-1]), "validation": float(found.val_error[-1])}
    told = [
        f"{_size(found, error)} in {part}"
        for part, error in parts.items()
        if math.isfinite(error) and not (new_only and part == "training")
    ]
    guessing = (
        (
            f"; guessing {'the mean ' if found.task == 'regression' else ''}has "
            f"{_size(found, found.guessing)}"
        )
        if math.isfinite(found.guessing)
        else ""
    )
    plain = (
        f", kernel ridge regression {_size(found, found.plain_error)}"
        if math.isfinite(found.plain)
        else ""
    )
    what = "error (RMS)" if found.task == "regression" else "error"
    return f"{what} {', '.join(told)}{guessing}{plain}"


def _size(found: Learning, error: float) -> str:
    return f"{error:.4g}" if found.task == "regression" else f"{100 * error:.1f} %"
