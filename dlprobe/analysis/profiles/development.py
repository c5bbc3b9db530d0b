"""How the error signal's way through the layers changes as training goes on: does what was
broken heal, does what was healthy break, and when.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass

Floats: TypeAlias = npt.NDArray[np.float64]

POINTS = 40  # a course is looked at in so many stretches: the ratio of single batches jumps
LASTING = 2  # stretches that a change must last


@dataclass(frozen=True)
class Course:
    """log10 RMS δ_1/RMS δ_n of one seed over training: steps (points,), ratios (points,),
    medians of stretches of steps; NaN where not finite.
    """

    steps: Floats
    ratios: Floats


@dataclass(frozen=True)
class Event:
    """In how many seeds something happened, and the median of the steps at which it did; NaN
    where it did in none.
    """

    seeds: int
    step: float


@dataclass(frozen=True)
class Development:
    """Medians over seeds at each stretch, (points,). healed: from outside the band to within;
    relapsed: from within to outside.
    """

    steps: Floats
    ratios: Floats
    healed: Event
    relapsed: Event


def course(steps: npt.ArrayLike, first: npt.ArrayLike, last: npt.ArrayLike) -> Course:
    """The course of log10 RMS δ_1/RMS δ_n from the error signals of hidden_1 and hidden_n at every
    recorded step, each (step,). The first step stands alone: it is the initialization.
    """
    when, low, high = (np.asarray(numbers, dtype=np.float64) for numbers in (steps, first, last))
    with np.errstate(all="ignore"):
        ratios = np.log10(low) - np.log10(high)
    groups = [
        np.arange(1)[: len(when)],
        *np.array_split(np.arange(1, len(when)), min(POINTS, max(len(when) - 1, 1))),
    ]
    groups = [rows for rows in groups if len(rows)]
    return Course(
        np.array([when[rows[0]] for rows in groups]),
        np.array([_middle(ratios[rows]) for rows in groups]),
    )


def _middle(values: Floats) -> float:
    """The lower median of what is a number, −inf and inf included; NaN where none is."""
    known = np.sort(values[~np.isnan(values)])
    return float(known[(len(known) - 1) // 2]) if len(known) else math.nan


def changes(curve: Course, band: float) -> tuple[float, float]:
    """(step at which |ratio| first came within `band` for at least LASTING points, step at which it
    first left it for as long); NaN for what did not happen.
    """
    within = np.abs(curve.ratios) <= band  # NaN is outside
    healed = relapsed = math.nan
    state = bool(len(within)) and bool(within[0])
    for index in range(1, len(within)):
        if bool(within[index]) == state or not _lasts(within, index):
            continue
        state = not state
        if state and math.isnan(healed):
            healed = float(curve.steps[index])
        if not state and math.isnan(relapsed):
            relapsed = float(curve.steps[index])
    return healed, relapsed


def _lasts(within: npt.NDArray[np.bool_], index: int) -> bool:
    """Whether the state at an index goes on, or ends the course."""
    return bool((within[index : index + LASTING] == within[index]).all())


def develop(courses: Sequence[Course], band: float) -> Development:
    """All seeds together, on the longest one's stretches: a seed that diverged counts where it
    has been.
    """
    longest = max(
        courses,
        key=lambda trajectory: len(trajectory.steps),
        default=Course(np.empty(0), np.empty(0)),
    )
    table = np.full((len(courses), len(longest.steps)), np.nan)
    for row, course_of_seed in enumerate(courses):
        table[row, : len(course_of_seed.ratios)] = course_of_seed.ratios
    turns = np.array([changes(trajectory, band) for trajectory in courses]).reshape(-1, 2)
    healed, relapsed = (_event(turns[:, column]) for column in range(2))
    return Development(
        longest.steps, np.array([_middle(column) for column in table.T]), healed, relapsed
    )


def _event(steps: Floats) -> Event:
    known = steps[~np.isnan(steps)]
    return Event(len(known), float(np.median(known)) if len(known) else math.nan)
