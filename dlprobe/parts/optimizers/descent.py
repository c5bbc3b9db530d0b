"""Gradient descent, with momentum of both kinds."""

from __future__ import annotations

from dlprobe.parts.optimizers import add_optimizer, share, weight_decay

MOMENTUM = share("momentum", 0.9, "μ, share of the velocity that is kept")


def sgd_update(w: float, g: float, rate: float, keep: float) -> tuple[float]:
    return (keep * w - rate * g,)


def sgd_coefficients(step: float, rate: float, weight_decay: float) -> tuple[float, float]:
    return (rate, 1.0 - rate * weight_decay)


add_optimizer(
    name="sgd",
    summary="stochastic gradient descent",
    formula="θ ← θ − ηg",
    update=sgd_update,
    coefficients=sgd_coefficients,
    states=0,
    rate=0.01,
    source="Robbins & Monro 1951",
    parameters=(weight_decay(),),
    use="The reference every other optimizer is compared with.",
    traps="One rate for all directions: it must stay below 2 over the largest curvature, and "
    "then the flat ones hardly move.",
)


def momentum_update(
    w: float, g: float, v: float, rate: float, keep: float, momentum: float, take: float
) -> tuple[float, float]:
    v = momentum * v + take * g
    return (keep * w - rate * v, v)


def momentum_coefficients(
    step: float, rate: float, momentum: float, dampening: float, weight_decay: float
) -> tuple[float, ...]:
    return (rate, 1.0 - rate * weight_decay, momentum, 1.0 - dampening if step > 1 else 1.0)


add_optimizer(
    name="momentum",
    summary="gradient descent with momentum (heavy ball)",
    formula="v ← μv + (1 − d)g (the first time v = g), θ ← θ − ηv",
    update=momentum_update,
    coefficients=momentum_coefficients,
    states=1,
    rate=0.01,
    source="Polyak 1964; Sutskever et al. 2013; dampening d and first step as PyTorch",
    parameters=(
        MOMENTUM,
        share(
            "dampening",
            0.0,
            "d, what the gradient is lessened by; d = μ is the moving average of the slides",
        ),
        weight_decay(),
    ),
    momentum="momentum",
    use="The usual choice beside adam: with a schedule it often generalizes better.",
    traps="The moving average v ← μv + (1 − μ)g found on slides (dampening = momentum) has an "
    "effective rate of (1 − μ) of the plain form's.",
)


def nesterov_update(
    w: float, g: float, v: float, rate: float, keep: float, momentum: float
) -> tuple[float, float]:
    v = momentum * v + g
    return (keep * w - rate * (g + momentum * v), v)


def nesterov_coefficients(
    step: float, rate: float, momentum: float, weight_decay: float
) -> tuple[float, ...]:
    return (rate, 1.0 - rate * weight_decay, momentum)


add_optimizer(
    name="nesterov",
    summary="gradient descent with Nesterov's momentum: the gradient counts as if taken one "
    "step ahead",
    formula="v ← μv + g, θ ← θ − η(g + μv)",
    update=nesterov_update,
    coefficients=nesterov_coefficients,
    states=1,
    rate=0.01,
    source="Nesterov 1983; Sutskever et al. 2013, in PyTorch's form",
    parameters=(MOMENTUM, weight_decay()),
    momentum="momentum",
    use="As momentum; it brakes earlier where the gradient turns.",
    traps="θ is the point that looks ahead; the textbook's own θ lies ημv behind it.",
)
