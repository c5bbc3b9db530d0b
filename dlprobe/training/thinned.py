"""The thinned nets of dropout: their mean output beside that of the whole net, which stands for
it.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.nn.network import NetworkState
from dlprobe.nn.random import epoch_order
from dlprobe.parts.losses import RowLoss
from dlprobe.parts.metrics import Scored
from dlprobe.training import metrics
from dlprobe.training.session import Session
from dlprobe.training.targets import in_user_units

Array = npt.NDArray[Any]
NAMES = ("loss", "error", "rmse")  # what is kept of the ensemble, as far as the task has it


def ensemble(session: Session, part: str) -> dict[str, float]:
    """Loss and error of the mean output of `recording.mc_dropout` thinned nets on one part, as
    `test_mc_loss`, `test_mc_error` (Gal & Ghahramani 2016, Dropout as a Bayesian approximation).
    Empty without the option or samples.
    """
    nets, data = session.config.recording.mc_dropout, session.data
    if not nets or not len(data.inputs[part]):
        return {}
    outputs = mean_outputs(session, part, nets)
    scored = Scored(
        in_user_units(session.target_scaler, outputs),
        data.targets[part],
        len(data.class_names),
        session.model.loss.record.threshold,
    )
    numbers = metrics.numbers(data.task, part, scored)
    found = {name: float(value) for name, value in numbers.items()}
    found[f"{part}_loss"] = loss_of(session, outputs, session.targets[part])
    return {
        f"{part}_mc_{name}": found[f"{part}_{name}"] for name in NAMES if f"{part}_{name}" in found
    }


def mean_outputs(session: Session, part: str, nets: int) -> Array:
    """Mean outputs (samples, outputs), float64, over thinned nets. Each batch of each net is a
    training step of its own, with its own masks, from the same state, which is left as it was.
    """
    network, inputs, targets = session.network, session.data.inputs[part], session.targets[part]
    now = network.trained
    state = NetworkState(
        *(each.copy() for each in (now.parameters, now.state, now.moments, now.optimizer_values))
    )
    total, last = np.zeros(targets.shape), len(network.layers) - 1
    steps = count(session.step)
    for _ in range(nets):
        for first in range(0, len(inputs), network.batch):
            rows, step = slice(first, first + network.batch), next(steps)
            batch = inputs[rows]
            network.train(batch, targets[rows], step, np.zeros(1), keep_gradients=False)
            order = first + epoch_order(network.seed, step, len(batch))
            total[order] += network.activations(last, len(batch))
            network.adopt(state)
    return total / nets


def loss_of(session: Session, outputs: Array, targets: Array) -> float:
    """The mean loss of outputs (samples, outputs), both as they are trained."""
    spec = session.model.loss
    numbers = spec.record.numbers(spec.parameters)
    if isinstance(spec.record, RowLoss):
        losses = [
            spec.record.row(made, wanted, np.empty_like(made), *numbers)
            for made, wanted in zip(outputs, targets.astype(np.float64), strict=True)
        ]
    else:
        each = np.vectorize(lambda made, wanted: spec.record.value(made, wanted, *numbers))
        losses = each(outputs, targets.astype(np.float64)).sum(axis=1)
    return float(np.mean(losses)) * float(spec.record.share(spec.parameters, outputs.shape[1]))
