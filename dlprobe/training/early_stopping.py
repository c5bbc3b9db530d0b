"""Ending a run whose evaluations no longer improve, counted as Keras's EarlyStopping counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import field
from typing import Any

from dlprobe.config import FieldError, RunConfig
from dlprobe.data import PreparedData
from dlprobe.dataclass import dataclass
from dlprobe.registry import counted
from dlprobe.training import metrics


@dataclass
class EarlyStopping:
    """What early stopping has seen so far.

    An evaluation improves if it is better than the best one by more than `min_delta` (the first
    number always is, NaN never); the `patience`-th in a row that does not ends the run. With
    patience 0 the first one ends it.
    """

    monitor: str
    higher_is_better: bool
    patience: int
    min_delta: float
    restore_best: bool
    best_value: float = math.nan
    best_step: int = -1
    waited: int = 0
    stopped: bool = False
    kept: Any = field(default=None, repr=False)

    def observe(self, step: int, value: float, snapshot: Callable[[], Any]) -> None:
        """Take in the evaluation after `step` updates; `snapshot` copies what must be kept of
        the net.
        """
        self.waited += 1
        if self.improves(value):
            self.best_value, self.best_step, self.waited = value, step, 0
            self.kept = snapshot() if self.restore_best else None
        elif self.waited >= self.patience:
            self.stopped = True

    def improves(self, value: float) -> bool:
        """Whether a value is better than the best so far by more than `min_delta`; the first one
        is, unless it is NaN.
        """
        if self.best_step < 0:
            return not math.isnan(value)
        return (
            value - self.min_delta > self.best_value
            if self.higher_is_better
            else value + self.min_delta < self.best_value
        )

    @property
    def reason(self) -> str:
        """Why the run ended, for the run file."""
        times = "1 evaluation" if self.patience <= 1 else counted(self.patience, "evaluation")
        return f"early stopping: {self.monitor} did not improve in {times}"


def early_stopping_of(config: RunConfig, data: PreparedData) -> EarlyStopping | None:
    """What the configuration asks for. Raises ConfigError where its monitor is not what
    evaluations of this data have.
    """
    spec = config.training.early_stopping
    if spec is None:
        return None
    monitor = str(spec.parameters["monitor"]).replace("-", "_").lower()
    try:
        higher = metrics.higher_is_better(monitor, data.task)
    except ValueError as error:
        raise FieldError("training", "early_stopping", str(spec), str(error)) from None
    if not len(data.inputs[monitor.partition("_")[0]]):
        reason = (
            f"split leaves no validation samples for {monitor}: expected a split that does, or a "
            "train_… monitor"
        )
        raise FieldError("training", "early_stopping", str(spec), reason)
    settings = spec.parameters
    return EarlyStopping(
        monitor,
        higher,
        int(settings["patience"]),
        float(settings["min_delta"]),
        bool(settings["restore_best"]),
    )
