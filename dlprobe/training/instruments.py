"""Instruments of a run: at their cadence a step is a block of its own, after which everything is
still in the net's memory and is measured here.

Nothing here writes to the net, so training is bitwise the same with and without.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.nn import observe
from dlprobe.nn.jacobian import log_singular_values
from dlprobe.nn.working import BlockResult
from dlprobe.record.scalars import BATCH_LOSS
from dlprobe.training import measuring
from dlprobe.training.session import Session
from dlprobe.training.sharpness import Sharpness

Array = npt.NDArray[Any]


def before_step(session: Session) -> dict[str, Array] | None:
    """What has to be measured before the coming step where its histograms are due, by path of the
    run file: the weights, and what needs a pass through the net of its own.
    """
    if not session.watch.histograms_due(session.step):
        return None
    return _on_request(session) | _weights(session)


def after_step(
    session: Session, step: int, before: dict[str, Array] | None, result: BlockResult
) -> None:
    """Read what is due at `step`, the one step of the block that has just been run, and hand it
    on.
    """
    watch = session.watch
    if watch.recorder is None or not watch.due(step):
        return
    values: dict[str, Array] = {}
    rows = _batch_rows(session, step)
    if before is not None:
        values |= before | _histograms(session, rows, _has_gradient(result))
    if watch.units_due(step):
        values["tracked/percentiles"] = np.array(
            [
                measuring.percentiles(session.network.preactivations(layer, rows)[:, unit])
                for layer, unit in watch.units
            ]
        )
    watch.recorder.instruments(step, values)


def _on_request(session: Session) -> dict[str, Array]:
    """What was asked for, on the first training samples."""
    watch, inputs, targets = session.watch, session.data.inputs["train"], session.targets["train"]
    values: dict[str, Array] = {}
    if watch.jacobian:
        logs = log_singular_values(
            session.network, inputs[: watch.jacobian], targets[: watch.jacobian]
        )
        values |= {
            f"instruments/jacobian_{name}": np.array(number)
            for name, number in measuring.spread(logs).items()
        }
    if watch.sharpness:
        watch.hessian = watch.hessian or _hessian(session, watch.sharpness)
        values["instruments/sharpness"] = np.array(
            watch.hessian.largest_eigenvalue(session.network.parameters)
        )
    return values


def _hessian(session: Session, samples: int) -> Sharpness:
    """Sharpness of the loss as training sees it, label smoothing and class weights included, on the
    first training samples.
    """
    training, weights = session.config.training, session.weights
    chosen = (
        session.data.inputs["train"][:samples],
        session.trained_targets[:samples],
        None if weights is None else weights[:samples],
    )
    return Sharpness(session.model, *chosen, training.seed, training.dtype)


def _batch_rows(session: Session, step: int) -> int:
    """Samples of the step's batch; the last one of an epoch may be short."""
    samples, batch = len(session.data.inputs["train"]), session.model.batch
    return min(batch, samples - step % session.per_epoch * batch)


def _has_gradient(result: BlockResult) -> bool:
    """A step whose forward pass met non-finite numbers ends before its backward pass."""
    lost = result.statistics[-1, :, observe.NONFINITE_FORWARD].sum() > 0
    return not (result.diverged and (lost or not np.isfinite(result.scalars[-1, BATCH_LOSS])))


def _weights(session: Session) -> dict[str, Array]:
    network = session.network
    weights = [network.weights(index) for index in range(len(network.layers))]
    norms = np.array([measuring.spectral_norm(array) for array in weights])
    return _distributions("weight", weights) | {"instruments/weight_spectral_norm": norms}


def _histograms(session: Session, rows: int, has_gradient: bool) -> dict[str, Array]:
    network, layers = session.network, range(len(session.network.layers))
    activations = [network.activations(index, rows) for index in layers]
    gradients = network.gradients if has_gradient else network.gradients[:0]
    taken = {
        "preactivation": [network.preactivations(index, rows) for index in layers],
        "activation": activations,
        "gradient": [
            network.weights_in(gradients, index) if has_gradient else gradients for index in layers
        ],
    }
    values = {
        "instruments/activation_effective_rank": np.array(
            [measuring.effective_rank(array) for array in activations]
        ),
        "instruments/activation_cosine": np.array(
            [measuring.mean_cosine(array) for array in activations]
        ),
    }
    for what, arrays in taken.items():
        values |= _distributions(what, arrays)
    return values


def _distributions(what: str, arrays: list[Array]) -> dict[str, Array]:
    """Histograms and percentiles of one array per layer, by path of the run file."""
    distributions = [measuring.distribution(array) for array in arrays]
    return {
        f"histograms/{what}/{name}": np.array([getattr(one, name) for one in distributions])
        for name in measuring.PARTS
    }
