"""The probe of a PyTorch model: a twin of it gets the weights, runs one pass on the fixed
batch, and is recorded by the same hooks as a training.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from dlprobe.errors import ConfigError
from dlprobe.recorders.torch.recording import Recording


class TorchProbe:
    """What `Probe` makes of a PyTorch model. Random numbers, running statistics, gradients and
    weights of the model are left as they are.
    """

    def __init__(
        self,
        model: Any,
        loss_fn: Callable[[Any, Any], Any],
        batch: tuple[Any, Any],
        path: Path,
        *,
        optimizer: Any = None,
        force: bool = False,
    ) -> None:
        self._model, self._loss_fn, self._batch, self._source = model, loss_fn, batch, optimizer
        while hasattr(self._model, "_orig_mod"):
            self._model = self._model._orig_mod
        self._twin = copy.deepcopy(self._model)
        for parameter in self._twin.parameters():
            parameter.grad = None
        self._optimizer = torch.optim.SGD(self._twin.parameters(), lr=0.0)
        self._recording = Recording(
            self._twin, [self._optimizer], path, every=1, force=force, strict=True, probes=True
        )
        self._last = -1

    def __enter__(self) -> TorchProbe:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(
            "finished"
            if kind is None
            else "failed"
            if issubclass(kind, Exception)
            else "interrupted"
        )

    def __call__(self, step: int) -> None:
        """Record the model as it is before update `step`. Raises ConfigError for a step that is
        not above the last one.
        """
        if step <= self._last:
            raise ConfigError(f"step {step} was probed after step {self._last}: steps rise")
        self._last = step
        self._twin.load_state_dict(self._model.state_dict())
        self._twin.train(self._model.training)
        if self._source is not None:
            self._optimizer.param_groups[0]["noted"] = dict(self._source.param_groups[0])
        inputs, targets = self._batch
        with torch.random.fork_rng(), torch.enable_grad():
            loss = self._loss_fn(self._twin(inputs), targets)
            loss.backward()
        self._recording.at(step)
        self._recording.loss(loss)
        self._optimizer.step()
        self._optimizer.zero_grad()

    def evaluation(self, step: int, **values: float) -> None:
        """Losses and metrics after `step` updates: train_loss, val_loss, train_error,
        val_error, …
        """
        self._recording.evaluation(step, **values)

    def data(
        self,
        x_train: Any,
        y_train: Any,
        x_val: Any = None,
        y_val: Any = None,
        *,
        keep: bool = False,
    ) -> None:
        """What the net is trained on, before the first probe: shapes, ranges, class counts and
        a fingerprint are kept; the arrays only with `keep`.
        """
        self._recording.data(x_train, y_train, x_val, y_val, keep=keep)

    def close(self, status: str = "finished") -> Path | None:
        """The run is over; the path of its file, None where nothing was probed."""
        return self._recording.close(status)
