"""Optimizers: one record each.

`update(w, g, *state, *coefficients)` maps one parameter, its gradient and its state to (w, *state) after the step: a scalar function that the engine fuses with
the statistics of gradient, weight and update. `coefficients(step, rate, *parameters)` is worked out once per step; step counts from 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dlprobe.parts.scalar import sqrt
from dlprobe.registry import Parameter, register


@dataclass(frozen=True)
class Optimizer:
    """What is known of an optimizer. `states` counts the numbers it keeps per parameter, `rate` is the usual learning rate."""

    name: str
    summary: str
    formula: str
    update: Callable[..., tuple[float, ...]]
    coefficients: Callable[..., tuple[float, ...]]
    states: int
    rate: float
    source: str
    parameters: tuple[Parameter, ...] = ()
    use: str = ""
    traps: str = ""


def sgd_update(w: float, g: float, rate: float) -> tuple[float]:
    return (w - rate * g,)


def sgd_coefficients(step: float, rate: float) -> tuple[float]:
    return (rate,)


register(
    "optimizer",
    Optimizer(
        name="sgd",
        summary="stochastic gradient descent",
        formula="θ ← θ − ηg",
        update=sgd_update,
        coefficients=sgd_coefficients,
        states=0,
        rate=0.01,
        source="Robbins & Monro 1951",
        use="The reference every other optimizer is compared with.",
    ),
)


def momentum_update(w: float, g: float, v: float, rate: float, momentum: float) -> tuple[float, float]:
    v = momentum * v + g
    return (w - rate * v, v)


def momentum_coefficients(step: float, rate: float, momentum: float) -> tuple[float, float]:
    return (rate, momentum)


register(
    "optimizer",
    Optimizer(
        name="momentum",
        summary="gradient descent with momentum (heavy ball)",
        formula="v ← μv + g, θ ← θ − ηv",
        update=momentum_update,
        coefficients=momentum_coefficients,
        states=1,
        rate=0.01,
        source="Polyak 1964; Sutskever et al. 2013",
        parameters=(Parameter("momentum", 0.9, "share of the velocity that is kept", low=0.0, high=1.0, open_high=True),),
        traps="The form v ← μv + (1 − μ)g found on slides has an effective rate of (1 − μ) of this one.",
    ),
)


def adam_update(
    w: float, g: float, m: float, v: float, rate: float, take1: float, beta2: float, take2: float, root: float, epsilon: float
) -> tuple[float, float, float]:
    m = m + take1 * (g - m)
    v = beta2 * v + take2 * g * g
    return (w - rate * m / (sqrt(v) * root + epsilon), m, v)


def adam_coefficients(step: float, rate: float, beta1: float, beta2: float, epsilon: float) -> tuple[float, ...]:
    return (rate / (1.0 - beta1**step), 1.0 - beta1, beta2, 1.0 - beta2, 1.0 / sqrt(1.0 - beta2**step), epsilon)


register(
    "optimizer",
    Optimizer(
        name="adam",
        summary="adaptive moments with bias correction",
        formula="m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², θ ← θ − η·m̂/(√v̂ + ε), m̂ = m/(1 − β₁^t), v̂ = v/(1 − β₂^t)",
        update=adam_update,
        coefficients=adam_coefficients,
        states=2,
        rate=0.001,
        source="Kingma & Ba 2015, Adam: a method for stochastic optimization, Algorithm 1 (ε outside the root, as PyTorch)",
        parameters=(
            Parameter("beta1", 0.9, "decay of the first moment", low=0.0, high=1.0, open_high=True),
            Parameter("beta2", 0.999, "decay of the second moment", low=0.0, high=1.0, open_high=True),
            Parameter("epsilon", 1e-8, "added to the root of the second moment", low=0.0),
        ),
        use="The default: little tuning of the rate needed.",
        traps="Keras places ε as TensorFlow does (ε̂ of the paper's section 2), so tiny gradients step differently.",
    ),
)
