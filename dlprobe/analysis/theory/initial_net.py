"""A net before its first step, as mean-field theory sees it: widths, variances of what is
drawn, norms, residual sums, dropout and noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dlprobe.config import ModelConfig, RunConfig
from dlprobe.dataclass import dataclass
from dlprobe.registry import Spec


@dataclass(frozen=True)
class Perturbations:
    """What training does to inputs and weights at random. keep: probability of not being
    dropped, of hidden outputs, inputs, weights; noise: its variance.
    """

    keep: float = 1.0
    input_keep: float = 1.0
    weight_keep: float = 1.0
    noise: float = 0.0
    input_noise: float = 0.0

    @classmethod
    def of(cls, model: ModelConfig) -> Perturbations:
        """What a configuration asks for."""
        return cls(
            1.0 - model.dropout,
            1.0 - model.input_dropout,
            1.0 - model.drop_connect,
            model.noise**2,
            model.input_noise**2,
        )


UNPERTURBED = Perturbations()


@dataclass(frozen=True)
class InitialNet:
    """The hidden layers of a net before its first step, hidden_1 first; one entry per hidden layer
    in every tuple.

    units: widths. weight_variance: Var(W) of one weight, or the measured mean square weight_rms².
        bias_variance: E b² of one bias parameter.
    features: number of inputs; input_mean_square: mean over samples and features of x² as the net
        sees it (measured on the training part).
    normalization: name of the normalization record, or None; position `before` or `after` the
        activation.
    transformed: weights go through a transform before use, so that weight_variance is not that of
        the parameters. centred: behind it those of a unit sum to 0.
    residual: α of each layer whose input is added to α times its result, None for one without; an
        empty tuple stands for None everywhere.
    """

    features: int
    input_mean_square: float
    units: tuple[int, ...]
    activations: tuple[Spec, ...]
    weight_variance: tuple[float, ...]
    bias_variance: tuple[float, ...]
    normalization: str | None = None
    position: str = "before"
    residual: tuple[float | None, ...] = ()
    perturbations: Perturbations = UNPERTURBED
    transformed: bool = False
    centred: bool = False

    def __post_init__(self) -> None:
        lengths = {
            len(self.units),
            len(self.activations),
            len(self.weight_variance),
            len(self.bias_variance),
            len(self.residual) or len(self.units),
        }
        if len(lengths) > 1:
            raise ValueError(
                "one entry per hidden layer expected: units, activations, variances and "
                f"residuals have lengths {sorted(lengths)}"
            )

    def cut(self, depth: int) -> InitialNet:
        """The net of the first `depth` hidden layers."""
        series = {
            name: getattr(self, name)[:depth]
            for name in ("units", "activations", "weight_variance", "bias_variance", "residual")
        }
        return replace(self, **series)

    @property
    def fan_in(self) -> tuple[int, ...]:
        """Number of inputs of each hidden layer: (features, units of hidden_1, …, of
        hidden_{n−1}).
        """
        return (self.features, *self.units[:-1]) if self.units else ()

    @property
    def scales(self) -> tuple[float | None, ...]:
        """α of every hidden layer, None without a residual connection."""
        return self.residual or (None,) * len(self.units)


def describe(
    features: int,
    units: Sequence[int],
    activations: Spec | Sequence[Spec],
    initializer: Spec,
    input_mean_square: float = 1.0,
    *,
    bias: bool = True,
    bias_initializer: Spec | None = None,
    normalization: str | None = None,
    position: str = "before",
    residual: Sequence[Spec | None] = (),
    perturbations: Perturbations = UNPERTURBED,
    transform: Spec | None = None,
) -> InitialNet:
    """The net that a configuration makes, with variances from the initializers' records (NaN for
    one without a formula, such as lsuv).

    One activation stands for all hidden layers. `bias_initializer` None means what the initializer
    itself draws for biases. `residual`: the connection of each hidden layer, None for one without.
    `transform`: what weights go through before use.
    Raises ValueError where activations or residuals and units differ in number.
    """
    specs = (activations,) * len(units) if isinstance(activations, Spec) else tuple(activations)
    fans = list(zip((features, *units), units, strict=False))
    return InitialNet(
        features=features,
        input_mean_square=input_mean_square,
        units=tuple(units),
        activations=specs,
        weight_variance=tuple(_weight_variance(initializer, transform, *fan) for fan in fans),
        bias_variance=tuple(
            _bias_variance(initializer, bias_initializer, *fan) if bias else 0.0 for fan in fans
        ),
        normalization=normalization,
        position=position,
        residual=_scales(residual),
        perturbations=perturbations,
        transformed=transform is not None,
        centred=transform is not None and transform.record.centred,
    )


def configured(config: RunConfig, features: int, input_mean_square: float) -> InitialNet:
    """The net of a configuration for data with so many features of this mean square (that
    behind a norm of the input is 1).
    """
    model = config.model
    units = [
        spec.record.width(columns)
        for spec, columns in zip(model.activations, model.layers, strict=True)
    ]
    return describe(
        features,
        units,
        model.activations,
        model.resolved_init,
        1.0 if model.input_norm is not None else input_mean_square,
        bias=model.bias,
        bias_initializer=model.bias_init,
        normalization=model.norm.name if model.norm else None,
        position=model.norm_position,
        residual=[
            model.residual if got == units[index] else None
            for index, got in enumerate((features, *units)[: len(units)])
        ]
        if model.residual
        else (),
        perturbations=Perturbations.of(model),
        transform=model.weight_transform,
    )


def _scales(residual: Sequence[Spec | None]) -> tuple[float | None, ...]:
    depth = sum(spec is not None for spec in residual)
    if depth:
        return tuple(
            None if spec is None else float(spec.record.scale(depth, *spec.parameters.values()))
            for spec in residual
        )
    return ()


def _variance(initializer: Spec, which: str, fan_in: int, fan_out: int) -> float:
    record = initializer.record
    parameters = [initializer.parameters[parameter.name] for parameter in record.parameters]
    return float(getattr(record, which)(fan_in, fan_out, *parameters))


def _weight_variance(initializer: Spec, transform: Spec | None, fan_in: int, fan_out: int) -> float:
    """Variance of the weights that the input is multiplied with."""
    drawn = _variance(initializer, "variance", fan_in, fan_out)
    if transform is None:
        return drawn
    return float(transform.record.variance(fan_in, drawn, *transform.parameters.values()))


def _bias_variance(initializer: Spec, own: Spec | None, fan_in: int, fan_out: int) -> float:
    """Var b, NaN where the biases are all the same number but not 0: that is a shift of the
    preactivation, which the theory leaves out.
    """
    if own is None:
        return _variance(initializer, "bias_variance", fan_in, fan_out)
    variance = _variance(own, "variance", fan_in, fan_out)
    parameters = [own.parameters[parameter.name] for parameter in own.record.parameters]
    shifted = (
        variance == 0.0 and own.record.weights(np.random.default_rng(0), 1, 1, *parameters).any()
    )
    return math.nan if shifted else variance
