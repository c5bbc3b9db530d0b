"""Initializers whose variance follows from fan_in and fan_out: Glorot, He, LeCun and their kin."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dlprobe.parts.initializers import (
    Matrix,
    add_initializer,
    draw_normal,
    draw_truncated,
    draw_uniform,
)
from dlprobe.registry import Parameter

# distribution -> how it is drawn from a generator, a shape and a variance, and what formulas add to
# the variance
_DISTRIBUTIONS: dict[
    str, tuple[Callable[[np.random.Generator, tuple[int, ...], float], Matrix], str]
] = {
    "normal": (lambda rng, shape, variance: draw_normal(rng, shape, math.sqrt(variance)), ""),
    "uniform": (
        lambda rng, shape, variance: draw_uniform(rng, shape, math.sqrt(3.0 * variance)),
        ", uniform on ±√(3·variance)",
    ),
    "truncated": (
        lambda rng, shape, variance: draw_truncated(rng, shape, math.sqrt(variance)),
        ", cut at two deviations of the uncut normal (Keras's form)",
    ),
}

# family -> (variance of one weight, formula of the variance, source, what it is for, what goes
# wrong)
_FAMILIES: dict[str, tuple[Callable[[int, int], float], str, str, str, str]] = {
    "glorot": (
        lambda fan_in, fan_out: 2.0 / (fan_in + fan_out),
        "2/(fan_in + fan_out)",
        "Glorot & Bengio 2010, §4.2.1, eq. 12 and 16",
        "tanh, sigmoid, softmax and linear layers",
        "With ReLU the error signal falls by √2 per layer (half its mean square): take He's.",
    ),
    "he": (
        lambda fan_in, fan_out: 2.0 / fan_in,
        "2/fan_in",
        "He et al. 2015, §2.2, eq. 10",
        "ReLU and its relatives",
        (
            "With tanh the gradient grows with depth (σ_w² = 2 is past its edge of chaos at 1). "
            "With GELU, SiLU and Mish signals drift to zero slowly."
        ),
    ),
    "lecun": (
        lambda fan_in, fan_out: 1.0 / fan_in,
        "1/fan_in",
        "LeCun et al. 1998, Efficient BackProp, §4.6",
        "SELU; linear propagation",
        "With ReLU the signal's mean square halves per layer: take He's.",
    ),
    "he_fan_average": (
        lambda fan_in, fan_out: 4.0 / (fan_in + fan_out),
        "4/(fan_in + fan_out)",
        "Géron 2017, ch. 11 (a textbook variant; He et al. use fan_in)",
        "comparing the textbook's form with He's",
        (
            "The same as He's between equal widths only: where layers narrow or widen, the "
            "signal's variance is not kept."
        ),
    ),
    "glorot_tanh4": (
        lambda fan_in, fan_out: 32.0 / (fan_in + fan_out),
        "16 · 2/(fan_in + fan_out)",
        "found on slides as the tanh form of Xavier's initialization",
        "seeing why a factor meant for the logistic explodes with tanh",
        "With tanh the gradient explodes: σ_w² = 16 is far past the edge of chaos at 1.",
    ),
}


# family -> what other tools call it
_ALSO_CALLED = {"glorot": "xavier", "he": "kaiming"}


def _register_family(family: str) -> None:
    variance, text, source, use, traps = _FAMILIES[family]
    for shape, (draw, extra) in _DISTRIBUTIONS.items():
        add_initializer(
            name=f"{family}_{shape}",
            summary=f"{shape} weights with variance {text}",
            formula=f"Var w = {text}{extra}",
            weights=lambda rng, fan_in, fan_out, draw=draw: draw(
                rng, (fan_in, fan_out), variance(fan_in, fan_out)
            ),
            variance=variance,
            source=source,
            use=f"For {use}.",
            traps=traps,
            also_called=_other_names(family, shape),
        )


def _other_names(family: str, shape: str) -> tuple[str, ...]:
    """xavier_uniform of glorot_uniform; xavier alone means the normal one."""
    other = _ALSO_CALLED.get(family)
    return (
        ()
        if other is None
        else (f"{other}_{shape}", other)
        if shape == "normal"
        else (f"{other}_{shape}",)
    )


for _family in _FAMILIES:
    _register_family(_family)


def fan_of(mode: str, fan_in: int, fan_out: int) -> float:
    """The fan that a variance is divided by: fan_in, fan_out, or fan_avg, their mean."""
    return {
        "fan_in": float(fan_in),
        "fan_out": float(fan_out),
        "fan_avg": (fan_in + fan_out) / 2.0,
    }[mode]


add_initializer(
    name="variance_scaling",
    summary="weights with variance scale/fan, the fan and the distribution by name: the general "
    "form of Glorot, He and LeCun",
    formula="Var w = scale/fan, fan one of fan_in, fan_out, fan_avg = (fan_in + fan_out)/2",
    weights=lambda rng, fan_in, fan_out, scale, mode, distribution: _DISTRIBUTIONS[distribution][0](
        rng, (fan_in, fan_out), scale / fan_of(mode, fan_in, fan_out)
    ),
    variance=lambda fan_in, fan_out, scale, mode, distribution: (
        scale / fan_of(mode, fan_in, fan_out)
    ),
    source="Keras, VarianceScaling; PyTorch's kaiming with mode fan_out is scale=2, "
    "mode=fan_out, distribution=normal",
    parameters=(
        Parameter(
            "scale",
            1.0,
            "variance times fan: 1 is LeCun's (with fan_avg Glorot's), 2 He's",
            low=0.0,
        ),
        Parameter(
            "mode",
            "fan_in",
            "what the variance is divided by",
            choices=("fan_in", "fan_out", "fan_avg"),
        ),
        Parameter(
            "distribution",
            "truncated",
            "truncated at two deviations of the uncut normal, normal, or uniform",
            choices=tuple(_DISTRIBUTIONS),
        ),
    ),
    use="Comparing fans and distributions one at a time.",
    traps="Keras's `normal` is `truncated` here, its `untruncated_normal` is `normal`. With "
    "fan_out the backward signal is kept, not the forward one.",
)
