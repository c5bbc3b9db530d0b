"""Normalizations: one record each.

forward(x, y, learned, state, constants, counter, training) and backward(x, y, dy, dx, learned,
gradient, state, constants, counter, peak, slopes) are plain loops over 2-D blocks (samples, units),
with the very arguments of a kernel, so that the engine compiles them as they stand; the last ones
are not theirs. `learned` is scale γ (units,), then shift β (units,) where the record has one;
`gradient` their gradients in the same order.
`state` is the record's own memory: first `persistent(units)` numbers that outlive a step (running
statistics), then scratch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlprobe.dataclass import dataclass
from dlprobe.parts.scalar import like, sqrt
from dlprobe.registry import Parameter, registrar

Array = Any


def scale_and_shift(units: int) -> tuple[float, ...]:
    return (1.0,) * units + (0.0,) * units


def scale_only(units: int) -> tuple[float, ...]:
    return (1.0,) * units


def in_their_order(*parameters: float) -> tuple[float, ...]:
    return tuple(float(value) for value in parameters)


def none_known(units: int, *parameters: float) -> str:
    return ""


@dataclass(frozen=True)
class Normalization:
    """What is known of a normalization.

    `couples_samples` says that a sample's output depends on the others of its batch, so that
    samples have no gradient of their own.
    `learned(units)` are the first values of γ and, where there is one, β. `persistent(units)`
    counts running mean, then running variance, or is 0. `constants(*parameters)` is what the
    kernels are called with; `problem(units, *parameters)` says why a layer of that width is
    impossible, or is empty.
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
    learned: Callable[[int], tuple[float, ...]] = scale_and_shift
    constants: Callable[..., tuple[float, ...]] = in_their_order
    problem: Callable[..., str] = none_known
    parameters: tuple[Parameter, ...] = ()
    use: str = ""
    traps: str = ""


add_normalization = registrar("normalization", Normalization)


def batch_forward(
    x: Array,
    y: Array,
    learned: Array,
    state: Array,
    constants: Array,
    counter: Array,
    training: bool,
) -> None:
    """constants: epsilon, momentum, unbiased. state: running mean, running variance | batch
    mean, 1/σ, two rows of scratch; `units` numbers each.
    """
    rows, units = x.shape
    epsilon = like(x[0, 0], constants[0])
    keep = like(x[0, 0], 1.0 - constants[1])
    take = like(x[0, 0], constants[1])
    scale, shift = learned[:units], learned[units:]
    running_mean, running_variance = state[:units], state[units : 2 * units]
    mean, inverse = state[2 * units : 3 * units], state[3 * units : 4 * units]
    if training:
        share = like(x[0, 0], 1.0 / rows)
        unbias = like(x[0, 0], rows / (rows - 1.0) if rows > 1 and constants[2] > 0.0 else 1.0)
        mean[:] = like(x[0, 0], 0.0)
        inverse[:] = like(x[0, 0], 0.0)
        first = x[0]
        # sums are shifted by the first row, so that a large mean costs no digits
        for i in range(1, rows):
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
    x: Array,
    y: Array,
    dy: Array,
    dx: Array,
    learned: Array,
    gradient: Array,
    state: Array,
    constants: Array,
    counter: Array,
    peak: Array,
    slopes: Array,
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


add_normalization(
    name="batch",
    summary="batch normalization: each unit to mean 0 and variance 1 over the batch, then learned "
    "scale and shift",
    formula="y = γ(x − μ_B)/√(σ²_B + ε) + β; running ← (1 − momentum)·running + momentum·batch "
    "(running variance: the unbiased one)",
    forward=batch_forward,
    backward=batch_backward,
    persistent=lambda units: 2 * units,
    scratch=lambda units: 4 * units,
    couples_samples=True,
    source="Ioffe & Szegedy 2015, Batch normalization: accelerating deep network training by "
    "reducing internal covariate shift",
    parameters=(
        Parameter("epsilon", 1e-5, "added to the variance", low=0.0, open_low=True),
        Parameter(
            "momentum", 0.1, "weight of the new batch in the running statistics", low=0.0, high=1.0
        ),
        Parameter(
            "unbiased",
            True,
            "whether the running variance takes the batch's sum of squares over B − 1 "
            "(PyTorch) or over B (Keras)",
        ),
    ),
    use="Deep nets with batches of 16 and more.",
    traps="Keras's default is batch(epsilon=0.001, momentum=0.01, unbiased=no): its momentum .99 "
    "is 1 − .01 here. At initialization the error signal grows towards the input by π/(π − 1) in "
    "mean square per ReLU layer.",
)


def group_forward(
    x: Array,
    y: Array,
    learned: Array,
    state: Array,
    constants: Array,
    counter: Array,
    training: bool,
) -> None:
    """constants: epsilon, ddof, groups. No state: the backward pass computes each group's
    statistics again.
    """
    rows, units = x.shape
    epsilon = like(x[0, 0], constants[0])
    width = units // int(constants[2])
    share = like(x[0, 0], 1.0 / width)
    of_squares = like(x[0, 0], 1.0 / (width - constants[1]))
    scale, shift = learned[:units], learned[units:]
    for i in range(rows):
        row, out = x[i], y[i]
        for start in range(0, units, width):
            total = like(x[0, 0], 0.0)
            for j in range(start, start + width):
                total += row[j]
            mean = total * share
            total = like(x[0, 0], 0.0)
            for j in range(start, start + width):
                total += (row[j] - mean) * (row[j] - mean)
            inverse = like(x[0, 0], 1.0) / sqrt(total * of_squares + epsilon)
            for j in range(start, start + width):
                out[j] = (row[j] - mean) * inverse * scale[j] + shift[j]


def group_backward(
    x: Array,
    y: Array,
    dy: Array,
    dx: Array,
    learned: Array,
    gradient: Array,
    state: Array,
    constants: Array,
    counter: Array,
    peak: Array,
    slopes: Array,
) -> None:
    """The derivative through the group's own mean and variance (Ba, Kiros & Hinton 2016, §3;
    with ddof the mean of the products becomes that sum).
    """
    rows, units = x.shape
    epsilon = like(x[0, 0], constants[0])
    width = units // int(constants[2])
    share = like(x[0, 0], 1.0 / width)
    of_squares = like(x[0, 0], 1.0 / (width - constants[1]))
    scale = learned[:units]
    d_scale, d_shift = gradient[:units], gradient[units:]
    d_scale[:] = like(x[0, 0], 0.0)
    d_shift[:] = like(x[0, 0], 0.0)
    for i in range(rows):
        row, d, out = x[i], dy[i], dx[i]
        for start in range(0, units, width):
            total = like(x[0, 0], 0.0)
            for j in range(start, start + width):
                total += row[j]
            mean = total * share
            total = like(x[0, 0], 0.0)
            for j in range(start, start + width):
                total += (row[j] - mean) * (row[j] - mean)
            inverse = like(x[0, 0], 1.0) / sqrt(total * of_squares + epsilon)
            level = like(x[0, 0], 0.0)
            along = like(x[0, 0], 0.0)
            for j in range(start, start + width):
                level += d[j] * scale[j]
                along += d[j] * scale[j] * (row[j] - mean) * inverse
            level *= share
            along *= of_squares
            for j in range(start, start + width):
                normalized = (row[j] - mean) * inverse
                d_shift[j] += d[j]
                d_scale[j] += d[j] * normalized
                out[j] = inverse * (d[j] * scale[j] - level - normalized * along)


def layer_problem(units: int, epsilon: float, ddof: int) -> str:
    return (
        ""
        if units > ddof
        else (
            f"{units} unit leaves nothing to divide by with ddof = {ddof}: expected two units or "
            "more, or ddof = 0"
        )
    )


add_normalization(
    name="layer",
    summary="layer normalization: each sample to mean 0 and variance 1 over the units of the "
    "layer, then learned scale and shift",
    formula="y = γ(x − μ)/√(σ² + ε) + β, μ and σ² (sum of squares over m − ddof) over the m units "
    "of the sample",
    forward=group_forward,
    backward=group_backward,
    persistent=lambda units: 0,
    scratch=lambda units: 0,
    couples_samples=False,
    source="Ba, Kiros & Hinton 2016, Layer normalization",
    constants=lambda epsilon, ddof: (epsilon, float(ddof), 1.0),
    problem=layer_problem,
    parameters=(
        Parameter("epsilon", 1e-5, "added to the variance", low=0.0, open_low=True),
        Parameter(
            "ddof",
            0,
            "1 divides the sum of squares by m − 1, as a circulated table of 18 values does",
            low=0,
            high=1,
        ),
    ),
    use="Small batches; the same in training and evaluation.",
    traps="The definition divides by m: a table of normalized values with row deviations 2.5, "
    "0, 2.6 … divides by m − 1 (ddof=1).",
)


def group_problem(units: int, groups: int, epsilon: float) -> str:
    return (
        f"{units} units cannot be divided into {groups} equal groups: expected a divisor of {units}"
        if units % groups
        else ""
    )


add_normalization(
    name="group",
    summary="group normalization: each sample to mean 0 and variance 1 over each group of "
    "neighbouring units, then learned scale and shift",
    formula="y = γ(x − μ_G)/√(σ²_G + ε) + β, μ_G and σ²_G over the m/groups units of the group",
    forward=group_forward,
    backward=group_backward,
    persistent=lambda units: 0,
    scratch=lambda units: 0,
    couples_samples=False,
    source="Wu & He 2018, Group normalization",
    constants=lambda groups, epsilon: (epsilon, 0.0, float(groups)),
    problem=group_problem,
    parameters=(
        Parameter(
            "groups", 4, "number of groups; it divides the units of every normalized layer", low=1
        ),
        Parameter("epsilon", 1e-5, "added to the variance", low=0.0, open_low=True),
    ),
    use="Between layer norm (groups=1) and no norm at all of the signal's pattern; the same "
    "in training and evaluation.",
    traps="A group of one unit is always β, a group of two always β ± γ: nothing is learned "
    "before it.",
)


def rms_forward(
    x: Array,
    y: Array,
    learned: Array,
    state: Array,
    constants: Array,
    counter: Array,
    training: bool,
) -> None:
    """constants: epsilon. No state, no shift."""
    rows, units = x.shape
    epsilon = like(x[0, 0], constants[0])
    share = like(x[0, 0], 1.0 / units)
    for i in range(rows):
        row, out = x[i], y[i]
        total = like(x[0, 0], 0.0)
        for j in range(units):
            total += row[j] * row[j]
        inverse = like(x[0, 0], 1.0) / sqrt(total * share + epsilon)
        for j in range(units):
            out[j] = row[j] * inverse * learned[j]


def rms_backward(
    x: Array,
    y: Array,
    dy: Array,
    dx: Array,
    learned: Array,
    gradient: Array,
    state: Array,
    constants: Array,
    counter: Array,
    peak: Array,
    slopes: Array,
) -> None:
    """The derivative through the row's own mean square (Zhang & Sennrich 2019, §3)."""
    rows, units = x.shape
    epsilon = like(x[0, 0], constants[0])
    share = like(x[0, 0], 1.0 / units)
    gradient[:] = like(x[0, 0], 0.0)
    for i in range(rows):
        row, d, out = x[i], dy[i], dx[i]
        total = like(x[0, 0], 0.0)
        for j in range(units):
            total += row[j] * row[j]
        inverse = like(x[0, 0], 1.0) / sqrt(total * share + epsilon)
        along = like(x[0, 0], 0.0)
        for j in range(units):
            along += d[j] * learned[j] * row[j] * inverse
        along *= share
        for j in range(units):
            normalized = row[j] * inverse
            gradient[j] += d[j] * normalized
            out[j] = inverse * (d[j] * learned[j] - normalized * along)


add_normalization(
    name="rms",
    summary="root-mean-square normalization: each sample to mean square 1 over the units of the "
    "layer, then a learned scale",
    formula="y = γ x/√(mean x² + ε), the mean over the units of the sample",
    forward=rms_forward,
    backward=rms_backward,
    persistent=lambda units: 0,
    scratch=lambda units: 0,
    couples_samples=False,
    source="Zhang & Sennrich 2019, Root mean square layer normalization",
    learned=scale_only,
    parameters=(Parameter("epsilon", 1e-5, "added to the mean square", low=0.0, open_low=True),),
    use="As layer norm, without taking the mean off and without a shift.",
    traps="PyTorch's default ε is the rounding error of the number type, not 1e-5.",
)
