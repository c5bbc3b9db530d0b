"""One run while it is made: what training, its instruments and its recorders share."""

from __future__ import annotations

import math
from dataclasses import field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.config import RunConfig
from dlprobe.data import PreparedData, Scaler
from dlprobe.dataclass import dataclass
from dlprobe.nn import norm_statistics
from dlprobe.nn.network import Network
from dlprobe.training.clock import Clock
from dlprobe.training.early_stopping import EarlyStopping
from dlprobe.training.measuring import WIDENED
from dlprobe.training.model import Model
from dlprobe.training.rates import Rates
from dlprobe.training.watch import Watch

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Decisions:
    """What evaluations have decided so far: the memory of a schedule that watches them, and
    early stopping.
    """

    schedule: tuple[float, ...]
    early: EarlyStopping | None

    @classmethod
    def of(cls, rates: Rates, early: EarlyStopping | None) -> Decisions:
        """The decisions as they are now; later evaluations do not change them."""
        return cls(rates.memory, None if early is None else replace(early))


@dataclass
class Session:
    """One run while it is made: the net, its data as arrays, and where it stands.

    targets: those of evaluations, by part, in the units that are trained; those of `data` are in
        the user's, and target_scaler (None for classes) leads from these to those. trained_targets,
        weights: what training takes of the training part, with label smoothing and class weights.
        evaluated: the step of the last evaluation. decided: by the evaluations before this step.
    """

    config: RunConfig
    data: PreparedData
    model: Model
    network: Network
    targets: dict[str, Array]
    trained_targets: Array
    weights: Array | None
    initial: Array
    watch: Watch
    rates: Rates
    early: EarlyStopping | None = None
    step: int = 0
    target_scaler: Scaler | None = None
    evaluated: int = -1
    clock: Clock = field(default_factory=Clock)
    decided: Decisions = field(init=False)

    def __post_init__(self) -> None:
        self.decided = Decisions.of(self.rates, self.early)

    @cached_property
    def initial_lengths(self) -> npt.NDArray[np.float64]:
        """‖W‖₂ of each layer before training, (layer,)."""
        layers = range(len(self.network.layers))
        initial = (self.network.weights_in(self.initial, index).ravel() for index in layers)
        with np.errstate(all="ignore"):
            return np.array([_length(weights) for weights in initial])

    @cached_property
    def weight_places(self) -> list[tuple[int, int]]:
        """From where to where each layer's weights stand among the parameters."""
        starts = self.network.offsets()["weight_offset"]
        sizes = [self.network.weights(index).size for index in range(len(starts))]
        return [
            (max(start, 0), max(start, 0) + size) for start, size in zip(starts, sizes, strict=True)
        ]

    @cached_property
    def remembered(self) -> Array:
        """What effective rates are made of, (states, P): a view of the optimizer's memory, without
        a row for one that does not scale.
        """
        optimizer, moments = self.network.optimizer, self.network.trained.moments
        if optimizer.record.effective is None:
            return moments[:0].reshape(0, 0)
        states = moments.reshape(optimizer.record.states, -1)
        alone = optimizer.record.falls_with(*map(float, optimizer.parameters.values()))
        return states if alone is None else states[alone][None]

    @cached_property
    def evaluates_on_the_way(self) -> bool:
        """Whether evaluations can be made in the midst of a block of steps: nothing is decided by
        them, and no norm needs a pass of its own.
        """
        return (
            self.early is None
            and self.rates.schedule.record.observe is None
            and not norm_statistics.running_norms(self.network)
        )

    @property
    def evaluate_every(self) -> int | None:
        """Steps from one evaluation to the next; None where there are none on the way."""
        every = self.config.recording.evaluate_every
        return None if every == "never" else int(every) * self.per_epoch

    @property
    def per_epoch(self) -> int:
        """Steps of one epoch; the last short batch counts."""
        return self.rates.per_epoch

    @property
    def steps(self) -> int:
        """Number of updates of the whole run."""
        return self.rates.steps

    @property
    def record_every(self) -> int:
        """Steps from one recorded row to the next."""
        return self.config.recording.resolved_record_every(self.steps)


def _length(weights: Array) -> float:
    """‖w‖₂ of a vector, of some numbers at a time, as they are widened to float64."""
    pieces = range(0, len(weights), WIDENED)
    return math.hypot(
        *(np.linalg.norm(weights[at : at + WIDENED].astype(np.float64)) for at in pieces)
    )
