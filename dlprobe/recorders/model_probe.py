"""What the probes of all frameworks share: steps that rise, and what the recorder does itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dlprobe.errors import ConfigError


class ModelProbe(ABC):
    """What `Probe` makes of a model, whatever its framework. recorder: what writes the run file."""

    recorder: Any
    _last = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.recorder.__exit__(kind, error, trace)

    def __call__(self, step: int) -> None:
        """Record the model as it is before update `step`. Raises ConfigError for a step that is
        not above the last one.
        """
        if step <= self._last:
            raise ConfigError(f"step {step} was probed after step {self._last}: steps rise")
        self._last = step
        self.run_pass(step)

    @abstractmethod
    def run_pass(self, step: int) -> None:
        """One pass on the fixed batch, recorded as a row."""

    def evaluation(self, step: int, **values: float) -> None:
        """Losses and metrics after `step` updates: train_loss, val_loss, train_error, …"""
        self.recorder.evaluation(step, **values)

    def data(
        self,
        x_train: Any,
        y_train: Any,
        x_val: Any = None,
        y_val: Any = None,
        *,
        keep: bool = False,
    ) -> None:
        """What the net is trained on, before the first probe: shapes, ranges, class counts and a
        fingerprint are kept; the arrays only with `keep`.
        """
        self.recorder.data(x_train, y_train, x_val, y_val, keep=keep)

    def close(self, status: str = "finished") -> Path | None:
        """The run is over; the path of its file, None where nothing was probed."""
        path: Path | None = self.recorder.close(status)
        return path
