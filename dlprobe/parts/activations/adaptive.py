"""Rectifiers whose negative slope is learned or drawn at random."""

from __future__ import annotations

import math

from dlprobe.parts.activations.records import LearnedActivation, RandomActivation
from dlprobe.parts.scalar import like
from dlprobe.registry import Parameter, registrar


def sloped(z: float, s: float) -> float:
    return z if z > like(z, 0.0) else s * z


def sloped_slope(z: float, a: float, s: float) -> float:
    return like(z, 1.0) if z > like(z, 0.0) else s


def slope_of_the_slope(z: float, s: float) -> float:
    return like(z, 0.0) if z > like(z, 0.0) else z


registrar("activation", LearnedActivation)(
    name="prelu",
    summary="ReLU whose negative slope is learned, one per unit or one for the layer",
    formula="a = z for z > 0, else s·z, s learned",
    slope_formula="1 for z > 0, else s (s at 0); ∂a/∂s = min(z, 0)",
    value=sloped,
    slope=sloped_slope,
    learned_slope=slope_of_the_slope,
    largest_slope=lambda init, shared: max(1.0, abs(init)),
    source="He, Zhang, Ren & Sun 2015, Delving deep into rectifiers",
    gain=lambda init, shared: math.sqrt(2.0 / (1.0 + init * init)),
    kinks=lambda *_: (0.0,),
    initializer="he_normal",
    parameters=(
        Parameter("init", 0.25, "the slope for negative preactivations that training starts from"),
        Parameter("shared", False, "one slope for the whole layer in place of one per unit"),
    ),
    use="Where the right negative slope is not known and there is data enough to learn it.",
    traps="Weight decay on the slopes pulls them to 0, i.e. to ReLU. Frameworks differ: PyTorch "
    "shares one slope and starts at .25, Keras has one per unit and starts at 0. He initialization "
    "is for the slope at the start.",
)


registrar("activation", RandomActivation)(
    name="rrelu",
    summary="ReLU whose negative slope is drawn anew for every element while training",
    formula=("a = z for z > 0, else s·z; s ~ U(lower, upper) in training, its mean in evaluation"),
    slope_formula="1 for z > 0, else s (s at 0)",
    value=sloped,
    slope=sloped_slope,
    largest_slope=lambda lower, upper: max(1.0, abs(lower), abs(upper)),
    output_range=lambda lower, upper: (-math.inf if max(lower, upper) > 0 else 0.0, math.inf),
    source="Xu, Wang, Chen & Li 2015, Empirical evaluation of rectified activations in "
    "convolutional network",
    gain=lambda lower, upper: math.sqrt(
        2.0 / (1.0 + (lower * lower + lower * upper + upper * upper) / 3.0)
    ),
    kinks=lambda *_: (0.0,),
    initializer="he_normal",
    parameters=(
        Parameter("lower", 0.125, "smallest slope for negative preactivations"),
        Parameter("upper", 1.0 / 3.0, "largest slope for negative preactivations"),
    ),
    use="Small data sets, where the noise in the slope regularizes.",
    traps="Training and evaluation use different functions, so their losses differ for the same "
    "parameters.",
    objection=lambda lower, upper: (
        f"lower = {lower:g} is above upper = {upper:g}: expected lower <= upper"
        if lower > upper
        else None
    ),
)
