"""How large a net is: parameters, memory and operations per step, from its shapes alone."""

from __future__ import annotations

from collections.abc import Sequence

from dlprobe.dataclass import dataclass
from dlprobe.parts.normalizations import Normalization


@dataclass(frozen=True)
class LayerSize:
    """One layer of `fan_out` preactivations and `units` activations.

    `trained`: weights, bias parameters, norm scale and shift, what activation and residual
        connection learn. `running`: what a norm keeps untrained (mean and variance).
    """

    name: str
    fan_in: int
    fan_out: int
    units: int
    weights: int
    biases: int
    norm_trained: int
    running: int
    activation_trained: int = 0
    residual_trained: int = 0

    @property
    def trained(self) -> int:
        return (
            self.weights
            + self.biases
            + self.norm_trained
            + self.activation_trained
            + self.residual_trained
        )

    @property
    def parameters(self) -> int:
        """Trained parameters and running statistics together, as Keras counts them."""
        return self.trained + self.running


@dataclass(frozen=True)
class ModelSize:
    """The whole net. Floating-point operations of one training step; a multiply and an add count as
    two.

    Operations are those of the matrix products, which outweigh the rest: forward 2·B·fan_in·units
    per layer, the same again for dL/dW, and again for the error signal of all layers but the first.
    """

    layers: tuple[LayerSize, ...]
    batch: int
    trained: int
    running: int
    forward_operations: int
    step_operations: int
    recorded_bytes: int

    @property
    def parameters(self) -> int:
        """Trained parameters and running statistics together, as Keras counts them."""
        return self.trained + self.running


def layer_size(
    name: str,
    fan_in: int,
    fan_out: int,
    *,
    bias: bool,
    norm: Normalization | None,
    normalized: int | None = None,
    units: int | None = None,
    activation_trained: int = 0,
    residual_trained: int = 0,
    matrix: bool = True,
) -> LayerSize:
    """The size of one dense layer. normalized: width that the norm sees; units: width of the
    activation; both `fan_out` unless given.

    Without a matrix the layer only normalizes the net's input.

    >>> layer_size("hidden_1", 784, 300, bias=True, norm=None).parameters
    235500
    """
    width = fan_out if normalized is None else normalized
    learned, running = (
        (len(norm.learned(width)), norm.persistent(width)) if norm is not None else (0, 0)
    )
    units = fan_out if units is None else units
    weights, biases = (fan_in * fan_out, fan_out if bias else 0) if matrix else (0, 0)
    return LayerSize(
        name,
        fan_in,
        fan_out,
        units,
        weights,
        biases,
        learned,
        running,
        activation_trained,
        residual_trained,
    )


def model_size(
    layers: Sequence[LayerSize], batch: int, item_bytes: int, statistics: int, scalars: int
) -> ModelSize:
    """The size of a net of `layers` that trains on batches of `batch` samples with numbers of
    `item_bytes` bytes.

    statistics, scalars: recorded per layer and per step; scalars take 8 bytes.
    """
    trained = sum(layer.trained for layer in layers)
    running = sum(layer.running for layer in layers)
    products = [2 * batch * layer.weights for layer in layers]
    return ModelSize(
        layers=tuple(layers),
        batch=batch,
        trained=trained,
        running=running,
        forward_operations=sum(products),
        step_operations=3 * sum(products) - products[0],
        recorded_bytes=statistics * len(layers) * item_bytes + (scalars + 1) * 8,
    )
