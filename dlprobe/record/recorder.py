"""What takes the numbers of a run while it is made: a run file's writer, or something lighter
that keeps only what an experiment needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, TypeAlias

import numpy.typing as npt

from dlprobe.dataclass import dataclass
from dlprobe.record.step import StepRow

Array = npt.NDArray[Any]
State: TypeAlias = Mapping[str, Array]


class Recorder:
    """A recorder that keeps nothing: override what is to be kept. Calls come in the order of
    steps; arrays are the caller's, so copy what is kept.
    """

    def rows(
        self, first_step: int, steps: Array, statistics: Array, scalars: Array, seconds: float
    ) -> None:
        """The recorded steps of one block.

        * first_step: first step of the block, recorded or not
        * steps: int64 (n,)
        * statistics: (n, layer, statistic), columns as in `record.statistics`
        * scalars: float64 (n, scalar), columns as in `record.scalars`
        * seconds: wall time of one step
        """

    def evaluation_block(
        self, steps: Array, values: Mapping[str, Array], layer_values: Mapping[str, Array]
    ) -> None:
        """Evaluations after `steps` (evaluation,) updates, which rise: losses and metrics by name,
        (evaluation,), and by name what there is of each layer, class or target, (evaluation, …).
        """

    def instruments(self, step: int, values: Mapping[str, Array]) -> None:
        """What was measured at `step` before its update, by path of the layout table."""

    def checkpoint(self, step: int, parameters: Array, state: State | None = None) -> None:
        """All parameters, flat, after `step` updates; `state` as in `state`, but for parameters
        that are these.
        """

    @property
    def takes_states(self) -> bool:
        """Whether what a resume needs is kept at all."""
        return False

    def wants_state(self, size: int) -> bool:
        """Whether a state of `size` bytes should be handed over now, between two blocks; asked
        often.
        """
        return False

    def state(self, step: int, state: State) -> None:
        """What training goes on from after `step` updates, before anything else is done at that
        step: by the names of `checkpoints` in the layout table.
        """

    def end(self, status: str, final: Mapping[str, Any], predictions: Mapping[str, Array]) -> None:
        """The run is over."""

    @property
    def takes_instruments(self) -> bool:
        """Whether `instruments` is overridden: for a recorder that keeps none of them they are
        not even measured.
        """
        return type(self).instruments is not Recorder.instruments


@dataclass
class Snapshots(Recorder):
    """Keeps the first and the last recorded step, every batch's scalars and the evaluations:
    what a depth profile needs.
    """

    first: StepRow | None = None
    last: StepRow | None = None
    scalars: list[Array] = field(default_factory=list)
    evaluations: list[dict[str, float]] = field(default_factory=list)
    status: str = "running"
    final: dict[str, Any] = field(default_factory=dict)

    def rows(
        self, first_step: int, steps: Array, statistics: Array, scalars: Array, seconds: float
    ) -> None:
        if not len(steps):
            return
        if self.first is None:
            self.first = StepRow.of(int(steps[0]), statistics[0])
        self.last = StepRow.of(int(steps[-1]), statistics[-1])
        self.scalars.append(scalars)

    def evaluation_block(
        self, steps: Array, values: Mapping[str, Array], layer_values: Mapping[str, Array]
    ) -> None:
        self.evaluations += [
            {"step": float(step)} | {name: float(value[row]) for name, value in values.items()}
            for row, step in enumerate(steps)
        ]

    def end(self, status: str, final: Mapping[str, Any], predictions: Mapping[str, Array]) -> None:
        self.status, self.final = status, dict(final)


@dataclass(frozen=True)
class TwoRecorders(Recorder):
    """Two recorders that get the same."""

    one: Recorder
    other: Recorder

    def rows(
        self, first_step: int, steps: Array, statistics: Array, scalars: Array, seconds: float
    ) -> None:
        self.one.rows(first_step, steps, statistics, scalars, seconds)
        self.other.rows(first_step, steps, statistics, scalars, seconds)

    def evaluation_block(
        self, steps: Array, values: Mapping[str, Array], layer_values: Mapping[str, Array]
    ) -> None:
        self.one.evaluation_block(steps, values, layer_values)
        self.other.evaluation_block(steps, values, layer_values)

    def instruments(self, step: int, values: Mapping[str, Array]) -> None:
        self.one.instruments(step, values)
        self.other.instruments(step, values)

    def checkpoint(self, step: int, parameters: Array, state: State | None = None) -> None:
        self.one.checkpoint(step, parameters, state)
        self.other.checkpoint(step, parameters, state)

    @property
    def takes_states(self) -> bool:
        return self.one.takes_states or self.other.takes_states

    def wants_state(self, size: int) -> bool:
        return self.one.wants_state(size) or self.other.wants_state(size)

    def state(self, step: int, state: State) -> None:
        self.one.state(step, state)
        self.other.state(step, state)

    def end(self, status: str, final: Mapping[str, Any], predictions: Mapping[str, Array]) -> None:
        self.one.end(status, final, predictions)
        self.other.end(status, final, predictions)

    @property
    def takes_instruments(self) -> bool:
        return self.one.takes_instruments or self.other.takes_instruments
