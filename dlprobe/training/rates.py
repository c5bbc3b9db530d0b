"""The learning rate and the cycled momentum of every step: a configuration's schedule and
warm-up as numbers for the engine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field

import numpy as np
import numpy.typing as npt

from dlprobe.config import RunConfig
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.registry import Spec

Numbers = npt.NDArray[np.float64]


@dataclass
class Rates:
    """A schedule over one run. `memory` is all that changes while it runs; the rest depends on
    the step alone.
    """

    schedule: Spec
    lr: float
    warmup: int
    per_epoch: int
    steps: int
    memory: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        start = self.schedule.record.start
        self.memory = start(self.lr, *self.schedule.parameters.values()) if start else ()

    @property
    def unit(self) -> int:
        """Steps per unit of the schedule's time."""
        return (
            self.per_epoch
            if self.schedule.parameters.get("unit", self.schedule.record.unit) == "epoch"
            else 1
        )

    @property
    def total(self) -> float:
        """Length of the run in units of the schedule's time; a begun epoch counts."""
        return float(-(-self.steps // self.unit))

    def rates(self, first: int, count: int) -> Numbers:
        """The rates (count,) of the steps from `first`; the warm-up's factor is min(1, (step +
        1)/warmup).
        """
        lr = self.memory[0] if self.memory else self.lr
        if self.schedule.name == "constant" or self.memory:
            numbers = np.full(count, lr)
        else:
            values = self.schedule.parameters.values()
            times = [(first + k) // self.unit for k in range(count)]
            by_time = {
                t: self.schedule.record.rate_at(float(t), self.total, lr, *values)
                for t in dict.fromkeys(times)
            }
            numbers = np.array([by_time[t] for t in times])
        warming = np.arange(first + 1, first + min(count, max(self.warmup - first, 0)) + 1) / max(
            self.warmup, 1
        )
        numbers[: len(warming)] *= warming
        return numbers

    def momenta(self, first: int, count: int) -> Numbers:
        """What momentum (beta1) is set to in each step; empty where the schedule leaves it
        alone.
        """
        momentum = self.schedule.record.momentum
        if momentum is None:
            return np.zeros(0)
        values = self.schedule.parameters.values()
        momentum_values = np.array(
            [momentum(float(first + k), self.total, *values) for k in range(count)]
        )
        return np.zeros(0) if math.isnan(momentum_values[0]) else momentum_values

    def observe(self, evaluation: Mapping[str, float]) -> None:
        """Take note of an evaluation after the first update."""
        if self.schedule.record.observe is None:
            return
        values = self.schedule.parameters
        self.memory = self.schedule.record.observe(
            self.memory, evaluation[str(values["monitor"])], *values.values()
        )


def rates_of(config: RunConfig, per_epoch: int, steps: int, validated: bool) -> Rates:
    """The rates of a run; `validated`: it has a validation part. Raises ConfigError where the
    schedule watches one that is not there.
    """
    training = config.training
    if training.schedule.parameters.get("monitor") == "val_loss" and not validated:
        raise ConfigError(
            f"schedule = {training.schedule} watches the validation loss, split = "
            f"{config.data.split[0]:g},{config.data.split[1]:g},{config.data.split[2]:g} "
            "leaves no validation part: give it one, or watch the training loss with "
            "performance(monitor=train_loss)"
        )
    return Rates(training.schedule, training.resolved_lr, training.warmup, per_epoch, steps)
