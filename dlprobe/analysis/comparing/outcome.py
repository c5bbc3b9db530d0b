"""What one run of a comparison came to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.learning.learned import Learning
from dlprobe.analysis.learning.reading import learning
from dlprobe.analysis.learning.states import StateName, state
from dlprobe.analysis.profiles import run_profile
from dlprobe.analysis.profiles.decomposition import FactorDecomposition
from dlprobe.analysis.profiles.flow import NOTHING, Flow
from dlprobe.analysis.profiles.idle_units import dead_units, saturated_units
from dlprobe.dataclass import dataclass
from dlprobe.runs import Run

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """What is compared of one run. `curves`: every evaluated number (evaluation,), by name; `steps`
    (evaluation,): after how many updates each was.

    final: results at the end. first, last: verdict on the profile of the first and last recorded
        step ("" where none was recorded); first_flow, last_flow: the quantities behind it. factors:
        what the error signal's way is made of before training. chance: by metric what the best
        constant answer has, as far as it is known. step_seconds: of the fastest block of steps,
        which other programs disturbed least. dead, saturated: share of the hidden units at the end,
        NaN where not known. state: whether it learned, as `learning.state` says.
    """

    seed: int
    status: str
    steps: Floats
    curves: Mapping[str, Floats]
    final: Mapping[str, float]
    first: str
    last: str
    first_flow: Flow
    last_flow: Flow
    updates: int
    step_seconds: float
    parameters: int
    state: StateName
    factors: FactorDecomposition | None = None
    chance: Mapping[str, float] = field(default_factory=dict)
    dead: float = math.nan
    saturated: float = math.nan

    @property
    def diverged(self) -> bool:
        return self.status == "diverged"

    def last_of(self, metric: str) -> float:
        """`final[metric]`, the value at the end of the run; infinite where the run diverged or has
        no such metric.
        """
        value = self.final.get(metric, math.nan)
        return math.inf if self.diverged or math.isnan(value) else value

    def best_of(self, metric: str) -> float:
        """The best of all evaluations; of a run that diverged, the best before."""
        curve = self.curves.get(metric, np.empty(0))
        finite = curve[np.isfinite(curve)]
        return float(finite.min()) if len(finite) else math.inf

    def first_of(self, metric: str) -> float:
        """The evaluation before the first update; infinite where there is none."""
        curve = self.curves.get(metric, np.empty(0))
        if len(curve) and self.steps[0] == 0 and np.isfinite(curve[0]):
            return float(curve[0])
        return math.inf

    def reached(self, metric: str, target: float) -> float:
        """Updates after which an evaluation was at or below the target first; infinite where
        none was.
        """
        with np.errstate(invalid="ignore"):
            below = np.flatnonzero(self.curves.get(metric, np.empty(0)) <= target)
        return float(self.steps[below[0]]) if len(below) else math.inf


def outcome(seed: int, run: Run) -> Outcome:
    """Read a run. Raises RunFileError where the file is damaged."""
    rows = (0, len(run.steps) - 1) if len(run.steps) else ()
    moments = [run_profile.step_profile(run, row, run_profile.activations_of(run)) for row in rows]
    numbers = {
        name: float(value)
        for name, value in run.final.items()
        if isinstance(value, int | float | np.number)
    }
    evaluations = dict(run.evaluations)
    seconds, known = run.timing.get("step_seconds", np.empty(0)), learning(run)
    return Outcome(
        seed=seed,
        status=run.status,
        steps=evaluations.pop("step", np.empty(0)).astype(np.float64),
        curves={name: curve.astype(np.float64) for name, curve in evaluations.items()},
        final=numbers,
        first=moments[0].verdict.verdict if moments else "",
        last=moments[-1].verdict.verdict if moments else "",
        first_flow=moments[0].flow if moments else NOTHING,
        last_flow=moments[-1].flow if moments else NOTHING,
        updates=int(numbers.get("steps_done", 0)),
        step_seconds=float(np.min(seconds)) if len(seconds) else math.nan,
        parameters=0 if run.initial_parameters is None else len(run.initial_parameters),
        state=state(known, run.status).name,
        factors=moments[0].factors if moments else None,
        chance={} if known is None else _chance(known),
        dead=_hidden_mean(run, dead_units(run)),
        saturated=_hidden_mean(run, saturated_units(run)),
    )


def _chance(known: Learning) -> dict[str, float]:
    """What the best constant answer has, by the metrics that may rank."""
    losses = {
        "train_loss": known.guessing_loss,
        "val_loss": known.val_guessing_loss,
        "train_error": known.guessing,
        "val_error": known.guessing,
    }
    return {name: value for name, value in losses.items() if math.isfinite(value)}


def _hidden_mean(run: Run, shares: Floats) -> float:
    hidden = shares[run.hidden_layers]
    units = np.array([run.layer_facts[index].units or 1 for index in run.hidden_layers], np.float64)
    known = np.isfinite(hidden)
    return float(np.average(hidden[known], weights=units[known])) if known.any() else math.nan


def curve(runs: Sequence[Outcome], metric: str) -> tuple[Floats, Floats]:
    """(steps, median over seeds) of an evaluated number, at the steps that most seeds have; a
    diverged run's missing evaluations are infinite.
    """
    steps = max((run.steps for run in runs), key=len, default=np.empty(0))
    table = np.full((len(runs), len(steps)), np.inf)
    for row, run in enumerate(runs):
        known = run.curves.get(metric, np.full(len(run.steps), np.nan))
        table[row, : len(known)] = np.where(np.isnan(known), np.inf, known)[: len(steps)]
    return steps, np.sort(table, axis=0)[(len(runs) - 1) // 2] if len(runs) else np.empty(0)
