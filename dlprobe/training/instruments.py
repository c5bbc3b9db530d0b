"""Instruments of a run: at their cadence a step is a block of its own, after which everything is still in the net's memory and is measured here.

Nothing here writes to the net, so training is bitwise the same with and without.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dlprobe import registry
from dlprobe.config import RunConfig
from dlprobe.data import PreparedData
from dlprobe.errors import ConfigError
from dlprobe.nn import observe
from dlprobe.nn.jacobian import log_singular_values
from dlprobe.nn.network import BlockResult
from dlprobe.record.recorder import Recorder
from dlprobe.record.scalars import BATCH_LOSS
from dlprobe.training import measuring
from dlprobe.training.model import Model
from dlprobe.training.sharpness import Sharpness

if TYPE_CHECKING:
    from dlprobe.training.trainer import Session

Array = npt.NDArray[Any]
HISTOGRAMS = 20  # per run
LOOKS_AT_UNITS = 200  # per run


@dataclass(frozen=True)
class Before:
    """Parameters (P,) before a step, and what was measured there by path of the run file."""

    parameters: Array
    values: dict[str, Array]


class Watch:
    """When instruments are read in one run, and reading them. Raises ConfigError for a tracked unit that the net does not have."""

    def __init__(self, config: RunConfig, model: Model, data: PreparedData):
        recording, training = config.recording, config.training
        steps = training.steps or (training.epochs or 1) * -(-len(data.inputs["train"]) // model.batch)
        wanted = recording.histogram_every
        self.histogram_every = None if wanted == "never" else wanted or max(1, steps // HISTOGRAMS)
        self.units = [_place(text, model) for text in recording.track_unit or ()]
        self.track_every = (recording.track_every or max(1, steps // LOOKS_AT_UNITS)) if self.units else None
        self.jacobian, self.sharpness = recording.jacobian or 0, recording.sharpness or 0
        self._hessian: Sharpness | None = None
        self._recorder: Recorder | None = None

    def begin(self, recorder: Recorder) -> None:
        """The run starts; a recorder that takes no instruments switches them off."""
        self._recorder = recorder if recorder.takes_instruments else None

    def due(self, step: int) -> bool:
        """Whether something is read at this step."""
        return self._recorder is not None and any(step % every == 0 for every in self._cadences())

    def next_mark(self, step: int) -> int:
        """Where a block that starts at `step` has to end: at once where the step is read, else at the next one that is."""
        if self._recorder is None:
            return sys.maxsize
        return step + 1 if self.due(step) else min(((step // every + 1) * every for every in self._cadences()), default=sys.maxsize)

    def before(self, session: Session) -> Before | None:
        """What has to be taken before the coming step where its histograms are due: the parameters, and what needs a pass through the net of its own."""
        if not self._histograms_due(session.step):
            return None
        parameters = session.network.parameters.copy()
        return Before(parameters, self._on_request(session, parameters))

    def after(self, session: Session, step: int, before: Before | None, result: BlockResult) -> None:
        """Read what is due at `step`, the one step of the block that has just been run, and hand it on."""
        if self._recorder is None or not self.due(step):
            return
        values: dict[str, Array] = {}
        rows = _batch_rows(session, step)
        if before is not None:
            values |= before.values | _histograms(session, before.parameters, rows, _has_gradient(result))
        if self.track_every is not None and step % self.track_every == 0:
            values["tracked/percentiles"] = np.array(
                [measuring.percentiles(session.network.preactivations(layer, rows)[:, unit]) for layer, unit in self.units]
            )
        self._recorder.instruments(step, values)

    def described(self) -> dict[str, list[int]]:
        """Layer and number of each tracked unit, as the run file names them."""
        return {"layer": [layer for layer, _ in self.units], "unit": [unit for _, unit in self.units]} if self.units else {}

    def _on_request(self, session: Session, parameters: Array) -> dict[str, Array]:
        """What was asked for, on the first training samples."""
        inputs, targets = session.data.inputs["train"], session.targets["train"]
        values: dict[str, Array] = {}
        if self.jacobian:
            logs = log_singular_values(session.network, inputs[: self.jacobian], targets[: self.jacobian])
            values |= {f"instruments/jacobian_{name}": np.array(number) for name, number in measuring.spread(logs).items()}
        if self.sharpness:
            self._hessian = self._hessian or _hessian(session, self.sharpness)
            values["instruments/sharpness"] = np.array(self._hessian.largest_eigenvalue(parameters))
        return values

    def _cadences(self) -> list[int]:
        return [every for every in (self.histogram_every, self.track_every) if every is not None]

    def _histograms_due(self, step: int) -> bool:
        return self._recorder is not None and self.histogram_every is not None and step % self.histogram_every == 0


def _place(text: str, model: Model) -> tuple[int, int]:
    """(layer, unit) of `hidden_1:3`."""
    name, _, number = text.partition(":")
    if name not in model.names:
        raise ConfigError(f"track_unit = {text}: {registry.unknown('layer', name, model.names)}")
    layer = model.names.index(name)
    units = model.layers[layer].fan_out
    if int(number) >= units:
        raise ConfigError(f"track_unit = {text}: {name} has {units} units: expected {name}:0 to {name}:{units - 1}")
    return layer, int(number)


def _hessian(session: Session, samples: int) -> Sharpness:
    """Of the loss as training sees it, label smoothing and class weights included, on the first training samples."""
    training, weights = session.config.training, session.weights
    chosen = session.data.inputs["train"][:samples], session.trained_targets[:samples], None if weights is None else weights[:samples]
    return Sharpness(session.model, *chosen, training.seed, training.dtype)


def _batch_rows(session: Session, step: int) -> int:
    """Samples of the step's batch; the last one of an epoch may be short."""
    samples, batch = len(session.data.inputs["train"]), session.model.batch
    return min(batch, samples - step % session.per_epoch * batch)


def _has_gradient(result: BlockResult) -> bool:
    """A step whose forward pass met non-finite numbers ends before its backward pass."""
    lost = result.statistics[-1, :, observe.NONFINITE_FORWARD].sum() > 0
    return not (result.diverged and (lost or not np.isfinite(result.scalars[-1, BATCH_LOSS])))


def _histograms(session: Session, before: Array, rows: int, has_gradient: bool) -> dict[str, Array]:
    """Everything that is measured of all layers at once."""
    network, names = session.network, session.model.names
    weights = [network.weights_in(before, index) for index in range(len(names))]
    activations = [network.activations(index, rows) for index in range(len(names))]
    taken = {
        "preactivation": [network.preactivations(index, rows) for index in range(len(names))],
        "activation": activations,
        "weight": weights,
        "gradient": [network.weights_in(network.gradients, index) if has_gradient else before[:0] for index in range(len(names))],
    }
    values: dict[str, Array] = {}
    for what, arrays in taken.items():
        found = [measuring.distribution(array) for array in arrays]
        values |= {f"histograms/{what}/{name}": np.array([getattr(one, name) for one in found]) for name in measuring.PARTS}
    measured = {
        "weight_spectral_norm": [measuring.spectral_norm(array) for array in weights],
        "activation_effective_rank": [measuring.effective_rank(array) for array in activations],
        "activation_cosine": [measuring.mean_cosine(array) for array in activations],
    }
    return values | {f"instruments/{name}": np.array(numbers) for name, numbers in measured.items()}
