"""Smooth and piecewise quadratic relatives of ReLU."""

from __future__ import annotations

import math

from dlprobe.parts.activations.records import add_activation
from dlprobe.parts.scalar import erf, exp, like, log1p, sigmoid, sqrt, tanh
from dlprobe.registry import Parameter

SQRT_HALF = math.sqrt(0.5)
INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)
SQRT_2_OVER_PI = math.sqrt(2.0 / math.pi)
CUBIC = 0.044715  # Hendrycks & Gimpel's fit


def silu(z: float) -> float:
    return z * sigmoid(z)


def silu_slope(z: float, a: float) -> float:
    s = sigmoid(z)
    return s + a * (like(z, 1.0) - s)


add_activation(
    name="silu",
    also_called=("swish",),
    summary="sigmoid-weighted linear unit (swish)",
    formula="a = z·sigmoid(z)",
    slope_formula="s + a(1 − s), s = sigmoid(z)",
    value=silu,
    slope=silu_slope,
    largest_slope=lambda: 1.0998393201288669,
    output_range=lambda: (-0.27846454276107374, math.inf),
    source="Elfwing, Uchibe & Doya 2018; Ramachandran, Zoph & Le 2017",
    gain=lambda: math.sqrt(2.0),
    initializer="he_normal",
    use="A smooth ReLU.",
    traps="With He weights signal and gradient drift to zero slowly with depth.",
)


def gelu(z: float, approximate: bool) -> float:
    return gelu_by_tanh(z) if approximate else gelu_by_erf(z)


def gelu_slope(z: float, a: float, approximate: bool) -> float:
    return gelu_by_tanh_slope(z) if approximate else gelu_by_erf_slope(z)


def gelu_by_erf(z: float) -> float:
    return like(z, 0.5) * z * (like(z, 1.0) + erf(like(z, SQRT_HALF) * z))


def gelu_by_erf_slope(z: float) -> float:
    cdf = like(z, 0.5) * (like(z, 1.0) + erf(like(z, SQRT_HALF) * z))
    return cdf + z * like(z, INV_SQRT_2PI) * exp(like(z, -0.5) * z * z)


def gelu_by_tanh(z: float) -> float:
    return (
        like(z, 0.5)
        * z
        * (like(z, 1.0) + tanh(like(z, SQRT_2_OVER_PI) * (z + like(z, CUBIC) * z * z * z)))
    )


def gelu_by_tanh_slope(z: float) -> float:
    t = tanh(like(z, SQRT_2_OVER_PI) * (z + like(z, CUBIC) * z * z * z))
    # far out 1 − t² is 0 and z² may be infinite: their product is 0
    inner = like(z, SQRT_2_OVER_PI) * (like(z, 1.0) + like(z, 3.0 * CUBIC) * z * z)
    bend = (
        like(z, 0.5) * z * (like(z, 1.0) - t * t) * inner
        if abs(z) < like(z, 20.0)
        else like(z, 0.0) * z
    )
    return like(z, 0.5) * (like(z, 1.0) + t) + bend


add_activation(
    name="gelu",
    summary="Gaussian error linear unit, exact (erf) or in its tanh form",
    formula="a = z·Φ(z); approximate: ½z(1 + tanh(√(2/π)(z + 0.044715z³)))",
    slope_formula="Φ(z) + z·φ(z), Φ and φ the normal distribution function and density",
    value=gelu,
    slope=gelu_slope,
    largest_slope=lambda approximate: 1.1289930686587718 if approximate else 1.1289041451851548,
    output_range=lambda approximate: (
        -0.17004075057125410 if approximate else -0.16997120747990365,
        math.inf,
    ),
    source="Hendrycks & Gimpel 2016, Gaussian error linear units",
    gain=lambda approximate: math.sqrt(2.0),
    initializer="he_normal",
    parameters=(Parameter("approximate", False, "the tanh form"),),
    use="A smooth ReLU; the usual choice of transformers.",
    traps="With He weights signal and gradient drift to zero slowly with depth. The two forms "
    "differ by up to 5e-4: a net trained with one is not quite the same with the other.",
)


def softplus(z: float) -> float:
    return max(z, like(z, 0.0)) + log1p(exp(-abs(z)))


def softplus_slope(z: float, a: float) -> float:
    return sigmoid(z)


add_activation(
    name="softplus",
    summary="smooth ReLU that never reaches zero",
    formula="a = ln(1 + e^z)",
    slope_formula="sigmoid(z)",
    value=softplus,
    slope=softplus_slope,
    largest_slope=lambda: 1.0,
    output_range=lambda: (0.0, math.inf),
    source="Dugas et al. 2001; Glorot, Bordes & Bengio 2011",
    initializer="he_normal",
    use="Positive outputs (variances, rates).",
    traps="Its mean is far from zero, which slows hidden layers.",
)


def mish(z: float) -> float:
    return z * tanh_of_softplus(z)


def mish_slope(z: float, a: float) -> float:
    t = tanh_of_softplus(z)
    return t + z * (like(z, 1.0) - t * t) * sigmoid(z)


def tanh_of_softplus(z: float) -> float:
    # with w = e^z it is w(w + 2)/(w(w + 2) + 2); with u = e^−|z| nothing overflows
    u = exp(-abs(z))
    two = like(z, 2.0)
    above = like(z, 1.0) + two * u if z >= like(z, 0.0) else u * (u + two)
    return above / (above + (two * u * u if z >= like(z, 0.0) else two))


add_activation(
    name="mish",
    summary="z times the tanh of its softplus",
    formula="a = z·tanh(ln(1 + e^z))",
    slope_formula="t + z(1 − t²)·sigmoid(z), t = tanh(ln(1 + e^z))",
    value=mish,
    slope=mish_slope,
    largest_slope=lambda: 1.0884981612517279,
    output_range=lambda: (-0.3088434130172504, math.inf),
    source="Misra 2020, Mish: a self regularized non-monotonic activation function",
    gain=lambda: math.sqrt(2.0),
    initializer="he_normal",
    use="A smooth ReLU, close to SiLU.",
    traps="With He weights signal and gradient drift to zero slowly with depth.",
)


def squareplus(z: float, b: float) -> float:
    root = hypotenuse(z, b)
    # below 0 the two terms nearly cancel: multiplied out, they do not
    return like(z, 0.5) * (z + root) if z >= like(z, 0.0) else like(z, 0.5) * (b / (root - z))


def squareplus_slope(z: float, a: float, b: float) -> float:
    return (
        like(z, 0.5) * (like(z, 1.0) + z / hypotenuse(z, b))
        if z >= like(z, 0.0)
        else a / hypotenuse(z, b)
    )


def hypotenuse(z: float, b: float) -> float:
    """√(z² + b), without squaring numbers whose square overflows."""
    side = sqrt(b)
    longer = max(abs(z), side)
    ratio = min(abs(z), side) / longer
    return longer * sqrt(like(z, 1.0) + ratio * ratio)


add_activation(
    name="squareplus",
    summary="softplus without exponential: an algebraic smooth ReLU",
    formula="a = (z + √(z² + b))/2",
    slope_formula="(1 + z/√(z² + b))/2",
    value=squareplus,
    slope=squareplus_slope,
    largest_slope=lambda b: 1.0,
    output_range=lambda b: (0.0, math.inf),
    source="Barron 2021, Squareplus: a softplus-like algebraic rectifier",
    initializer="he_normal",
    parameters=(
        Parameter("b", 4.0, "how round the bend is; 4 as softplus near 0", low=0.0, open_low=True),
    ),
    use="Positive outputs without the cost of an exponential.",
    traps="Its mean is far from zero, which slows hidden layers; it falls like b/(4|z|), so it "
    "is never quite off.",
)


def sparse_plus(z: float) -> float:
    one = like(z, 1.0)
    low = like(z, 0.25) * (z + one) * (z + one) if z > -one else like(z, 0.0)
    return low if z < one else z


def sparse_plus_slope(z: float, a: float) -> float:
    one = like(z, 1.0)
    low = like(z, 0.5) * (z + one) if z > -one else like(z, 0.0)
    return low if z < one else one


add_activation(
    name="sparse_plus",
    summary="ReLU with a parabola in place of its corner",
    formula="a = 0 for z ≤ −1, (z + 1)²/4 for −1 < z < 1, z for z ≥ 1",
    slope_formula="0 for z ≤ −1, (z + 1)/2 for −1 < z < 1, 1 for z ≥ 1",
    value=sparse_plus,
    slope=sparse_plus_slope,
    largest_slope=lambda: 1.0,
    output_range=lambda: (0.0, math.inf),
    source="the antiderivative of the two-class sparsemax, Martins & Astudillo 2016; as in "
    "Keras and JAX",
    kinks=lambda: (-1.0, 1.0),
    initializer="he_normal",
    use="A ReLU with a continuous slope that can still be exactly 0.",
    traps="Units below −1 on all data are dead, as with ReLU.",
)


def hard_silu(z: float) -> float:
    three = like(z, 3.0)
    middle = z * (z + three) / like(z, 6.0) if z > -three else like(z, 0.0)
    return middle if z < three else z


def hard_silu_slope(z: float, a: float) -> float:
    three = like(z, 3.0)
    middle = z / three + like(z, 0.5) if z > -three else like(z, 0.0)
    return middle if z < three else like(z, 1.0)


add_activation(
    name="hard_silu",
    also_called=("hard_swish", "hardswish"),
    summary="SiLU with the hard sigmoid (hard swish)",
    formula="a = z·min(max(z + 3, 0), 6)/6",
    slope_formula="0 for z ≤ −3, z/3 + 1/2 for −3 < z < 3, 1 for z ≥ 3",
    value=hard_silu,
    slope=hard_silu_slope,
    largest_slope=lambda: 1.5,
    output_range=lambda: (-0.375, math.inf),
    source="Howard et al. 2019, Searching for MobileNetV3",
    gain=lambda: math.sqrt(2.0),
    kinks=lambda: (-3.0, 3.0),
    initializer="he_normal",
    use="SiLU on hardware without an exponential.",
    traps="The slope jumps from 0 to −1/2 at −3 and from 3/2 to 1 at 3; units below −3 on all "
    "data are dead.",
)


def log_sigmoid(z: float) -> float:
    return min(z, like(z, 0.0)) - log1p(exp(-abs(z)))


def log_sigmoid_slope(z: float, a: float) -> float:
    return sigmoid(-z)


add_activation(
    name="log_sigmoid",
    summary="logarithm of the sigmoid: softplus turned upside down",
    formula="a = ln(1/(1 + e^−z)) = −softplus(−z)",
    slope_formula="sigmoid(−z)",
    value=log_sigmoid,
    slope=log_sigmoid_slope,
    largest_slope=lambda: 1.0,
    output_range=lambda: (-math.inf, 0.0),
    source="none needed: the logarithm of the logistic function",
    use="Log-probabilities of independent outputs.",
    traps="It is never positive. cross_entropy losses here take probabilities, not their "
    "logarithms: use sigmoid with binary_cross_entropy.",
)
