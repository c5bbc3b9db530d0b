"""Normalizations: one record each.

forward(x, y, learned, state, constants, counter, training) and backward(x, y, dy, dx, learned, gradient, state, constants, counter, peak, slopes) are plain
loops over 2-D blocks (samples, units), with the very arguments of a kernel, so that the engine compiles them as they stand; the last ones are not theirs.
`learned` is scale γ then shift β, `gradient` their gradients in the same order, each (2·units,).
`state` is the record's own memory: first `persistent(units)` numbers that outlive a step (running statistics), then scratch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dlprobe.parts.scalar import like, sqrt
from dlprobe.registry import Parameter, register

Array = Any


@dataclass(frozen=True)
class Normalization:
    """What is known of a normalization.

    `couples_samples` says that a sample's output depends on the others of its batch, so that samples have no gradient of their own.
    """

    name: str
    summary: str
    formula: str
    forward: Callable[..., None]
    backward: Callable[..., None]
    persistent: Callable[[int], int]
    scratch: Callable[[int], int]
    couples_samples: bool
    source: str
    parameters: tuple[Parameter, ...] = ()
    use: str = ""
    traps: str = ""


def batch_forward(x: Array, y: Array, learned: Array, state: Array, constants: Array, counter: Array, training: bool) -> None:
    """constants: epsilon, momentum. state: running mean, running variance | batch mean, 1/σ, two rows of scratch; `units` numbers each."""
    rows, units = x.shape
    epsilon = like(x[0, 0], constants[0])
    keep = like(x[0, 0], 1.0 - constants[1])
    take = like(x[0, 0], constants[1])
    scale, shift = learned[:units], learned[units:]
    running_mean, running_variance = state[:units], state[units : 2 * units]
    mean, inverse = state[2 * units : 3 * units], state[3 * units : 4 * units]
    if training:
        share = like(x[0, 0], 1.0 / rows)
        unbias = like(x[0, 0], rows / (rows - 1.0) if rows > 1 else 1.0)
        mean[:] = like(x[0, 0], 0.0)
        inverse[:] = like(x[0, 0], 0.0)
        first = x[0]
        for i in range(1, rows):  # sums are shifted by the first row, so that a large mean costs no digits
            row = x[i]
            for j in range(units):
                mean[j] += row[j] - first[j]
        for j in range(units):
            mean[j] = first[j] + mean[j] * share
        for i in range(rows):
            row = x[i]
            for j in range(units):
                deviation = row[j] - mean[j]
                inverse[j] += deviation * deviation
        for j in range(units):
            variance = inverse[j] * share
            running_mean[j] = keep * running_mean[j] + take * mean[j]
            running_variance[j] = keep * running_variance[j] + take * variance * unbias
            inverse[j] = like(x[0, 0], 1.0) / sqrt(variance + epsilon)
    else:
        for j in range(units):
            mean[j] = running_mean[j]
            inverse[j] = like(x[0, 0], 1.0) / sqrt(running_variance[j] + epsilon)
    for i in range(rows):
        row, out = x[i], y[i]
        for j in range(units):
            out[j] = (row[j] - mean[j]) * inverse[j] * scale[j] + shift[j]


def batch_backward(
    x: Array, y: Array, dy: Array, dx: Array, learned: Array, gradient: Array, state: Array, constants: Array, counter: Array, peak: Array, slopes: Array
) -> None:
    """The derivative through the batch's own mean and variance (Ioffe & Szegedy 2015, §3)."""
    rows, units = x.shape
    scale = learned[:units]
    d_scale, d_shift = gradient[:units], gradient[units:]
    mean, inverse = state[2 * units : 3 * units], state[3 * units : 4 * units]
    factor, along = state[4 * units : 5 * units], state[5 * units : 6 * units]
    share = like(x[0, 0], 1.0 / rows)
    d_scale[:] = like(x[0, 0], 0.0)
    d_shift[:] = like(x[0, 0], 0.0)
    for i in range(rows):
        row, d = x[i], dy[i]
        for j in range(units):
            d_shift[j] += d[j]
            d_scale[j] += d[j] * (row[j] - mean[j]) * inverse[j]
    for j in range(units):
        factor[j] = scale[j] * inverse[j]
        along[j] = d_scale[j] * share * inverse[j]
    for i in range(rows):
        row, d, out = x[i], dy[i], dx[i]
        for j in range(units):
            out[j] = factor[j] * (d[j] - d_shift[j] * share - (row[j] - mean[j]) * along[j])


register(
    "normalization",
    Normalization(
        name="batch",
        summary="batch normalization: each unit to mean 0 and variance 1 over the batch, then learned scale and shift",
        formula="y = γ(x − μ_B)/√(σ²_B + ε) + β; running ← (1 − momentum)·running + momentum·batch (the running variance takes the unbiased one)",
        forward=batch_forward,
        backward=batch_backward,
        persistent=lambda units: 2 * units,
        scratch=lambda units: 4 * units,
        couples_samples=True,
        source="Ioffe & Szegedy 2015, Batch normalization: accelerating deep network training by reducing internal covariate shift",
        parameters=(
            Parameter("epsilon", 1e-5, "added to the variance", low=0.0, open_low=True),
            Parameter("momentum", 0.1, "weight of the new batch in the running statistics", low=0.0, high=1.0),
        ),
        use="Deep nets with batches of 16 and more.",
        traps="Keras's momentum .99 is 1 − .01 here. At initialization the error signal grows towards the input by π/(π − 1) in mean square per ReLU layer.",
    ),
)


def layer_forward(x: Array, y: Array, learned: Array, state: Array, constants: Array, counter: Array, training: bool) -> None:
    """constants: epsilon. No state: the backward pass computes each row's statistics again."""
    rows, units = x.shape
    epsilon = like(x[0, 0], constants[0])
    share = like(x[0, 0], 1.0 / units)
    scale, shift = learned[:units], learned[units:]
    for i in range(rows):
        row, out = x[i], y[i]
        total = like(x[0, 0], 0.0)
        for j in range(units):
            total += row[j]
        mean = total * share
        total = like(x[0, 0], 0.0)
        for j in range(units):
            total += (row[j] - mean) * (row[j] - mean)
        inverse = like(x[0, 0], 1.0) / sqrt(total * share + epsilon)
        for j in range(units):
            out[j] = (row[j] - mean) * inverse * scale[j] + shift[j]


def layer_backward(
    x: Array, y: Array, dy: Array, dx: Array, learned: Array, gradient: Array, state: Array, constants: Array, counter: Array, peak: Array, slopes: Array
) -> None:
    """The derivative through the row's own mean and variance (Ba, Kiros & Hinton 2016, §3)."""
    rows, units = x.shape
    epsilon = like(x[0, 0], constants[0])
    share = like(x[0, 0], 1.0 / units)
    scale = learned[:units]
    d_scale, d_shift = gradient[:units], gradient[units:]
    d_scale[:] = like(x[0, 0], 0.0)
    d_shift[:] = like(x[0, 0], 0.0)
    for i in range(rows):
        row, d, out = x[i], dy[i], dx[i]
        total = like(x[0, 0], 0.0)
        for j in range(units):
            total += row[j]
        mean = total * share
        total = like(x[0, 0], 0.0)
        for j in range(units):
            total += (row[j] - mean) * (row[j] - mean)
        inverse = like(x[0, 0], 1.0) / sqrt(total * share + epsilon)
        level = like(x[0, 0], 0.0)
        along = like(x[0, 0], 0.0)
        for j in range(units):
            level += d[j] * scale[j]
            along += d[j] * scale[j] * (row[j] - mean) * inverse
        level *= share
        along *= share
        for j in range(units):
            normalized = (row[j] - mean) * inverse
            d_shift[j] += d[j]
            d_scale[j] += d[j] * normalized
            out[j] = inverse * (d[j] * scale[j] - level - normalized * along)


register(
    "normalization",
    Normalization(
        name="layer",
        summary="layer normalization: each sample to mean 0 and variance 1 over the units of the layer, then learned scale and shift",
        formula="y = γ(x − μ)/√(σ² + ε) + β, μ and σ² (divided by m, not m − 1) over the m units of the sample",
        forward=layer_forward,
        backward=layer_backward,
        persistent=lambda units: 0,
        scratch=lambda units: 0,
        couples_samples=False,
        source="Ba, Kiros & Hinton 2016, Layer normalization",
        parameters=(Parameter("epsilon", 1e-5, "added to the variance", low=0.0, open_low=True),),
        use="Small batches; the same in training and evaluation.",
        traps="A circulated table of normalized values divides by m − 1; the definition divides by m.",
    ),
)
