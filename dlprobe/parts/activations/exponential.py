"""Activations with an exponential branch."""

from __future__ import annotations

import math

from dlprobe.parts.activations.records import add_activation
from dlprobe.parts.scalar import exp, expm1, like
from dlprobe.registry import Parameter

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


def elu(z: float, alpha: float) -> float:
    return z if z > like(z, 0.0) else alpha * expm1(z)


def elu_slope(z: float, a: float, alpha: float) -> float:
    # at 0 the slope is 1 for alpha = 1, from both sides; PyTorch and Keras take the left one, alpha
    return like(z, 1.0) if z > like(z, 0.0) else a + alpha


add_activation(
    name="elu",
    summary="exponential linear unit",
    formula="a = z for z > 0, else α(e^z − 1)",
    slope_formula="1 for z > 0, else a + α",
    value=elu,
    slope=elu_slope,
    largest_slope=lambda alpha: max(1.0, abs(alpha)),
    output_range=lambda alpha: (min(-alpha, 0.0), math.inf),
    source="Clevert, Unterthiner & Hochreiter 2016, Fast and accurate deep network "
    "learning by ELUs",
    kinks=lambda *_: (0.0,),
    initializer="he_normal",
    parameters=(Parameter("alpha", 1.0, "minus the value for z → −∞"),),
    use="Activations nearer zero mean than ReLU's; no dead units.",
    traps="The form max(z, α(e^z − 1)) found on slides is wrong for α > 1.",
)


def celu(z: float, alpha: float) -> float:
    return z if z > like(z, 0.0) else alpha * expm1(z / alpha)


def celu_slope(z: float, a: float, alpha: float) -> float:
    return like(z, 1.0) if z > like(z, 0.0) else exp(z / alpha)


add_activation(
    name="celu",
    summary="ELU whose slope is continuous for every α",
    formula="a = z for z > 0, else α(e^(z/α) − 1)",
    slope_formula="1 for z > 0, else e^(z/α)",
    value=celu,
    slope=celu_slope,
    largest_slope=lambda alpha: 1.0,
    output_range=lambda alpha: (-alpha, math.inf),
    source="Barron 2017, Continuously differentiable exponential linear units",
    kinks=lambda alpha: (0.0,),
    initializer="he_normal",
    parameters=(Parameter("alpha", 1.0, "minus the value for z → −∞", low=0.0, open_low=True),),
    use="ELU where α is to be tuned: α changes the limit and not the slope at 0.",
    traps="With α = 1 it is ELU exactly. For α → 0 it becomes ReLU, dead units included.",
)


def selu(z: float) -> float:
    return (
        like(z, SELU_SCALE) * z if z > like(z, 0.0) else like(z, SELU_SCALE * SELU_ALPHA) * expm1(z)
    )


def selu_slope(z: float, a: float) -> float:
    return like(z, SELU_SCALE) if z > like(z, 0.0) else a + like(z, SELU_SCALE * SELU_ALPHA)


add_activation(
    name="selu",
    summary="self-normalizing ELU: mean 0 and variance 1 are a fixed point with LeCun weights",
    formula="a = λz for z > 0, else λα(e^z − 1); λ = 1.0507, α = 1.6733",
    slope_formula="λ for z > 0, else a + λα (λα at 0)",
    value=selu,
    slope=selu_slope,
    largest_slope=lambda: SELU_SCALE * SELU_ALPHA,
    output_range=lambda: (-SELU_SCALE * SELU_ALPHA, math.inf),
    source="Klambauer et al. 2017, Self-normalizing neural networks",
    gain=lambda: 0.75,
    kinks=lambda *_: (0.0,),
    initializer="lecun_normal",
    use="Deep dense nets without normalization, standardized inputs, LeCun initialization.",
    traps="The variance is a fixed point, the gradient is not: it grows by 1.0716 in mean "
    "square per layer.",
)


def exponential(z: float) -> float:
    return exp(z)


def exponential_slope(z: float, a: float) -> float:
    return a


add_activation(
    name="exponential",
    summary="the exponential function",
    formula="a = e^z",
    slope_formula="a",
    value=exponential,
    slope=exponential_slope,
    largest_slope=lambda: math.inf,
    output_range=lambda: (0.0, math.inf),
    source="none needed: the inverse of the logarithmic link of Poisson regression (Nelder & "
    "Wedderburn 1972)",
    use="Output units that are positive and spread over decades: rates, counts, variances.",
    traps="As a hidden activation it explodes: z of 100 overflows float32. Its slope has no "
    "largest value, so flat_fraction measures against 1.",
)
