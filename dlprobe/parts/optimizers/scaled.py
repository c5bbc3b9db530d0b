"""The gradient over the root of its own mean or summed square: Adagrad and RMSprop."""

from __future__ import annotations

from typing import Any

from dlprobe.parts.optimizers import EPSILON, KERAS_EPSILON, add_optimizer, share
from dlprobe.parts.scalar import like, sqrt
from dlprobe.registry import Parameter


def adagrad_update(
    w: float, g: float, s: float, rate: float, inside: float, outside: float
) -> tuple[float, float]:
    s = s + g * g
    return (w - rate * g / (sqrt(s + inside) + outside), s)


def adagrad_coefficients(
    step: float, rate: float, lr_decay: float, start: float, epsilon: float, keras_epsilon: float
) -> tuple[float, ...]:
    inside = epsilon if keras_epsilon else 0.0
    return (rate / (1.0 + (step - 1.0) * lr_decay), inside, epsilon - inside)


def adagrad_initial(
    lr_decay: float, start: float, epsilon: float, keras_epsilon: float
) -> tuple[float, ...]:
    return (start,)


def adagrad_effective(step: float, rate: float, state: Any, *parameters: float) -> Any:
    rate, inside, outside = adagrad_coefficients(step, rate, *parameters)
    return rate / ((state[0] + inside) ** 0.5 + outside)


add_optimizer(
    name="adagrad",
    summary="a rate per parameter that falls with the squares of all its gradients",
    formula="s ← s + g², θ ← θ − η/(1 + (t − 1)·lr_decay)·g/(√s + ε)",
    update=adagrad_update,
    coefficients=adagrad_coefficients,
    states=1,
    rate=0.01,
    source="Duchi, Hazan & Singer 2011, as PyTorch",
    parameters=(
        Parameter("lr_decay", 0.0, "decay of the rate per step", low=0.0),
        Parameter(
            "initial_accumulator_value", 0.0, "s before the first step (Keras: 0.1)", low=0.0
        ),
        Parameter("epsilon", 1e-10, "ε, added to the root (Keras: 1e-7)", low=0.0),
        KERAS_EPSILON,
    ),
    initial=adagrad_initial,
    effective=adagrad_effective,
    use="Rare features with large steps; convex problems.",
    traps="The rate only falls: deep nets stop early. Keras divides by √(s + ε), which "
    "keras_epsilon gives, and starts from s = 0.1.",
)


def rmsprop_update(
    w: float,
    g: float,
    s: float,
    m: float,
    v: float,
    rate: float,
    alpha: float,
    take: float,
    momentum: float,
    centre: float,
    inside: float,
    outside: float,
) -> tuple[float, float, float, float]:
    s = alpha * s + take * g * g
    m = m + take * (g - m)
    spread = s - centre * m * m
    zero = like(s, 0.0)
    # rounding makes the variance of a constant gradient negative
    spread = zero if spread < zero else spread
    v = momentum * v + g / (sqrt(spread + inside) + outside)
    return (w - rate * v, s, m, v)


def rmsprop_coefficients(
    step: float,
    rate: float,
    alpha: float,
    momentum: float,
    epsilon: float,
    centered: float,
    keras_epsilon: float,
) -> tuple[float, ...]:
    inside = epsilon if keras_epsilon else 0.0
    return (rate, alpha, 1.0 - alpha, momentum, 1.0 if centered else 0.0, inside, epsilon - inside)


def rmsprop_effective(step: float, rate: float, state: Any, *parameters: float) -> Any:
    _, _, _, _, centre, inside, outside = rmsprop_coefficients(step, rate, *parameters)
    return rate / ((state[0] - centre * state[1] ** 2 + inside).clip(0.0) ** 0.5 + outside)


def rmsprop_falls_with(*parameters: float) -> int | None:
    _, _, _, _, centre, *_ = rmsprop_coefficients(1.0, 1.0, *parameters)
    return None if centre else 0


add_optimizer(
    name="rmsprop",
    summary="the gradient over the root of the moving average of its square",
    formula="s ← αs + (1 − α)g², v ← μv + g/(√s + ε), θ ← θ − ηv; centered: √(s − m²), m ← αm + (1 "
    "− α)g",
    update=rmsprop_update,
    coefficients=rmsprop_coefficients,
    states=3,
    rate=0.01,
    source="Tieleman & Hinton 2012 (lecture 6e), centered Graves 2013; as PyTorch (α = .99; the "
    "lecture's and Keras's is .9)",
    parameters=(
        share("alpha", 0.99, "α, decay of the mean square"),
        share("momentum", 0.0, "μ"),
        EPSILON,
        Parameter(
            "centered",
            False,
            "divide by the standard deviation of the gradient in place of its root mean square",
        ),
        KERAS_EPSILON,
    ),
    momentum="momentum",
    effective=rmsprop_effective,
    falls_with=rmsprop_falls_with,
    use="Gradients of very different sizes; loss surfaces that change while training.",
    traps="No bias correction: the first steps are √(1/(1 − α)) = 10 times too long. Keras "
    "divides by √(s + ε), which keras_epsilon gives.",
)
