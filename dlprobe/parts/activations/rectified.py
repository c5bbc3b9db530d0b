"""Rectifiers: nothing, or little, passes below a threshold."""

from __future__ import annotations

import math

from dlprobe.parts.activations.records import add_activation
from dlprobe.parts.scalar import like
from dlprobe.registry import Parameter


def relu(z: float) -> float:
    return max(z, like(z, 0.0))


def relu_slope(z: float, a: float) -> float:
    return like(a, 1.0) if a > like(a, 0.0) else like(a, 0.0)


add_activation(
    name="relu",
    summary="rectified linear unit",
    formula="a = max(z, 0)",
    slope_formula="1 for z > 0, else 0 (0 at 0)",
    value=relu,
    slope=relu_slope,
    largest_slope=lambda: 1.0,
    output_range=lambda: (0.0, math.inf),
    other_slope=lambda: 0.0,
    source="Nair & Hinton 2010, Rectified linear units improve restricted Boltzmann machines; He "
    "et al. 2015 for its initialization",
    gain=lambda: math.sqrt(2.0),
    kinks=lambda *_: (0.0,),
    initializer="he_normal",
    use="The default for hidden layers, with He initialization.",
    traps="Units whose preactivation is negative on all data get no gradient (dead units). "
    "With Glorot weights the error signal halves per layer in mean square.",
)


def leaky_relu(z: float, slope: float) -> float:
    return z if z > like(z, 0.0) else slope * z


def leaky_relu_slope(z: float, a: float, slope: float) -> float:
    return like(z, 1.0) if z > like(z, 0.0) else slope


add_activation(
    name="leaky_relu",
    summary="ReLU with a small slope for negative preactivations",
    formula="a = z for z > 0, else slope·z",
    slope_formula="1 for z > 0, else slope (slope at 0)",
    value=leaky_relu,
    slope=leaky_relu_slope,
    largest_slope=lambda slope: max(1.0, abs(slope)),
    output_range=lambda slope: (-math.inf if slope > 0 else 0.0, math.inf),
    other_slope=lambda slope: slope,
    source="Maas, Hannun & Ng 2013, Rectifier nonlinearities improve neural network "
    "acoustic models",
    gain=lambda slope: math.sqrt(2.0 / (1.0 + slope * slope)),
    kinks=lambda *_: (0.0,),
    initializer="he_normal",
    parameters=(Parameter("slope", 0.01, "slope for negative preactivations"),),
    use="Where ReLU units die.",
    traps="Frameworks differ in the default slope: .01 in PyTorch, .3 in Keras 2, .2 in "
    "many papers.",
)


def relu6(z: float) -> float:
    return min(max(z, like(z, 0.0)), like(z, 6.0))


def relu6_slope(z: float, a: float) -> float:
    return like(z, 1.0) if z > like(z, 0.0) and z < like(z, 6.0) else like(z, 0.0)


add_activation(
    name="relu6",
    summary="ReLU cut at 6",
    formula="a = min(max(z, 0), 6)",
    slope_formula="1 for 0 < z < 6, else 0 (0 at both ends)",
    value=relu6,
    slope=relu6_slope,
    largest_slope=lambda: 1.0,
    output_range=lambda: (0.0, 6.0),
    other_slope=lambda: 0.0,
    source="Krizhevsky 2010, Convolutional deep belief networks on CIFAR-10",
    gain=lambda: math.sqrt(2.0),
    kinks=lambda: (0.0, 6.0),
    initializer="he_normal",
    use="Nets that are to run in low-precision arithmetic: the bound keeps numbers small.",
    traps="Flat at both ends: units that are pushed above 6 on all data are as dead as those "
    "below 0.",
)


def threshold(z: float, threshold: float, value: float) -> float:
    return z if z > threshold else value


def threshold_slope(z: float, a: float, threshold: float, value: float) -> float:
    return like(z, 1.0) if z > threshold else like(z, 0.0)


add_activation(
    name="threshold",
    summary="the identity above a threshold, a constant below (thresholded ReLU)",
    formula="a = z for z > threshold, else value",
    slope_formula="1 for z > threshold, else 0 (0 at the threshold)",
    value=threshold,
    slope=threshold_slope,
    largest_slope=lambda *_: 1.0,
    output_range=lambda threshold, value: (min(threshold, value), math.inf),
    other_slope=lambda *_: 0.0,
    source="Konda, Memisevic & Krueger 2015, Zero-bias autoencoders and the benefits of "
    "co-adapting features",
    kinks=lambda threshold, value: (threshold,),
    initializer="he_normal",
    parameters=(
        Parameter("threshold", 1.0, "where the identity begins"),
        Parameter("value", 0.0, "a below the threshold"),
    ),
    use="Sparse codes without bias parameters.",
    traps="The value jumps at the threshold, and the gradient does not see the jump: a step that "
    "moves a unit across it changes the loss in a way that no gradient announced.",
)
