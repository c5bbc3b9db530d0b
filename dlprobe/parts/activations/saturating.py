"""Activations that level off on both sides."""

from __future__ import annotations

import math

from dlprobe.parts.activations.records import add_activation
from dlprobe.parts.scalar import erf, exp, like, sigmoid, tanh


def sigmoid_slope(z: float, a: float) -> float:
    return a * (like(z, 1.0) - a)


add_activation(
    name="sigmoid",
    also_called=("logistic",),
    summary="logistic function",
    formula="a = 1/(1 + e^−z)",
    slope_formula="a(1 − a), at most 1/4",
    value=sigmoid,
    slope=sigmoid_slope,
    largest_slope=lambda: 0.25,
    output_range=lambda: (0.0, 1.0),
    source=(
        "Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors"
    ),
    use="Output units that are probabilities.",
    traps="Each hidden layer multiplies the error signal by at most 1/4 of the weights' factor: "
    "deep stacks vanish with Glorot weights, and explode with N(0, 1) weights once the width "
    "passes about 100.",
)


def tanh_slope(z: float, a: float) -> float:
    return like(z, 1.0) - a * a


add_activation(
    name="tanh",
    summary="hyperbolic tangent",
    formula="a = tanh(z)",
    slope_formula="1 − a²",
    value=tanh,
    slope=tanh_slope,
    largest_slope=lambda: 1.0,
    output_range=lambda: (-1.0, 1.0),
    source="Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward "
    "neural networks",
    gain=lambda: 5.0 / 3.0,
    use="Zero-centred bounded units with Glorot weights: the edge of chaos at σ_w = 1.",
    traps=(
        "The gain 5/3 is for keeping the activation's variance; the gradient then grows slowly."
    ),
)


def softsign(z: float) -> float:
    return z / (like(z, 1.0) + abs(z))


def softsign_slope(z: float, a: float) -> float:
    root = like(z, 1.0) / (like(z, 1.0) + abs(z))
    return root * root


add_activation(
    name="softsign",
    summary="like tanh with slowly approached limits",
    formula="a = z/(1 + |z|)",
    slope_formula="1/(1 + |z|)²",
    value=softsign,
    slope=softsign_slope,
    largest_slope=lambda: 1.0,
    output_range=lambda: (-1.0, 1.0),
    source="Bergstra et al. 2009; Glorot & Bengio 2010",
    kinks=lambda *_: (0.0,),
    use="Saturates more gently than tanh.",
    traps="The slope falls quickly around 0, so deep stacks still vanish.",
)


TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)


def erf_slope(z: float, a: float) -> float:
    return like(z, TWO_OVER_SQRT_PI) * exp(-z * z)


add_activation(
    name="erf",
    summary="error function",
    formula="a = erf(z) = 2/√π ∫₀^z e^(−t²) dt",
    slope_formula="2/√π e^(−z²)",
    value=erf,
    slope=erf_slope,
    largest_slope=lambda: TWO_OVER_SQRT_PI,
    output_range=lambda: (-1.0, 1.0),
    source="Williams 1997, Computing with infinite networks",
    use="Theory: a sigmoid whose averages over normal preactivations have closed forms.",
    traps="Its slope at 0 is 1.128 and falls off faster than that of tanh: saturated units "
    "recover even more slowly.",
)


def hard_sigmoid(z: float) -> float:
    return min(max(z + like(z, 3.0), like(z, 0.0)), like(z, 6.0)) / like(z, 6.0)


def hard_sigmoid_slope(z: float, a: float) -> float:
    return like(z, 1.0 / 6.0) if z > like(z, -3.0) and z < like(z, 3.0) else like(z, 0.0)


add_activation(
    name="hard_sigmoid",
    summary="sigmoid of three straight pieces",
    formula="a = min(max(z + 3, 0), 6)/6",
    slope_formula="1/6 for −3 < z < 3, else 0 (0 at ±3)",
    value=hard_sigmoid,
    slope=hard_sigmoid_slope,
    largest_slope=lambda: 1.0 / 6.0,
    output_range=lambda: (0.0, 1.0),
    source="Courbariaux, Bengio & David 2015, BinaryConnect; in the form of Howard et al. 2019, "
    "MobileNetV3",
    kinks=lambda: (-3.0, 3.0),
    use="Gates on hardware without an exponential.",
    traps="Exactly flat outside ±3: no gradient at all. Keras before version 3 had slope 1/5 "
    "and ends at ±2.5.",
)


def hard_tanh(z: float) -> float:
    return max(min(z, like(z, 1.0)), like(z, -1.0))


def hard_tanh_slope(z: float, a: float) -> float:
    return like(z, 1.0) if z > like(z, -1.0) and z < like(z, 1.0) else like(z, 0.0)


add_activation(
    name="hard_tanh",
    also_called=("hardtanh",),
    summary="tanh of three straight pieces",
    formula="a = min(max(z, −1), 1)",
    slope_formula="1 for −1 < z < 1, else 0 (0 at ±1)",
    value=hard_tanh,
    slope=hard_tanh_slope,
    largest_slope=lambda: 1.0,
    output_range=lambda: (-1.0, 1.0),
    other_slope=lambda: 0.0,
    source="Collobert 2004, Large scale machine learning",
    kinks=lambda: (-1.0, 1.0),
    use="Bounded units that cost no exponential.",
    traps="Exactly flat outside ±1: a unit that is saturated on all data gets no gradient, as a "
    "dead ReLU.",
)
