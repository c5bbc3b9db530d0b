"""Perturbations: random changes of a layer's input, or of its weights, while it trains; one record
each.

`value(x, draw, *parameters)` maps one number and one draw to the perturbed number, `slope(draw,
*parameters)` is its derivative by x. The engine draws anew in every training step, from counters
(seed, step, layer, position), and leaves numbers as they are in evaluation mode.
"""

from __future__ import annotations

from collections.abc import Callable

from dlprobe.dataclass import dataclass
from dlprobe.parts.scalar import like, sqrt
from dlprobe.registry import Parameter, registrar


@dataclass(frozen=True)
class Perturbation:
    """What is known of a perturbation. `draws`: uniform on [0, 1), or standard normal."""

    name: str
    summary: str
    formula: str
    value: Callable[..., float]
    slope: Callable[..., float]
    draws: str
    source: str
    parameters: tuple[Parameter, ...] = ()
    use: str = ""
    traps: str = ""


add_perturbation = registrar("perturbation", Perturbation)


def dropout_value(x: float, draw: float, rate: float) -> float:
    return like(x, 0.0) if draw < rate else x / (like(x, 1.0) - rate)


def dropout_slope(draw: float, rate: float) -> float:
    return like(draw, 0.0) if draw < rate else like(draw, 1.0) / (like(draw, 1.0) - rate)


_RATE = Parameter(
    "rate", 0.5, "probability of dropping an element", low=0.0, high=1.0, open_high=True
)

add_perturbation(
    name="dropout",
    summary="each element is dropped with probability `rate`, the others are divided by 1 − rate; "
    "a new mask every training step, none in evaluation",
    formula="y = x·m/(1 − rate), m ~ Bernoulli(1 − rate)",
    value=dropout_value,
    slope=dropout_slope,
    draws="uniform",
    source="Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, Dropout; the "
    "inverted scaling of all present libraries",
    parameters=(_RATE,),
    use="Nets that overfit: .1 to .5 on hidden layers, up to .2 on inputs. On weights it is "
    "drop-connect (Wan et al. 2013).",
    traps="`rate` is the probability of dropping; the paper's p is that of keeping. E a² and E "
    "δ² grow by 1/(1 − rate) per layer.",
)


def gaussian_noise_value(x: float, draw: float, std: float) -> float:
    return x + std * draw


def gaussian_noise_slope(draw: float, std: float) -> float:
    return like(draw, 1.0)


add_perturbation(
    name="gaussian_noise",
    summary="normal noise is added to each element in training",
    formula="y = x + std·ε, ε ~ N(0, 1)",
    value=gaussian_noise_value,
    slope=gaussian_noise_slope,
    draws="normal",
    source="Bishop 1995, Training with noise is equivalent to Tikhonov regularization",
    parameters=(Parameter("std", 0.1, "standard deviation of the noise", low=0.0),),
    use="Augmentation of standardized inputs; small data.",
    traps="The size counts in units of what it is added to: standardize the inputs first.",
)


def gaussian_dropout_value(x: float, draw: float, rate: float) -> float:
    return x * gaussian_dropout_slope(draw, rate)


def gaussian_dropout_slope(draw: float, rate: float) -> float:
    return like(draw, 1.0) + draw * sqrt(rate / (like(draw, 1.0) - rate))


add_perturbation(
    name="gaussian_dropout",
    summary="each element is multiplied by a normal number of mean 1 with the variance that "
    "dropout's factor has",
    formula="y = x(1 + ε·√(rate/(1 − rate))), ε ~ N(0, 1)",
    value=gaussian_dropout_value,
    slope=gaussian_dropout_slope,
    draws="normal",
    source="Srivastava et al. 2014, Dropout, §10",
    parameters=(_RATE,),
    use="In place of dropout; nothing is ever exactly zero.",
    traps="The variance, not the mean, is what it adds: rate .5 multiplies by N(1, 1), which "
    "turns signs in one case of six.",
)
