"""What the training loop hands its numbers to: a run file's writer, or something lighter that keeps only what an experiment asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Recorder(Protocol):
    """The loop's view of a recorder; runs.RunWriter is one."""

    def rows(self, first_step: int, steps: npt.NDArray[np.int64], statistics: Array, scalars: npt.NDArray[np.float64], seconds: float) -> None:
        """One block: steps (n,), statistics (n, layer, statistic), scalars (n, 6); `seconds` is the wall time of one step."""
        ...

    def evaluation(self, step: int, values: Mapping[str, float], layer_values: Mapping[str, Array]) -> None:
        """One evaluation after `step` updates."""
        ...

    def checkpoint(self, step: int, parameters: Array) -> None:
        """All parameters, flat, after `step` updates."""
        ...

    def end(self, status: str, final: Mapping[str, Any], predictions: Mapping[str, Array]) -> None:
        """The run is over."""
        ...


@runtime_checkable
class InstrumentRecorder(Protocol):
    """A recorder that takes what instruments measure too; for any other they are not even read."""

    def instruments(self, step: int, values: Mapping[str, Array]) -> None:
        """What was measured at `step` before its update, by path of the run file's layout."""
        ...


@dataclass
class Snapshots:
    """Keeps the first and the last recorded step and the evaluations: what a depth profile needs."""

    first: Array | None = None
    last: Array | None = None
    scalars: list[Array] = field(default_factory=list)
    evaluations: list[dict[str, float]] = field(default_factory=list)
    status: str = "running"
    final: dict[str, Any] = field(default_factory=dict)

    def rows(self, first_step: int, steps: npt.NDArray[np.int64], statistics: Array, scalars: npt.NDArray[np.float64], seconds: float) -> None:
        if not len(steps):
            return
        if self.first is None:
            self.first = statistics[0].copy()
        self.last = statistics[-1].copy()
        self.scalars.append(scalars)

    def evaluation(self, step: int, values: Mapping[str, float], layer_values: Mapping[str, Array]) -> None:
        self.evaluations.append({"step": float(step), **values})

    def checkpoint(self, step: int, parameters: Array) -> None:
        """Parameters are not kept."""

    def end(self, status: str, final: Mapping[str, Any], predictions: Mapping[str, Array]) -> None:
        self.status, self.final = status, dict(final)


@dataclass(frozen=True)
class Both:
    """Two recorders that get the same."""

    one: Recorder
    other: Recorder

    def rows(self, first_step: int, steps: npt.NDArray[np.int64], statistics: Array, scalars: npt.NDArray[np.float64], seconds: float) -> None:
        self.one.rows(first_step, steps, statistics, scalars, seconds)
        self.other.rows(first_step, steps, statistics, scalars, seconds)

    def evaluation(self, step: int, values: Mapping[str, float], layer_values: Mapping[str, Array]) -> None:
        self.one.evaluation(step, values, layer_values)
        self.other.evaluation(step, values, layer_values)

    def checkpoint(self, step: int, parameters: Array) -> None:
        self.one.checkpoint(step, parameters)
        self.other.checkpoint(step, parameters)

    def end(self, status: str, final: Mapping[str, Any], predictions: Mapping[str, Array]) -> None:
        self.one.end(status, final, predictions)
        self.other.end(status, final, predictions)

    def instruments(self, step: int, values: Mapping[str, Array]) -> None:
        """For those of the two that take them."""
        for each in (self.one, self.other):
            if isinstance(each, InstrumentRecorder):
                each.instruments(step, values)
