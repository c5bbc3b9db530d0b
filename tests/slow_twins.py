"""Plain NumPy and Python forms of everything the engine compiles, written to be read, not to be
fast. All work in float64 whatever the dtype given.

Elementwise records are run as they stand, one number at a time. Normalizations, statistics,
shuffles and the whole net are written here from their definitions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.nn.layers import LayerSpec
from dlprobe.nn.network import Network
from dlprobe.parts.activations import (
    Activation,
    GatedActivation,
    LearnedActivation,
    RandomActivation,
    RowActivation,
)
from dlprobe.parts.losses import RowLoss
from dlprobe.registry import Spec

Array = npt.NDArray[Any]
DEFINED_NORMS = (
    "batch",
    "layer",
    "group",
    "rms",
)  # written below from their definitions; another one is run as its record stands


def wide(values: Array) -> npt.NDArray[np.float64]:
    return np.array(values, np.float64)


def each(
    function: Callable[..., float], *arrays: Array, parameters: tuple[Any, ...] = ()
) -> npt.NDArray[np.float64]:
    """`function` of every element, as plain Python floats."""
    flat = zip(*(wide(array).ravel().tolist() for array in arrays), strict=True)
    return np.array([float(function(*numbers, *parameters)) for numbers in flat]).reshape(
        arrays[0].shape
    )


# --- activations
# --------------------------------------------------------------------------------------------------


def numbers(
    spec: Spec, z: Array, learned: Array | None, counter: tuple[int, ...] | None
) -> list[Array]:
    """What an elementwise record's functions take besides z, each of the shape of z: its
    parameters, a learned number, or one drawn for every element.

    counter: (seed, layer, step) of a training step, None in evaluation. `learned` None: as
        initialized.
    """
    if isinstance(spec.record, LearnedActivation) and learned is not None:
        return [np.broadcast_to(wide(learned), z.shape)]
    if isinstance(spec.record, RandomActivation) and counter is not None:
        lower, upper = (float(value) for value in spec.parameters.values())
        return [lower + (upper - lower) * shares(z.size, counter).reshape(z.shape)]
    return [np.full(z.shape, value) for value in spec.record.numbers(*spec.parameters.values())]


def shares(size: int, counter: tuple[int, ...]) -> Array:
    """Draws from U(0, 1) of 24 bits, in the order of the elements."""
    seed, layer, step = counter
    purpose = 4
    key = mix(mix(mix(seed) ^ purpose) ^ mix(layer) ^ step)
    return np.array([((mix((key + i) % WORD) >> 40) + 0.5) / 2**24 for i in range(size)])


def activate(
    spec: Spec, z: Array, learned: Array | None = None, counter: tuple[int, ...] | None = None
) -> npt.NDArray[np.float64]:
    """φ(z) of a block (samples, fan_out)."""
    if isinstance(spec.record, Activation):
        return each(spec.record.value, z, *numbers(spec, z, learned, counter))
    # lists: plain floats make NaN of ∞ − ∞ without a warning
    rows = [spec.record.evaluate(row, *spec.parameters.values()) for row in wide(z).tolist()]
    return np.array(rows).reshape(len(z), spec.record.width(z.shape[1]))


def slopes(
    spec: Spec,
    z: Array,
    a: Array,
    learned: Array | None = None,
    counter: tuple[int, ...] | None = None,
) -> npt.NDArray[np.float64] | None:
    """φ'(z) elementwise, None where an activation has no slope of its own."""
    if not isinstance(spec.record, Activation):
        return None
    return each(spec.record.slope, z, a, *numbers(spec, z, learned, counter))


def activate_backward(
    spec: Spec,
    z: Array,
    a: Array,
    da: Array,
    learned: Array | None = None,
    counter: tuple[int, ...] | None = None,
) -> npt.NDArray[np.float64]:
    """dL/dz from dL/da."""
    slope = slopes(spec, z, a, learned, counter)
    if slope is not None:
        return wide(da) * slope
    out, values = [], tuple(spec.parameters.values())
    for row, of_row, d in zip(wide(z).tolist(), wide(a).tolist(), wide(da).tolist(), strict=True):
        if isinstance(spec.record, GatedActivation):
            half = len(row) // 2
            pairs = [
                spec.record.slopes(u, v, *values)
                for u, v in zip(row[:half], row[half:], strict=True)
            ]
            out.append(
                [dj * pair[side] for side in (0, 1) for dj, pair in zip(d, pairs, strict=True)]
            )
            continue
        assert isinstance(spec.record, RowActivation)
        out.append([0.0] * len(row))
        spec.record.row_backward(of_row, d, out[-1], *values)
    return np.array(out).reshape(z.shape)


def learned_gradient(spec: Spec, z: Array, da: Array, learned: Array) -> npt.NDArray[np.float64]:
    """dL/d of an activation's learned numbers: Σ over samples of da·∂a/∂s, over units too where
    one is shared.
    """
    if not isinstance(spec.record, LearnedActivation):
        return np.zeros(0)
    every = wide(da) * each(spec.record.learned_slope, z, np.broadcast_to(wide(learned), z.shape))
    return every.sum(axis=0) if len(learned) == z.shape[1] else np.array([every.sum()])


def flat_and_dead(spec: Spec, slope: Array) -> tuple[float, float]:
    """Shares of elements with |slope| under the flat threshold, and of units with slope 0 on
    every sample.
    """
    threshold = spec.record.flat_below(*spec.parameters.values())
    return float(np.mean(np.abs(slope) < threshold)), float(np.mean(np.all(slope == 0, axis=0)))


# --- normalizations
# --------------------------------------------------------------------------------------------------


def _gathered(spec: Spec, x: Array) -> npt.NDArray[np.float64]:
    """x (samples, units) with what is normalized together along the last axis."""
    if spec.name == "batch":
        return wide(x).T
    return wide(x).reshape(len(x), -1, x.shape[1] // int(spec.parameters.get("groups", 1)))


def _scattered(spec: Spec, values: Array, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    return values.T if spec.name == "batch" else values.reshape(shape)


def _standardized(spec: Spec, x: Array) -> tuple[Array, Array, float]:
    """(x̂, √(variance + ε), what the sum of squares is divided by), gathered; rms takes no mean
    off.
    """
    gathered = _gathered(spec, x)
    centred = gathered if spec.name == "rms" else gathered - gathered.mean(axis=-1, keepdims=True)
    divisor = gathered.shape[-1] - float(spec.parameters.get("ddof", 0))
    deviation = np.sqrt(
        np.sum(centred**2, axis=-1, keepdims=True) / divisor + spec.parameters["epsilon"]
    )
    return centred / deviation, deviation, divisor


def deviations(spec: Spec, x: Array) -> npt.NDArray[np.float64]:
    """Everything that a norm with a definition here divides by, flat."""
    return _standardized(spec, x)[1].ravel() if spec.name in DEFINED_NORMS else np.ones(1)


def normalize(spec: Spec, x: Array, scale: Array, shift: Array) -> npt.NDArray[np.float64]:
    """Training-mode forward pass: (x − mean)/√(variance + ε)·γ + β; without β where `shift` is
    empty.
    """
    if spec.name not in DEFINED_NORMS:
        return _record_norm(spec, x, scale, shift)[0]
    return _scattered(spec, _standardized(spec, x)[0], x.shape) * wide(scale) + (
        wide(shift) if len(shift) else 0.0
    )


def normalize_backward(
    spec: Spec, x: Array, dy: Array, scale: Array, shift: Array
) -> tuple[Array, Array, Array]:
    """(dL/dx, dL/dγ, dL/dβ): dx = (g − mean g − x̂·Σ(g x̂)/divisor)/√(variance + ε), g = γ·dy;
    rms without the mean.
    """
    if spec.name not in DEFINED_NORMS:
        return _record_norm(spec, x, scale, shift, dy)[1:]
    normalized, deviation, divisor = _standardized(spec, x)
    g = _gathered(spec, wide(dy) * wide(scale))
    level = 0.0 if spec.name == "rms" else g.mean(axis=-1, keepdims=True)
    dx = (
        g - level - normalized * np.sum(g * normalized, axis=-1, keepdims=True) / divisor
    ) / deviation
    d_scale = (wide(dy) * _scattered(spec, normalized, x.shape)).sum(axis=0)
    return (
        _scattered(spec, dx, x.shape),
        d_scale,
        wide(dy).sum(axis=0) if len(shift) else np.zeros(0),
    )


def _record_norm(
    spec: Spec, x: Array, scale: Array, shift: Array, dy: Array | None = None
) -> tuple[Array, ...]:
    """A record's own plain functions, in float64."""
    record, units = spec.record, x.shape[1]
    learned, constants = (
        np.concatenate([wide(scale), wide(shift)]),
        np.array(record.constants(*spec.parameters.values())),
    )
    state = np.zeros(record.persistent(units) + record.scratch(units))
    y, dx, gradient = np.empty(x.shape), np.empty(x.shape), np.zeros(len(learned))
    record.forward(wide(x), y, learned, state, constants, None, True)
    if dy is not None:
        record.backward(
            wide(x), y, wide(dy), dx, learned, gradient, state, constants, None, None, None
        )
    return y, dx, gradient[:units], gradient[units:]


# --- losses and optimizers
# --------------------------------------------------------------------------------------------------


def losses(spec: Spec, a: Array, targets: Array) -> npt.NDArray[np.float64]:
    """Each sample's loss (samples,), the sum or mean over its outputs."""
    if isinstance(spec.record, RowLoss):
        return _row_losses(spec, a, targets)[0]
    values = each(
        spec.record.value, a, targets, parameters=spec.record.numbers(spec.parameters)
    ).sum(axis=1)
    return values / a.shape[1] if spec.parameters.get("reduction") == "mean" else values


def loss_slope(spec: Spec, a: Array, targets: Array) -> npt.NDArray[np.float64]:
    """dℓ/da of each sample's own loss."""
    if isinstance(spec.record, RowLoss):
        return _row_losses(spec, a, targets)[1]
    values = each(spec.record.slope, a, targets, parameters=spec.record.numbers(spec.parameters))
    return values / a.shape[1] if spec.parameters.get("reduction") == "mean" else values


def _row_losses(
    spec: Spec, a: Array, targets: Array
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    values, slopes = [], []
    for row, y in zip(wide(a).tolist(), wide(targets).tolist(), strict=True):
        slopes.append([math.nan] * len(row))
        values.append(
            float(spec.record.row(row, y, slopes[-1], *spec.record.numbers(spec.parameters)))
        )
    return np.array(values), np.array(slopes).reshape(a.shape)


def coefficients(spec: Spec, step: int, rate: float) -> tuple[float, ...]:
    """An optimizer's numbers of one step at a constant rate; step counts from 1. Numbers that
    run on from step to step are run through from the first.
    """
    running, values = spec.record.running, [float(value) for value in spec.parameters.values()]
    found: tuple[float, ...] = ()
    for t in range(1 if running else step, step + 1):
        found = tuple(spec.record.coefficients(float(t), rate, *values, *running))
        running = found[len(found) - len(running) :]
    return found[: len(found) - len(running)]


def initial_state(spec: Spec, size: int) -> Array:
    """What an optimizer remembers (states, size) before the first step."""
    record = spec.record
    start = record.initial(*spec.parameters.values()) if record.initial else [0.0] * record.states
    return np.tile(np.array(start, np.float64).reshape(-1, 1), size)


def optimize(
    spec: Spec, w: Array, g: Array, state: Array, numbers: tuple[float, ...]
) -> tuple[Array, Array]:
    """(w, state) after one step of a vector; state (states, size)."""
    after = [
        spec.record.update(*row, *numbers)
        for row in zip(wide(w).tolist(), wide(g).tolist(), *wide(state).tolist(), strict=True)
    ]
    columns = np.array(after, np.float64).reshape(len(w), 1 + len(state)).T
    return columns[0], columns[1:]


def update_sums(w: Array, g: Array, after: Array) -> list[float]:
    """Σg, Σ|g|, Σg², Σw², max|w|, how many w are 0, ΣΔw², by exact summation; w before the step."""
    w, g, moved = wide(w), wide(g), wide(after) - wide(w)
    totals = [total(part) for part in (g, abs(g), g * g, w * w)]
    return [
        *totals,
        float(np.max(np.abs(w))),
        float(np.count_nonzero(w == 0)),
        total(moved * moved),
    ]


def total(values: Array) -> float:
    """The sum, exact where it is finite."""
    return math.fsum(values) if np.isfinite(values).all() else float(np.sum(values))


# --- random order
# --------------------------------------------------------------------------------------------------

WORD = 2**64


def mix(x: int) -> int:
    """SplitMix64 (Steele, Lea & Flood 2014, figure 13, `nextSeed` and `mix64`) in whole numbers
    of any size.
    """
    x = (x + 0x9E3779B97F4A7C15) % WORD
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) % WORD
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) % WORD
    return x ^ (x >> 31)


def shuffled(samples: int, seed: int, epoch: int) -> list[int]:
    """Fisher–Yates from the identity; the draw at i is the upper 32 bits of mix(key + i),
    scaled to 0 … i.
    """
    purpose = 1
    key = mix(mix(mix(seed) ^ purpose) ^ epoch)
    order = list(range(samples))
    for i in range(samples - 1, 0, -1):
        j = ((mix((key + i) % WORD) >> 32) * (i + 1)) >> 32
        order[i], order[j] = order[j], order[i]
    return order


# --- the whole net
# --------------------------------------------------------------------------------------------------


@dataclass
class LayerTrace:
    """One layer of one training step, everything in float64 (samples, units): x → z → (norm) →
    argument of φ → φ → (norm) → a, and the way back.

    d = dL/dz, L the mean over the batch; weight_gradient (fan_in, fan_out). coupled: this or a
    later layer mixes the samples of the batch.
    """

    spec: LayerSpec
    weights: Array
    bias: Array
    scale: Array
    shift: Array
    learned: Array  # by the activation
    counter: tuple[int, int, int]
    x: Array
    z: Array = field(default_factory=lambda: np.empty(0))
    argument: Array = field(default_factory=lambda: np.empty(0))
    value: Array = field(default_factory=lambda: np.empty(0))
    a: Array = field(default_factory=lambda: np.empty(0))
    slope: Array | None = None
    da: Array = field(default_factory=lambda: np.empty(0))
    d: Array = field(default_factory=lambda: np.empty(0))
    weight_gradient: Array = field(default_factory=lambda: np.empty(0))
    gradients: list[Array] = field(default_factory=list)
    coupled: bool = False


def trace(
    net: Network, inputs: Array, targets: Array, step: int = 0
) -> tuple[list[LayerTrace], float]:
    """What one training step on this batch computes before it updates: all layers, and the mean
    loss.
    """
    found: list[LayerTrace] = []
    x = wide(inputs)
    for index in range(len(net.layers)):
        found.append(_forward(net, index, x, step))
        x = found[-1].a
    da = loss_slope(net.loss, x, targets) / len(x)
    coupled = False
    for layer in reversed(found):
        coupled = layer.coupled = coupled or bool(
            layer.spec.norm and layer.spec.norm.record.couples_samples
        )
        da = _backward(layer, da)
    return found, float(losses(net.loss, x, targets).mean())


def _forward(net: Network, index: int, x: Array, step: int) -> LayerTrace:
    spec, offsets = net.layers[index], net.offsets()
    scale, shift = offsets["norm_scale_offset"][index], offsets["norm_shift_offset"][index]
    learned = [
        wide(net.parameters[at : at + spec.normalized]) if at >= 0 else np.zeros(0)
        for at in (scale, shift)
    ]
    at = offsets["activation_offset"][index]
    own = wide(net.parameters[at : at + len(spec.activation_learned)])
    layer = LayerTrace(
        spec,
        wide(net.weights(index)),
        wide(net.biases(index)),
        *learned,
        own,
        (net.seed, index, step),
        x,
    )
    layer.z = x @ layer.weights + (layer.bias if spec.bias else 0.0)
    before = spec.norm is not None and not spec.norm_after
    layer.argument = normalize(spec.norm, layer.z, *learned) if before and spec.norm else layer.z
    layer.value = activate(spec.activation, layer.argument, own, layer.counter)
    layer.slope = slopes(spec.activation, layer.argument, layer.value, own, layer.counter)
    layer.a = (
        normalize(spec.norm, layer.value, *learned)
        if spec.norm and spec.norm_after
        else layer.value
    )
    return layer


def _backward(layer: LayerTrace, da: Array) -> Array:
    """Fill da, d and the gradients (weights, bias, then the operations' in their order);
    returns dL/da of the layer before.
    """
    layer.da = da
    norm, learned = layer.spec.norm, []
    if norm and layer.spec.norm_after:
        da, *learned = normalize_backward(norm, layer.value, da, layer.scale, layer.shift)
    own = (
        [learned_gradient(layer.spec.activation, layer.argument, da, layer.learned)]
        if len(layer.learned)
        else []
    )
    d = activate_backward(
        layer.spec.activation, layer.argument, layer.value, da, layer.learned, layer.counter
    )
    order = [*own, *learned]
    if norm and not layer.spec.norm_after:
        d, *learned = normalize_backward(norm, layer.z, d, layer.scale, layer.shift)
        order = [*learned, *own]
    layer.d, layer.weight_gradient = d, layer.x.T @ d
    layer.gradients = [
        layer.weight_gradient.ravel(),
        *([d.sum(axis=0)] if layer.spec.bias else []),
        *order,
    ]
    return d @ layer.weights.T


def flat_gradient(layers: list[LayerTrace]) -> npt.NDArray[np.float64]:
    """All gradients in the order of Network.parameters."""
    return np.concatenate([part for layer in layers for part in layer.gradients])


# --- statistics
# --------------------------------------------------------------------------------------------------


@dataclass
class Observed:
    """What a statistic is computed from: the layer, the one after it (None for the output), the
    weights after the step, and the net's dtype.
    """

    layer: LayerTrace
    following: LayerTrace | None
    weights_after: Array
    dtype: np.dtype[Any]

    @property
    def one_sample(self) -> bool:
        return len(self.layer.x) == 1


def rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


def nonfinite(*arrays: Array) -> int:
    return sum(int(np.count_nonzero(~np.isfinite(array))) for array in arrays)


def underflowed(o: Observed) -> float:
    if o.following is None:
        return math.nan
    small = np.abs(o.layer.da.astype(o.dtype)) < np.finfo(o.dtype).tiny
    return float(np.count_nonzero(small[np.any(o.following.d.astype(o.dtype) != 0, axis=1)]))


def sample_gradient_rms(layer: LayerTrace) -> float:
    """With the matrix of every sample's own gradient written out."""
    if layer.coupled:
        return math.nan
    own = [np.outer(x, len(layer.x) * d) for x, d in zip(layer.x, layer.d, strict=True)]
    return float(np.sqrt(np.mean([np.sum(matrix**2) for matrix in own]) / layer.weights.size))


def of_slope(o: Observed, measure: Callable[[Array], float]) -> float:
    return math.nan if o.layer.slope is None else measure(o.layer.slope)


def update_ratio(o: Observed) -> float:
    size = float(np.linalg.norm(o.layer.weights))
    return (
        float(np.linalg.norm(wide(o.weights_after) - o.layer.weights)) / size
        if size > 0
        else math.nan
    )


STATISTICS: dict[str, Callable[[Observed], float]] = {
    "activation_mean": lambda o: float(o.layer.a.mean()),
    "activation_variance": lambda o: math.nan if o.one_sample else float(o.layer.a.var()),
    "activation_sample_variance": lambda o: (
        math.nan if o.one_sample else float(o.layer.a.var(axis=0).mean())
    ),
    "active_fraction": lambda o: float(np.mean(o.layer.a > 0)),
    "preactivation_mean": lambda o: float(o.layer.z.mean()),
    "preactivation_variance": lambda o: math.nan if o.one_sample else float(o.layer.z.var()),
    "preactivation_mean_square": lambda o: float(np.mean(o.layer.z**2)),
    "nonfinite_forward": lambda o: nonfinite(o.layer.z, o.layer.a),
    "error_signal_rms": lambda o: len(o.layer.x) * rms(o.layer.d),
    "slope_mean_square": lambda o: of_slope(o, lambda slope: float(np.mean(slope**2))),
    "flat_fraction": lambda o: of_slope(
        o, lambda slope: flat_and_dead(o.layer.spec.activation, slope)[0]
    ),
    "dead_fraction": lambda o: of_slope(
        o, lambda slope: flat_and_dead(o.layer.spec.activation, slope)[1]
    ),
    "underflow_count": underflowed,
    "nonfinite_backward": lambda o: nonfinite(o.layer.d, o.layer.weight_gradient),
    "gradient_rms": lambda o: rms(o.layer.weight_gradient),
    "gradient_l2": lambda o: float(np.linalg.norm(o.layer.weight_gradient)),
    "gradient_mean_abs": lambda o: float(np.mean(np.abs(o.layer.weight_gradient))),
    "gradient_variance": lambda o: float(o.layer.weight_gradient.var()),
    "gradient_sample_rms": lambda o: sample_gradient_rms(o.layer),
    "weight_rms": lambda o: rms(o.layer.weights),
    "weight_l2": lambda o: float(np.linalg.norm(o.layer.weights)),
    "weight_max_abs": lambda o: float(np.max(np.abs(o.layer.weights))),
    "bias_rms": lambda o: rms(o.layer.bias) if o.layer.spec.bias else math.nan,
    "zero_weight_fraction": lambda o: float(np.mean(o.layer.weights == 0)),
    "update_ratio": update_ratio,
    "clipped_gradient_l2": lambda o: float(np.linalg.norm(o.layer.weight_gradient)),
}


def statistics(name: str, layers: list[LayerTrace], after: Network) -> npt.NDArray[np.float64]:
    """One statistic of every layer (layer,), from the trace of a step and the net after it."""
    rows = zip(layers, [*layers[1:], None], strict=True)
    return np.array(
        [
            STATISTICS[name](Observed(layer, following, after.weights(k), after.dtype))
            for k, (layer, following) in enumerate(rows)
        ]
    )


def batches(samples: int, batch: int, seed: int, steps: int) -> Iterator[Array]:
    """Indices of the samples of each step's batch, by the slow shuffle."""
    per_epoch = -(-samples // batch)
    for step in range(steps):
        order = np.array(shuffled(samples, seed, step // per_epoch))
        yield order[step % per_epoch * batch :][:batch]
