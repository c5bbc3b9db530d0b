"""What a net does in many short calls: a block of steps, stretch by stretch, and the evaluations
between them. What compiled code works on is laid out once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass
from dlprobe.nn import observe
from dlprobe.nn.records import Reference
from dlprobe.record.scalars import SCALARS

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Loop: TypeAlias = Callable[..., Any]
Model: TypeAlias = tuple[Reference, Reference]


@dataclass(frozen=True)
class BlockResult:
    """What a block of steps left: statistics (steps, layer, statistic), scalars (steps,
    scalar), and whether it ended in non-finite numbers.
    """

    statistics: Array
    scalars: Floats
    diverged: bool


@dataclass(frozen=True)
class Evaluation:
    """The net on one part of the data in evaluation mode: mean loss, outputs (samples, units),
    dead units per layer (NaN where undefined).
    """

    loss: float
    outputs: Array
    dead_fraction: npt.NDArray[np.float64]


class Steps:
    """A block of at most `steps` whole steps, as `Network.train` describes them, each stretch of
    which `run` does.
    """

    def __init__(
        self, run: Loop, model: Model, work: Reference, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        """run: the compiled loop. work: what the block works through. shape: (steps, layer,
        statistic).
        """
        self._statistics = np.empty(shape, dtype)
        self._scalars = np.empty((shape[0], len(SCALARS)))
        self._run, self._model, self._work = run, model, work
        self.room, self.done, self.diverged = shape[0], 0, False

    def run(self, steps: int) -> None:
        """The next steps; fewer where one meets NaN or infinity, which is the last one done."""
        done = self._run(
            *self._model,
            self._work,
            self.done,
            self.done + steps,
            self._statistics,
            self._scalars,
        )
        self.done, self.diverged = abs(done), done < 0

    @property
    def result(self) -> BlockResult:
        """What was done so far: views."""
        return BlockResult(self._statistics[: self.done], self._scalars[: self.done], self.diverged)


class Evaluations:
    """Room for `room` evaluations of a net on one part of the data, one of which `take` makes.

    dead: dead units are looked for. classes: the largest output of each sample is.
    """

    def __init__(
        self,
        evaluate: Loop,
        model: Model,
        work: Reference,
        units: Sequence[int],
        samples: int,
        dtype: np.dtype[Any],
        *,
        dead: bool,
        classes: bool,
        room: int,
    ) -> None:
        """evaluate: the compiled loop. work: the part of the data. units: of each layer."""
        self._units, self._samples, self._dead = units, samples, dead
        self._outputs = np.empty((room, samples, units[-1]), dtype)
        self._largest = np.empty((room, samples if classes else 0), np.int64)
        self._alive = np.zeros((room, len(units), max(units) if dead else 0))
        self._sums = np.empty(room)
        self._scratch = np.empty((len(units), len(observe.STATISTICS)), dtype)
        self._evaluate, self._model, self._work = evaluate, model, work
        self.taken = 0

    def take(self) -> None:
        """Evaluate the net as it is now (running statistics, no random operations)."""
        at = self.taken
        self._sums[at] = (
            self._evaluate(
                *self._model,
                self._work,
                self._outputs[at],
                self._largest[at],
                self._alive[at],
                self._scratch,
            )
            if self._samples
            else 0.0
        )
        self.taken += 1

    @property
    def losses(self) -> Floats:
        """The mean loss of each evaluation that was made, (evaluations,); 0 where there are no
        samples.
        """
        return self._sums[: self.taken] / max(self._samples, 1)

    @property
    def outputs(self) -> Array:
        """(evaluations, samples, units) of T, a view."""
        return self._outputs[: self.taken]

    @property
    def largest(self) -> npt.NDArray[np.int64] | None:
        """(evaluations, samples): the unit of each sample's largest output, a view; None where it
        was not looked for.
        """
        return self._largest[: self.taken] if self._largest.shape[1] else None

    @property
    def dead_fraction(self) -> Floats:
        """(evaluations, layer): the share of units whose slope was 0 on all samples; NaN where
        slopes are undefined and where none were looked for.
        """
        found = np.full((self.taken, len(self._units)), np.nan)
        for index, units in enumerate(self._units if self._dead else ()):
            alive = self._alive[: self.taken, index, :units]
            found[:, index] = np.where(np.isnan(alive[:, 0]), np.nan, np.mean(alive == 0, axis=1))
        return found

    @property
    def last(self) -> Evaluation:
        """The last one; its outputs are a view."""
        return Evaluation(float(self.losses[-1]), self.outputs[-1], self.dead_fraction[-1])
