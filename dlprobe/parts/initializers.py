"""Initializers: one record each.

`weights(rng, fan_in, fan_out, *parameters)` draws a matrix (fan_in, fan_out) in float64; `variance(fan_in, fan_out, *parameters)` is what theory uses.
`biases(rng, fan_in, fan_out, *parameters)` is given only where the initializer is defined to draw them; otherwise they start at 0.
`data_dependent` initializers are finished by the engine on a first batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dlprobe.registry import Parameter, register

Matrix = npt.NDArray[np.float64]
Draw = Callable[..., Matrix]


@dataclass(frozen=True)
class Initializer:
    """What is known of an initializer. `variance` and `bias_variance` are those of one weight and one bias parameter."""

    name: str
    summary: str
    formula: str
    weights: Draw
    variance: Callable[..., float]
    source: str
    biases: Draw | None = None
    bias_variance: Callable[..., float] = lambda *_: 0.0
    data_dependent: bool = False
    parameters: tuple[Parameter, ...] = ()
    use: str = ""
    traps: str = ""


# std of a standard normal cut at ±2; drawing at σ/this and cutting at 2 of that gives std σ (Keras's VarianceScaling)
TRUNCATED_STD = 0.8796256610342398


def draw_normal(rng: np.random.Generator, shape: tuple[int, ...], std: float) -> Matrix:
    return rng.standard_normal(shape) * std


def draw_uniform(rng: np.random.Generator, shape: tuple[int, ...], bound: float) -> Matrix:
    return rng.uniform(-bound, bound, shape)


def draw_truncated(rng: np.random.Generator, shape: tuple[int, ...], std: float) -> Matrix:
    """Normal numbers cut at two deviations, by drawing again what falls outside."""
    drawn = rng.standard_normal(shape)
    while (outside := np.abs(drawn) > 2.0).any():
        drawn[outside] = rng.standard_normal(int(outside.sum()))
    return drawn * (std / TRUNCATED_STD)


# family -> (variance of one weight, formula of the variance, source, what it is for)
_FAMILIES: dict[str, tuple[Callable[[int, int], float], str, str, str]] = {
    "glorot": (
        lambda fan_in, fan_out: 2.0 / (fan_in + fan_out),
        "2/(fan_in + fan_out)",
        "Glorot & Bengio 2010, §4.2.1, eq. 12 and 16",
        "tanh, sigmoid, softmax and linear layers",
    ),
    "he": (lambda fan_in, fan_out: 2.0 / fan_in, "2/fan_in", "He et al. 2015, §2.2, eq. 10", "ReLU and its relatives"),
    "lecun": (lambda fan_in, fan_out: 1.0 / fan_in, "1/fan_in", "LeCun et al. 1998, Efficient BackProp, §4.6", "SELU; linear propagation"),
    "he_fan_average": (
        lambda fan_in, fan_out: 4.0 / (fan_in + fan_out),
        "4/(fan_in + fan_out)",
        "Géron 2017, ch. 11 (a textbook variant; He et al. use fan_in)",
        "comparing the textbook's form with He's",
    ),
    "glorot_tanh4": (
        lambda fan_in, fan_out: 32.0 / (fan_in + fan_out),
        "16 · 2/(fan_in + fan_out)",
        "found on slides as the tanh form of Xavier's initialization",
        "seeing why a factor meant for the logistic explodes with tanh",
    ),
}


def _register_family(family: str) -> None:
    variance, text, source, use = _FAMILIES[family]
    for shape, draw, extra in (
        ("normal", lambda rng, size, var: draw_normal(rng, size, math.sqrt(var)), ""),
        ("uniform", lambda rng, size, var: draw_uniform(rng, size, math.sqrt(3.0 * var)), ", uniform on ±√(3·variance)"),
        ("truncated", lambda rng, size, var: draw_truncated(rng, size, math.sqrt(var)), ", cut at two deviations of the uncut normal (Keras's form)"),
    ):
        register(
            "initializer",
            Initializer(
                name=f"{family}_{shape}",
                summary=f"{shape} weights with variance {text}",
                formula=f"Var w = {text}{extra}",
                weights=lambda rng, fan_in, fan_out, draw=draw: draw(rng, (fan_in, fan_out), variance(fan_in, fan_out)),
                variance=variance,
                source=source,
                use=f"For {use}.",
            ),
        )


for _family in _FAMILIES:
    _register_family(_family)

register(
    "initializer",
    Initializer(
        name="zeros",
        summary="all weights zero",
        formula="w = 0",
        weights=lambda rng, fan_in, fan_out: np.zeros((fan_in, fan_out)),
        variance=lambda fan_in, fan_out: 0.0,
        source="none needed",
        use="Biases; showing what symmetry does.",
        traps="Units of a layer stay identical for ever, and no gradient passes.",
    ),
)
register(
    "initializer",
    Initializer(
        name="constant",
        summary="all weights the same",
        formula="w = value",
        weights=lambda rng, fan_in, fan_out, value: np.full((fan_in, fan_out), float(value)),
        variance=lambda fan_in, fan_out, value: 0.0,
        source="none needed",
        parameters=(Parameter("value", 0.01, "the value of every weight"),),
        traps="Units of a layer stay identical for ever.",
    ),
)
register(
    "initializer",
    Initializer(
        name="normal",
        summary="normal weights of a fixed standard deviation",
        formula="w ~ N(0, std²)",
        weights=lambda rng, fan_in, fan_out, std: draw_normal(rng, (fan_in, fan_out), std),
        variance=lambda fan_in, fan_out, std: std * std,
        source="the usual choice before Glorot & Bengio 2010",
        parameters=(Parameter("std", 1.0, "standard deviation", low=0.0),),
        traps="The same std means another network at every width.",
    ),
)
register(
    "initializer",
    Initializer(
        name="uniform",
        summary="uniform weights between fixed bounds",
        formula="w ~ U(−bound, bound)",
        weights=lambda rng, fan_in, fan_out, bound: draw_uniform(rng, (fan_in, fan_out), bound),
        variance=lambda fan_in, fan_out, bound: bound * bound / 3.0,
        source="none needed",
        parameters=(Parameter("bound", 0.05, "largest |w|", low=0.0),),
        traps="The same bound means another network at every width.",
    ),
)
register(
    "initializer",
    Initializer(
        name="truncated_normal",
        summary="normal weights of a fixed standard deviation, cut at two deviations",
        formula="w ~ N(0, (std/.8796)²) cut at 2·std/.8796, so that the standard deviation is std",
        weights=lambda rng, fan_in, fan_out, std: draw_truncated(rng, (fan_in, fan_out), std),
        variance=lambda fan_in, fan_out, std: std * std,
        source="Keras, VarianceScaling (truncated_normal)",
        parameters=(Parameter("std", 0.05, "standard deviation after cutting", low=0.0),),
    ),
)
register(
    "initializer",
    Initializer(
        name="scaled_uniform",
        summary="uniform weights on ±1/√fan_in, zero biases",
        formula="w ~ U(−1/√fan_in, 1/√fan_in)",
        weights=lambda rng, fan_in, fan_out: draw_uniform(rng, (fan_in, fan_out), 1.0 / math.sqrt(fan_in)),
        variance=lambda fan_in, fan_out: 1.0 / (3.0 * fan_in),
        source="Glorot & Bengio 2010, §2.3, eq. 1 (the standard initialization they compare with)",
        traps="A third of LeCun's variance: deep nets vanish.",
    ),
)


def draw_orthogonal(rng: np.random.Generator, fan_in: int, fan_out: int, gain: float) -> Matrix:
    """QR of a normal matrix with the sign fix that makes it uniform over orthogonal matrices."""
    tall = rng.standard_normal((max(fan_in, fan_out), min(fan_in, fan_out)))
    q, r = np.linalg.qr(tall)
    q = q * np.where(np.diagonal(r) < 0.0, -1.0, 1.0)
    return gain * (q if fan_in >= fan_out else np.ascontiguousarray(q.T))


register(
    "initializer",
    Initializer(
        name="orthogonal",
        summary="a random orthogonal matrix times gain",
        formula="W = gain·Q, all singular values equal to gain",
        weights=draw_orthogonal,
        variance=lambda fan_in, fan_out, gain: gain * gain / max(fan_in, fan_out),
        source="Saxe, McClelland & Ganguli 2014; the sign fix: Mezzadri 2007",
        parameters=(Parameter("gain", 1.0, "every singular value of W; √2 suits ReLU"),),
        use="Very deep linear and tanh nets.",
    ),
)
register(
    "initializer",
    Initializer(
        name="pytorch_linear",
        summary="the default of PyTorch's Linear: uniform on ±1/√fan_in, weights and biases",
        formula="w, b ~ U(−1/√fan_in, 1/√fan_in)",
        weights=lambda rng, fan_in, fan_out: draw_uniform(rng, (fan_in, fan_out), 1.0 / math.sqrt(fan_in)),
        variance=lambda fan_in, fan_out: 1.0 / (3.0 * fan_in),
        biases=lambda rng, fan_in, fan_out: draw_uniform(rng, (fan_out,), 1.0 / math.sqrt(fan_in)),
        bias_variance=lambda fan_in, fan_out: 1.0 / (3.0 * fan_in),
        source="PyTorch, torch.nn.Linear",
        traps="A third of LeCun's variance: deep nets vanish.",
    ),
)
register(
    "initializer",
    Initializer(
        name="lsuv",
        summary="orthogonal weights, each layer rescaled until its preactivation variance on a batch of the data is 1",
        formula="W ← W/√Var(z), layer after layer",
        weights=lambda rng, fan_in, fan_out: draw_orthogonal(rng, fan_in, fan_out, 1.0),
        variance=lambda fan_in, fan_out: math.nan,
        data_dependent=True,
        source="Mishkin & Matas 2016, All you need is a good init",
        use="Any activation, where theory has no formula.",
        traps="It looks at the data: at the 256 samples that training visits first.",
    ),
)
register(
    "initializer",
    Initializer(
        name="mean_field",
        summary="normal weights of variance σ_w²/fan_in and normal biases of variance σ_b²: the ensemble of mean-field theory",
        formula="w ~ N(0, σ_w²/fan_in), b ~ N(0, σ_b²)",
        weights=lambda rng, fan_in, fan_out, sigma_w, sigma_b: draw_normal(rng, (fan_in, fan_out), sigma_w / math.sqrt(fan_in)),
        variance=lambda fan_in, fan_out, sigma_w, sigma_b: sigma_w * sigma_w / fan_in,
        biases=lambda rng, fan_in, fan_out, sigma_w, sigma_b: draw_normal(rng, (fan_out,), sigma_b),
        bias_variance=lambda fan_in, fan_out, sigma_w, sigma_b: sigma_b * sigma_b,
        source="Poole et al. 2016; Schoenholz et al. 2017",
        parameters=(Parameter("sigma_w", 1.0, "σ_w", low=0.0), Parameter("sigma_b", 0.0, "σ_b", low=0.0)),
        use="Holding measurement against theory.",
    ),
)
