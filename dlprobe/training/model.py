"""From a configuration and prepared data to the layers and loss that the engine takes: what
`auto` becomes is decided here.
"""

from __future__ import annotations

import math

from dlprobe.config import RunConfig, parse_spec
from dlprobe.data import PreparedData
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.nn import random
from dlprobe.nn.augmentation import image_numbers
from dlprobe.nn.layers import LayerSpec
from dlprobe.nn.network import Network
from dlprobe.nn.regulation import Regulation
from dlprobe.registry import Spec
from dlprobe.training.emphasis import refuse_impossible
from dlprobe.training.targets import TargetScaling, constant_targets, out_of_reach, target_scaling


@dataclass(frozen=True)
class Model:
    """A configuration with everything decided: loss, output activation, layers, the batch size in
    samples, how targets are scaled, and what shifts the samples of training steps (empty: nothing
    does).
    """

    loss: Spec
    layers: tuple[LayerSpec, ...]
    batch: int
    outputs: int
    target_scaling: TargetScaling = TargetScaling()
    image: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Raises ConfigError for a normalization or weight transform that a layer's width does
        not allow.
        """
        for name, layer in zip(self.names, self.layers, strict=True):
            problem = (
                layer.norm.record.problem(layer.normalized, *layer.norm.parameters.values())
                if layer.norm
                else ""
            )
            if problem:
                raise ConfigError(
                    f"{'norm' if layer.matrix else 'input_norm'} = {layer.norm}: {name}: {problem}"
                )
            spec = layer.transform[0] if layer.transform else None
            if (
                spec is not None
                and spec.kind == "weight_transform"
                and (problem := spec.record.problem(layer.fan_in, *spec.parameters.values()))
            ):
                raise ConfigError(f"weight_transform = {spec}: {name}: {problem}")

    @property
    def names(self) -> tuple[str, ...]:
        """hidden_1 … hidden_n, output, with `input` before them where the input is normalized;
        index 0 is nearest the input.
        """
        first = () if self.layers[0].matrix else ("input",)
        return (
            *first,
            *(f"hidden_{k + 1}" for k in range(len(self.layers) - len(first) - 1)),
            "output",
        )


def resolve(config: RunConfig, data: PreparedData) -> Model:
    """Decide loss, outputs and layers for this data."""
    loss = config.training.loss or parse_spec(
        "loss", "cross_entropy" if data.task == "classification" else "mse"
    )
    refuse_impossible(config, loss, data)
    outputs = output_units(loss, data)
    output_activation = config.model.output_activation or parse_spec(
        "activation", auto_output_activation(loss, data)
    )
    activations = (*config.model.activations, output_activation)
    hidden = len(config.model.layers)
    # of every W
    columns = (*config.model.layers, outputs * output_activation.record.inputs_per_unit)
    inputs = (
        len(data.feature_names),
        *(activations[k].record.width(columns[k]) for k in range(hidden)),
    )
    layers = [
        LayerSpec(
            fan_in=inputs[k],
            fan_out=columns[k],
            activation=activations[k],
            initializer=config.model.resolved_init,
            bias_initializer=config.model.bias_init,
            norm=config.model.norm if k < hidden else None,
            norm_after=config.model.norm_position == "after",
            bias=config.model.bias,
            before=perturbations(config, k == 0),
            transform=weight_transform(config, k < hidden),
            residual=config.model.residual
            if k < hidden and inputs[k] == activations[k].record.width(columns[k])
            else None,
        )
        for k in range(hidden + 1)
    ]
    refuse_lone_residual(config, layers, inputs)
    if config.model.input_norm is not None:
        layers.insert(0, input_layer(config.model.input_norm, inputs[0], layers[0]))
    samples = len(data.inputs["train"])
    batch = (
        samples
        if config.training.batch_size == "full"
        else min(int(config.training.batch_size), samples)
    )
    scaling = target_scaling(config.data.target_scaling, loss, output_activation, data.task)
    return Model(loss, tuple(layers), batch, outputs, scaling, image_of(config, data))


def image_of(config: RunConfig, data: PreparedData) -> tuple[float, ...]:
    """The numbers that shift images in training (`image_numbers`); () without `augment`."""
    chosen = config.data.augment
    if chosen is None:
        return ()
    values = chosen.parameters
    return image_numbers(
        int(values["pixels"]),
        math.isqrt(len(data.feature_names)),
        float(values["fill"]),
        data.scaler.shift,
        data.scaler.scale,
    )


def perturbations(config: RunConfig, first: bool) -> tuple[tuple[Spec, int], ...]:
    """(perturbation, random stream) of a layer's input in training: dropout, then Gaussian noise,
    each where its rate or deviation is above 0; the first layer has options of its own.
    """
    model = config.model
    rate, std = (model.input_dropout, model.input_noise) if first else (model.dropout, model.noise)
    chosen = (
        [(parse_spec("perturbation", {"name": "dropout", "rate": rate}), random.DROPOUT)]
        if rate > 0
        else []
    )
    return (
        *chosen,
        *(
            [(parse_spec("perturbation", {"name": "gaussian_noise", "std": std}), random.NOISE)]
            if std > 0
            else []
        ),
    )


def weight_transform(config: RunConfig, hidden: bool) -> tuple[Spec, int] | None:
    """(transform of W, random stream): the configured weight transform in hidden layers, else
    drop-connect where its rate is above 0, else None.
    """
    if config.model.weight_transform is not None and hidden:
        return config.model.weight_transform, random.WEIGHTS  # nothing is drawn
    rate = config.model.drop_connect
    return (
        (parse_spec("perturbation", {"name": "dropout", "rate": rate}), random.DROP_CONNECT)
        if rate > 0
        else None
    )


def refuse_lone_residual(
    config: RunConfig, layers: list[LayerSpec], inputs: tuple[int, ...]
) -> None:
    """A residual connection needs a hidden layer that is as wide as what it gets. Raises
    ConfigError where there is none.
    """
    if config.model.residual is not None and not any(layer.residual for layer in layers):
        fault = " → ".join(map(str, inputs))
        reason = (
            f"no hidden layer is as wide as what it gets ({fault}): expected equal widths, e.g. "
            f"--layers {inputs[1] if len(inputs) > 1 else 100}x4"
        )
        raise ConfigError(f"model.residual = {config.model.residual}: {reason}")


def input_layer(norm: Spec, features: int, following: LayerSpec) -> LayerSpec:
    """The layer without a matrix that normalizes the input."""
    linear = parse_spec("activation", "linear")
    return LayerSpec(
        features, features, linear, following.initializer, norm=norm, bias=False, matrix=False
    )


def regulation(config: RunConfig) -> Regulation:
    """Penalties, clipping and constraints as the engine takes them."""
    training = config.training
    bounds = {
        key: math.inf if (bound := getattr(training, key)) is None else bound
        for key in ("clip_value", "clip_layer_norm", "clip_global_norm", "max_norm")
    }
    strengths = {
        key: getattr(training, key)
        for key in ("l1", "l2", "bias_l1", "bias_l2", "activity_l1", "activity_l2")
    }
    return Regulation(
        **strengths, **bounds, orthogonal=training.orthogonal_penalty, proximal=training.l1_proximal
    )


def output_units(loss: Spec, data: PreparedData) -> int:
    """One output per class or target column; two classes share one under a loss whose outputs
    say yes or no each.
    """
    return (
        1
        if data.task == "classification" and loss.record.independent and data.outputs == 2
        else data.outputs
    )


def auto_output_activation(loss: Spec, data: PreparedData) -> str:
    """What the loss takes; linear for targets that are not classes."""
    return str(loss.record.output_activation) if data.task == "classification" else "linear"


def warnings_for_data(model: Model, data: PreparedData, config: RunConfig) -> list[str]:
    """Combinations of data and loss that train, but hardly as meant."""
    warnings = []
    if config.training.label_smoothing > 0 and "regression" in model.loss.record.tasks:
        effect = (
            "it moves the target of every output, but there are no probabilities to keep from "
            "certainty"
        )
        warnings.append(
            f"label_smoothing = {config.training.label_smoothing:g} with loss = {model.loss}: "
            f"{effect}; take cross_entropy"
        )
    if data.task not in model.loss.record.tasks:
        suits = " or ".join(model.loss.record.tasks)
        warnings.append(
            f"loss = {model.loss} is meant for {suits}, the data is {data.task}: it trains, "
            "but the loss cannot express the targets"
        )
    if model.layers[-1].activation.name == "softmax" and model.outputs == 1:
        warnings.append(
            "output_activation = softmax with one output is always 1, no gradient flows: use "
            "sigmoid or more outputs"
        )
    return [
        *warnings,
        *filter(
            None,
            (
                constant_targets(data),
                out_of_reach(model.target_scaling, model.loss, model.layers[-1].activation, data),
            ),
        ),
    ]


def build(config: RunConfig, model: Model, *, keep_gradients: bool = False) -> Network:
    """The network of a resolved model, with its initial parameters."""
    training = config.training
    return Network(
        model.layers,
        model.loss,
        training.optimizer,
        batch=model.batch,
        seed=training.seed,
        dtype=training.dtype,
        keep_gradients=keep_gradients,
        regulation=regulation(config),
        mixup=training.mixup,
        image=model.image,
    )
