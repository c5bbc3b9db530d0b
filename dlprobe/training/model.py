"""From a configuration and prepared data to the layers, loss and target arrays that the engine takes: what `auto` becomes is decided here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.config import RunConfig, parse_spec
from dlprobe.data import PreparedData
from dlprobe.errors import ConfigError
from dlprobe.nn.network import LayerSpec, Network
from dlprobe.registry import Spec
from dlprobe.training.emphasis import refuse_impossible

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Model:
    """A configuration with everything decided: loss, output activation, layers, and the batch size in samples."""

    loss: Spec
    layers: tuple[LayerSpec, ...]
    batch: int
    outputs: int

    def __post_init__(self) -> None:
        """Raises ConfigError for a normalization that a layer's width does not allow."""
        for name, layer in zip(self.names, self.layers, strict=True):
            problem = layer.norm.record.problem(layer.normalized, *layer.norm.parameters.values()) if layer.norm else ""
            if problem:
                raise ConfigError(f"norm = {layer.norm}: {name}: {problem}")

    @property
    def names(self) -> tuple[str, ...]:
        """hidden_1 … hidden_n, output; index 0 is nearest the input."""
        return (*(f"hidden_{k + 1}" for k in range(len(self.layers) - 1)), "output")


def resolve(config: RunConfig, data: PreparedData) -> Model:
    """Decide loss, outputs and layers for this data."""
    loss = config.training.loss or parse_spec("loss", "cross_entropy" if data.task == "classification" else "mse")
    refuse_impossible(config, loss, data)
    outputs = output_units(loss, data)
    output_activation = config.model.output_activation or parse_spec("activation", auto_output_activation(loss, data))
    activations = (*config.model.activations, output_activation)
    hidden = len(config.model.layers)
    columns = (*config.model.layers, outputs * output_activation.record.inputs_per_unit)  # of every W
    inputs = (len(data.feature_names), *(activations[k].record.width(columns[k]) for k in range(hidden)))
    layers = tuple(
        LayerSpec(
            fan_in=inputs[k],
            fan_out=columns[k],
            activation=activations[k],
            initializer=config.model.resolved_init,
            bias_initializer=config.model.bias_init,
            norm=config.model.norm if k < hidden else None,
            norm_after=config.model.norm_position == "after",
            bias=config.model.bias,
        )
        for k in range(hidden + 1)
    )
    samples = len(data.inputs["train"])
    batch = samples if config.training.batch_size == "full" else min(int(config.training.batch_size), samples)
    return Model(loss, layers, batch, outputs)


def output_units(loss: Spec, data: PreparedData) -> int:
    """One output per class or target column; two classes share one under a loss whose outputs say yes or no each."""
    return 1 if data.task == "classification" and loss.record.independent and data.outputs == 2 else data.outputs


def auto_output_activation(loss: Spec, data: PreparedData) -> str:
    """What the loss takes; linear for targets that are not classes."""
    return str(loss.record.output_activation) if data.task == "classification" else "linear"


def warnings_for_data(model: Model, data: PreparedData, config: RunConfig) -> list[str]:
    """Combinations of data and loss that train, but hardly as meant."""
    found = []
    if config.training.label_smoothing > 0 and "regression" in model.loss.record.tasks:
        effect = "it moves the target of every output, but there are no probabilities to keep from certainty"
        found.append(f"label_smoothing = {config.training.label_smoothing:g} with loss = {model.loss}: {effect}; take cross_entropy")
    if data.task not in model.loss.record.tasks:
        suits = " or ".join(model.loss.record.tasks)
        found.append(f"loss = {model.loss} is meant for {suits}, the data is {data.task}: it trains, but the loss cannot express the targets")
    if model.layers[-1].activation.name == "softmax" and model.outputs == 1:
        found.append("output_activation = softmax with one output is always 1, no gradient flows: use sigmoid or more outputs")
    return found


def encode_targets(model: Model, data: PreparedData, part: str, dtype: npt.DTypeLike) -> Array:
    """Targets of a part as (samples, outputs) of `dtype`: one-hot classes, the class index for a single output, or values; signs for a signed loss."""
    targets = data.targets[part]
    if data.task == "regression":
        return np.ascontiguousarray(targets.reshape(len(targets), model.outputs), dtype)
    encoded = np.zeros((len(targets), model.outputs), dtype)
    if model.outputs == 1:
        encoded[:, 0] = targets
    else:
        encoded[np.arange(len(targets)), targets] = 1
    return 2 * encoded - 1 if model.loss.record.signed else encoded


def build(config: RunConfig, model: Model, *, keep_gradients: bool = False) -> Network:
    """The network of a resolved model, with its initial parameters."""
    training = config.training
    return Network(model.layers, model.loss, training.optimizer, batch=model.batch, seed=training.seed, dtype=training.dtype, keep_gradients=keep_gradients)
