"""Activations: one record each.

A record of the elementwise kind holds two scalar functions: `value(z, *parameters)` and `slope(z, a, *parameters)` with a = value(z).
They are written with `parts.scalar` so that the engine can compile them for float32 and float64 alike.
The one row-wise activation here, softmax, holds a forward and a backward function of whole rows instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dlprobe.parts.scalar import erf, exp, expm1, like, log1p, sigmoid, tanh
from dlprobe.registry import Parameter, register

Array = Any  # a NumPy array, or what numba makes of one


@dataclass(frozen=True)
class Activation:
    """What is known of an activation function.

    value(z, *p) and slope(z, a, *p) take and return scalars. `gain` is what weights are scaled by to keep the variance (PyTorch's table).
    `largest_slope` is the supremum of |slope|, against which `flat_fraction` measures. `kinks` are the points where the slope jumps.
    `initializer` is the default initializer for nets of this activation.
    """

    name: str
    summary: str
    formula: str
    slope_formula: str
    value: Callable[..., float]
    slope: Callable[..., float]
    largest_slope: Callable[..., float]
    source: str
    gain: Callable[..., float] = lambda *_: 1.0
    kinks: tuple[float, ...] = ()
    initializer: str = "glorot_normal"
    parameters: tuple[Parameter, ...] = ()
    use: str = ""
    traps: str = ""


@dataclass(frozen=True)
class RowActivation:
    """An activation whose outputs in a row depend on the whole row.

    row_value(z, a, *p) fills the row `a`; row_backward(a, da, dz, *p) fills `dz` from dL/da. Slopes are undefined, so slope statistics are NaN.
    """

    name: str
    summary: str
    formula: str
    slope_formula: str
    row_value: Callable[..., None]
    row_backward: Callable[..., None]
    source: str
    initializer: str = "glorot_normal"
    parameters: tuple[Parameter, ...] = ()
    use: str = ""
    traps: str = ""


SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


def linear(z: float) -> float:
    return z


def linear_slope(z: float, a: float) -> float:
    return like(z, 1.0)


register(
    "activation",
    Activation(
        name="linear",
        summary="no activation: the layer stays an affine map",
        formula="a = z",
        slope_formula="1",
        value=linear,
        slope=linear_slope,
        largest_slope=lambda: 1.0,
        source="none needed",
        use="Output layers of regression nets; deep linear nets, whose product is one matrix.",
        traps="Hidden linear layers add depth but no expressive power.",
    ),
)


def relu(z: float) -> float:
    return max(z, like(z, 0.0))


def relu_slope(z: float, a: float) -> float:
    return like(z, 1.0) if z > like(z, 0.0) else like(z, 0.0)


register(
    "activation",
    Activation(
        name="relu",
        summary="rectified linear unit",
        formula="a = max(z, 0)",
        slope_formula="1 for z > 0, else 0 (0 at 0)",
        value=relu,
        slope=relu_slope,
        largest_slope=lambda: 1.0,
        source="Nair & Hinton 2010, Rectified linear units improve restricted Boltzmann machines; He et al. 2015 for its initialization",
        gain=lambda: math.sqrt(2.0),
        kinks=(0.0,),
        initializer="he_normal",
        use="The default for hidden layers, with He initialization.",
        traps="Units whose preactivation is negative on all data get no gradient (dead units). "
        "With Glorot weights the error signal halves per layer in mean square.",
    ),
)


def leaky_relu(z: float, slope: float) -> float:
    return z if z > like(z, 0.0) else slope * z


def leaky_relu_slope(z: float, a: float, slope: float) -> float:
    return like(z, 1.0) if z > like(z, 0.0) else slope


register(
    "activation",
    Activation(
        name="leaky_relu",
        summary="ReLU with a small slope for negative preactivations",
        formula="a = z for z > 0, else slope·z",
        slope_formula="1 for z > 0, else slope (slope at 0)",
        value=leaky_relu,
        slope=leaky_relu_slope,
        largest_slope=lambda slope: max(1.0, abs(slope)),
        source="Maas, Hannun & Ng 2013, Rectifier nonlinearities improve neural network acoustic models",
        gain=lambda slope: math.sqrt(2.0 / (1.0 + slope * slope)),
        kinks=(0.0,),
        initializer="he_normal",
        parameters=(Parameter("slope", 0.01, "slope for negative preactivations"),),
        use="Where ReLU units die.",
        traps="Frameworks differ in the default slope: .01 in PyTorch, .3 in Keras 2, .2 in many papers.",
    ),
)


def elu(z: float, alpha: float) -> float:
    return z if z > like(z, 0.0) else alpha * expm1(z)


def elu_slope(z: float, a: float, alpha: float) -> float:
    # at 0 the slope is 1 for alpha = 1, from both sides; PyTorch and Keras take the left one, alpha
    return like(z, 1.0) if z > like(z, 0.0) else a + alpha


register(
    "activation",
    Activation(
        name="elu",
        summary="exponential linear unit",
        formula="a = z for z > 0, else α(e^z − 1)",
        slope_formula="1 for z > 0, else a + α",
        value=elu,
        slope=elu_slope,
        largest_slope=lambda alpha: max(1.0, abs(alpha)),
        source="Clevert, Unterthiner & Hochreiter 2016, Fast and accurate deep network learning by ELUs",
        kinks=(0.0,),
        initializer="he_normal",
        parameters=(Parameter("alpha", 1.0, "minus the value for z → −∞"),),
        use="Activations nearer zero mean than ReLU's; no dead units.",
        traps="The form max(z, α(e^z − 1)) found on slides is wrong for α > 1.",
    ),
)


def selu(z: float) -> float:
    return like(z, SELU_SCALE) * z if z > like(z, 0.0) else like(z, SELU_SCALE * SELU_ALPHA) * expm1(z)


def selu_slope(z: float, a: float) -> float:
    return like(z, SELU_SCALE) if z > like(z, 0.0) else a + like(z, SELU_SCALE * SELU_ALPHA)


register(
    "activation",
    Activation(
        name="selu",
        summary="self-normalizing ELU: mean 0 and variance 1 are a fixed point with LeCun weights",
        formula="a = λz for z > 0, else λα(e^z − 1); λ = 1.0507, α = 1.6733",
        slope_formula="λ for z > 0, else a + λα (λα at 0)",
        value=selu,
        slope=selu_slope,
        largest_slope=lambda: SELU_SCALE * SELU_ALPHA,
        source="Klambauer et al. 2017, Self-normalizing neural networks",
        gain=lambda: 0.75,
        kinks=(0.0,),
        initializer="lecun_normal",
        use="Deep dense nets without normalization, standardized inputs, LeCun initialization.",
        traps="The variance is a fixed point, the gradient is not: it grows by 1.0716 in mean square per layer.",
    ),
)


def sigmoid_slope(z: float, a: float) -> float:
    return a * (like(z, 1.0) - a)


register(
    "activation",
    Activation(
        name="sigmoid",
        summary="logistic function",
        formula="a = 1/(1 + e^−z)",
        slope_formula="a(1 − a), at most 1/4",
        value=sigmoid,
        slope=sigmoid_slope,
        largest_slope=lambda: 0.25,
        source="Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors",
        use="Output units that are probabilities.",
        traps="Each hidden layer multiplies the error signal by at most 1/4 of the weights' factor: deep stacks vanish with Glorot weights, "
        "and explode with N(0, 1) weights once the width passes about 100.",
    ),
)


def tanh_slope(z: float, a: float) -> float:
    return like(z, 1.0) - a * a


register(
    "activation",
    Activation(
        name="tanh",
        summary="hyperbolic tangent",
        formula="a = tanh(z)",
        slope_formula="1 − a²",
        value=tanh,
        slope=tanh_slope,
        largest_slope=lambda: 1.0,
        source="Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks",
        gain=lambda: 5.0 / 3.0,
        use="Zero-centred bounded units with Glorot weights: the edge of chaos at σ_w = 1.",
        traps="The gain 5/3 is for keeping the activation's variance; the gradient then grows slowly.",
    ),
)


def silu(z: float) -> float:
    return z * sigmoid(z)


def silu_slope(z: float, a: float) -> float:
    s = sigmoid(z)
    return s + a * (like(z, 1.0) - s)


register(
    "activation",
    Activation(
        name="silu",
        summary="sigmoid-weighted linear unit (swish)",
        formula="a = z·sigmoid(z)",
        slope_formula="s + a(1 − s), s = sigmoid(z)",
        value=silu,
        slope=silu_slope,
        largest_slope=lambda: 1.0998393201747376,
        source="Elfwing, Uchibe & Doya 2018; Ramachandran, Zoph & Le 2017",
        gain=lambda: math.sqrt(2.0),
        initializer="he_normal",
        use="A smooth ReLU.",
        traps="With He weights signal and gradient drift to zero slowly with depth.",
    ),
)

SQRT_HALF = math.sqrt(0.5)
INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)


def gelu(z: float) -> float:
    return like(z, 0.5) * z * (like(z, 1.0) + erf(like(z, SQRT_HALF) * z))


def gelu_slope(z: float, a: float) -> float:
    cdf = like(z, 0.5) * (like(z, 1.0) + erf(like(z, SQRT_HALF) * z))
    return cdf + z * like(z, INV_SQRT_2PI) * exp(like(z, -0.5) * z * z)


register(
    "activation",
    Activation(
        name="gelu",
        summary="Gaussian error linear unit, the exact (erf) form",
        formula="a = z·Φ(z)",
        slope_formula="Φ(z) + z·φ(z), Φ and φ the normal distribution function and density",
        value=gelu,
        slope=gelu_slope,
        largest_slope=lambda: 1.1289041451176052,
        source="Hendrycks & Gimpel 2016, Gaussian error linear units",
        gain=lambda: math.sqrt(2.0),
        initializer="he_normal",
        use="A smooth ReLU.",
        traps="With He weights signal and gradient drift to zero slowly with depth.",
    ),
)


def softplus(z: float) -> float:
    return max(z, like(z, 0.0)) + log1p(exp(-abs(z)))


def softplus_slope(z: float, a: float) -> float:
    return sigmoid(z)


register(
    "activation",
    Activation(
        name="softplus",
        summary="smooth ReLU that never reaches zero",
        formula="a = ln(1 + e^z)",
        slope_formula="sigmoid(z)",
        value=softplus,
        slope=softplus_slope,
        largest_slope=lambda: 1.0,
        source="Dugas et al. 2001; Glorot, Bordes & Bengio 2011",
        initializer="he_normal",
        use="Positive outputs (variances, rates).",
        traps="Its mean is far from zero, which slows hidden layers.",
    ),
)


def softsign(z: float) -> float:
    return z / (like(z, 1.0) + abs(z))


def softsign_slope(z: float, a: float) -> float:
    root = like(z, 1.0) / (like(z, 1.0) + abs(z))
    return root * root


register(
    "activation",
    Activation(
        name="softsign",
        summary="like tanh with slowly approached limits",
        formula="a = z/(1 + |z|)",
        slope_formula="1/(1 + |z|)²",
        value=softsign,
        slope=softsign_slope,
        largest_slope=lambda: 1.0,
        source="Bergstra et al. 2009; Glorot & Bengio 2010",
        kinks=(0.0,),
        use="Saturates more gently than tanh.",
        traps="The slope falls quickly around 0, so deep stacks still vanish.",
    ),
)


def softmax_row(z: Array, a: Array) -> None:
    largest = z[0]
    for j in range(1, len(z)):
        largest = max(largest, z[j])
    total = like(z[0], 0.0)
    for j in range(len(z)):
        a[j] = exp(z[j] - largest)
        total += a[j]
    scale = like(z[0], 1.0) / total
    for j in range(len(z)):
        a[j] = a[j] * scale


def softmax_row_backward(a: Array, da: Array, dz: Array) -> None:
    inner = like(a[0], 0.0)
    for j in range(len(a)):
        inner += a[j] * da[j]
    for j in range(len(a)):
        dz[j] = a[j] * (da[j] - inner)


register(
    "activation",
    RowActivation(
        name="softmax",
        summary="row of probabilities that sum to 1",
        formula="a_j = e^z_j / Σ_k e^z_k",
        slope_formula="∂a_j/∂z_k = a_j(δ_jk − a_k)",
        row_value=softmax_row,
        row_backward=softmax_row_backward,
        source="Bridle 1990",
        use="The output of classifiers, with cross_entropy.",
        traps="PyTorch's CrossEntropyLoss applies it itself: softmax followed by that loss applies it twice. Here cross_entropy takes the softmax's values.",
    ),
)
