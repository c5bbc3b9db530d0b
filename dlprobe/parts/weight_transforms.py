"""Weight transforms: what a weight matrix goes through before the layer's input is multiplied with
it, in training and evaluation alike; one record each.

forward and backward have the arguments of a normalization (dlprobe.parts.normalizations): x is W
(fan_in, fan_out), y what takes its place, and nothing is learned but W itself. `state` is scratch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlprobe.dataclass import dataclass
from dlprobe.parts.scalar import like, sqrt
from dlprobe.registry import Parameter, register

Array = Any


@dataclass(frozen=True)
class WeightTransform:
    """What is known of a weight transform.

    `scratch(fan_out)` is the length of `state`, `constants(*parameters)` what the kernels are
    called with; `variance(fan_in, v, *parameters)` is that of the weights that come out where
    independent ones of variance v go in; `problem(fan_in, *parameters)` says why a layer with that
    many inputs is impossible, or is empty. `centred`: each unit's weights sum to 0, so that what
    all its inputs share does not reach it.
    """

    name: str
    summary: str
    formula: str
    forward: Callable[..., None]
    backward: Callable[..., None]
    scratch: Callable[[int], int]
    constants: Callable[..., tuple[float, ...]]
    variance: Callable[..., float]
    problem: Callable[..., str]
    source: str
    centred: bool = False
    parameters: tuple[Parameter, ...] = ()
    use: str = ""
    traps: str = ""


def standardization_forward(
    x: Array,
    y: Array,
    learned: Array,
    state: Array,
    constants: Array,
    counter: Array,
    training: bool,
) -> None:
    """constants: epsilon, scaled. state: mean and factor/σ of each unit, then two rows for the
    backward pass; `units` numbers each.
    """
    inputs, units = x.shape
    epsilon = like(x[0, 0], constants[0])
    share = like(x[0, 0], 1.0 / inputs)
    factor = sqrt(share) if constants[1] > 0.0 else like(x[0, 0], 1.0)
    mean, inverse = state[:units], state[units : 2 * units]
    mean[:] = like(x[0, 0], 0.0)
    inverse[:] = like(x[0, 0], 0.0)
    for i in range(inputs):
        row = x[i]
        for j in range(units):
            mean[j] += row[j] * share
    for i in range(inputs):
        row = x[i]
        for j in range(units):
            deviation = row[j] - mean[j]
            inverse[j] += deviation * deviation * share
    for j in range(units):
        inverse[j] = factor / sqrt(inverse[j] + epsilon)
    for i in range(inputs):
        row, out = x[i], y[i]
        for j in range(units):
            out[j] = (row[j] - mean[j]) * inverse[j]


def standardization_backward(
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
    """The derivative through each unit's own mean and variance: (dy − mean dy − ŵ·mean(dy
    ŵ))·factor/σ with ŵ = y/factor.
    """
    inputs, units = x.shape
    share = like(x[0, 0], 1.0 / inputs)
    square = like(x[0, 0], 1.0 * inputs) if constants[1] > 0.0 else like(x[0, 0], 1.0)  # 1/factor²
    inverse = state[units : 2 * units]
    level, along = state[2 * units : 3 * units], state[3 * units : 4 * units]
    level[:] = like(x[0, 0], 0.0)
    along[:] = like(x[0, 0], 0.0)
    for i in range(inputs):
        d, w = dy[i], y[i]
        for j in range(units):
            level[j] += d[j] * share
            along[j] += d[j] * w[j] * share * square
    for i in range(inputs):
        d, w, out = dy[i], y[i], dx[i]
        for j in range(units):
            out[j] = (d[j] - level[j] - w[j] * along[j]) * inverse[j]


register(
    "weight_transform",
    WeightTransform(
        name="weight_standardization",
        summary="each unit's incoming weights to mean 0 and variance 1 before they are used; W "
        "itself is what is trained",
        formula="ŵ_ij = (w_ij − μ_j)/√(σ_j² + ε), μ_j and σ_j² (divided by fan_in) over unit j's "
        "incoming weights; scaled: divided by √fan_in too",
        forward=standardization_forward,
        backward=standardization_backward,
        scratch=lambda units: 4 * units,
        constants=lambda epsilon, scaled: (epsilon, float(scaled)),
        variance=lambda fan_in, v, epsilon, scaled: v / (v + epsilon) / (fan_in if scaled else 1),
        problem=lambda fan_in, epsilon, scaled: (
            "a unit with one input always gets weight 0: expected two inputs or more"
            if fan_in < 2
            else ""
        ),
        centred=True,
        source="Qiao et al. 2019, Micro-batch training with batch-channel normalization and weight "
        "standardization; scaled: Brock, De & Smith 2021",
        parameters=(
            Parameter("epsilon", 1e-5, "added to the variance", low=0.0, open_low=True),
            Parameter("scaled", False, "whether Var ŵ is 1/fan_in in place of 1"),
        ),
        use="With group or layer norm, where batches are too small for batch norm. The output "
        "layer keeps its plain weights.",
        traps="Unscaled it needs a norm behind it: preactivations grow by fan_in in mean square. "
        "Then nothing depends on the initializer's variance.",
    ),
)
