"""The probe of a PyTorch model: a twin of it gets the weights, runs one pass on the fixed
batch, and is recorded by the same hooks as a training.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from dlprobe.recorders.model_probe import ModelProbe
from dlprobe.recorders.torch.recording import Recording


class TorchProbe(ModelProbe):
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
        self.recorder = Recording(
            self._twin, [self._optimizer], path, every=1, force=force, strict=True, probes=True
        )

    def run_pass(self, step: int) -> None:
        self._twin.load_state_dict(self._model.state_dict())
        self._twin.train(self._model.training)
        if self._source is not None:
            self._optimizer.param_groups[0]["noted"] = dict(self._source.param_groups[0])
        inputs, targets = self._batch
        with torch.random.fork_rng(), torch.enable_grad():
            loss = self._loss_fn(self._twin(inputs), targets)
            loss.backward()
        self.recorder.at(step)
        self.recorder.loss(loss)
        self._optimizer.step()
        self._optimizer.zero_grad()
