"""Adam and its relatives."""

from __future__ import annotations

from typing import Any

from dlprobe.parts.optimizers import (
    BIAS_CORRECTION,
    EPSILON,
    KERAS_EPSILON,
    add_optimizer,
    share,
    weight_decay,
)
from dlprobe.parts.scalar import like, sqrt
from dlprobe.registry import Parameter

BETA1 = share("beta1", 0.9, "β₁, decay of the first moment")
BETA2 = share("beta2", 0.999, "β₂, decay of the second moment")
KERAS_TRAP = (
    "Keras adds ε to √v before the bias correction (ε̂ of the paper's section 2), so tiny "
    "gradients step differently: keras_epsilon."
)


def adam_update(
    w: float,
    g: float,
    m: float,
    v: float,
    rate: float,
    take1: float,
    beta2: float,
    take2: float,
    root: float,
    epsilon: float,
) -> tuple[float, float, float]:
    m = m + take1 * (g - m)
    v = beta2 * v + take2 * g * g
    return (w - rate * m / (sqrt(v) * root + epsilon), m, v)


def adam_coefficients(
    step: float,
    rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    bias_correction: float,
    keras_epsilon: float,
) -> tuple[float, ...]:
    first = 1.0 - beta1**step if bias_correction else 1.0
    root = 1.0 / sqrt(1.0 - beta2**step) if bias_correction else 1.0
    return (
        rate / first,
        1.0 - beta1,
        beta2,
        1.0 - beta2,
        root,
        epsilon * root if keras_epsilon else epsilon,
    )


def adam_effective(step: float, rate: float, state: Any, *parameters: float) -> Any:
    *_, root, epsilon = adam_coefficients(step, rate, *parameters)
    return rate / (state[-1] ** 0.5 * root + epsilon)


add_optimizer(
    name="adam",
    summary="adaptive moments with bias correction",
    formula="m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², θ ← θ − η·m̂/(√v̂ + ε), m̂ = m/(1 − "
    "β₁^t), v̂ = v/(1 − β₂^t)",
    update=adam_update,
    coefficients=adam_coefficients,
    states=2,
    rate=0.001,
    source="Kingma & Ba 2015, Adam: a method for stochastic optimization, Algorithm 1 (ε outside "
    "the root, as PyTorch)",
    parameters=(BETA1, BETA2, EPSILON, BIAS_CORRECTION, KERAS_EPSILON),
    momentum="beta1",
    effective=adam_effective,
    use="The default: little tuning of the rate needed.",
    traps=KERAS_TRAP,
)


def amsgrad_update(
    w: float,
    g: float,
    m: float,
    v: float,
    largest: float,
    rate: float,
    take1: float,
    beta2: float,
    take2: float,
    root: float,
    epsilon: float,
) -> tuple[float, float, float, float]:
    m = m + take1 * (g - m)
    v = beta2 * v + take2 * g * g
    largest = largest if largest > v else v
    return (w - rate * m / (sqrt(largest) * root + epsilon), m, v, largest)


add_optimizer(
    name="amsgrad",
    summary=("adam with the largest second moment so far, so that the effective rate never rises"),
    formula="as adam, with max(v_1, …, v_t)/(1 − β₂^t) in place of v̂",
    update=amsgrad_update,
    coefficients=adam_coefficients,
    states=3,
    rate=0.001,
    source=(
        "Reddi, Kale & Kumar 2018; as PyTorch: the maximum is taken before the bias correction"
    ),
    parameters=(BETA1, BETA2, EPSILON, BIAS_CORRECTION, KERAS_EPSILON),
    momentum="beta1",
    effective=adam_effective,
    use="Where adam does not settle.",
    traps=KERAS_TRAP,
)


def adamw_update(
    w: float,
    g: float,
    m: float,
    v: float,
    keep: float,
    rate: float,
    take1: float,
    beta2: float,
    take2: float,
    root: float,
    epsilon: float,
) -> tuple[float, float, float]:
    return adam_update(keep * w, g, m, v, rate, take1, beta2, take2, root, epsilon)


def adamw_coefficients(
    step: float,
    rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    bias_correction: float,
    keras_epsilon: float,
    weight_decay: float,
) -> tuple[float, ...]:
    return (1.0 - rate * weight_decay,) + adam_coefficients(  # noqa: RUF005  # for numba
        step, rate, beta1, beta2, epsilon, bias_correction, keras_epsilon
    )


def adamw_effective(step: float, rate: float, state: Any, *parameters: float) -> Any:
    return adam_effective(step, rate, state, *parameters[:-1])


add_optimizer(
    name="adamw",
    summary="adam with decoupled weight decay",
    formula="θ ← (1 − ηλ)θ, then as adam",
    update=adamw_update,
    coefficients=adamw_coefficients,
    states=2,
    rate=0.001,
    source="Loshchilov & Hutter 2019, Decoupled weight decay regularization; as PyTorch",
    parameters=(BETA1, BETA2, EPSILON, BIAS_CORRECTION, KERAS_EPSILON, weight_decay(0.01)),
    momentum="beta1",
    effective=adamw_effective,
    use="Weight decay with adam: an l2 penalty would be divided by √v̂ with the rest of the "
    "gradient.",
    traps="All parameters decay, biases too, and by ηλ: a schedule of the rate is one of the "
    f"decay. {KERAS_TRAP}",
)


def adamax_update(
    w: float,
    g: float,
    m: float,
    u: float,
    rate: float,
    take1: float,
    beta2: float,
    beside: float,
    outside: float,
) -> tuple[float, float, float]:
    m = m + take1 * (g - m)
    kept, now = beta2 * u, abs(g) + beside
    u = kept if kept > now else now
    return (w - rate * m / (u + outside), m, u)


def adamax_coefficients(
    step: float, rate: float, beta1: float, beta2: float, epsilon: float, keras_epsilon: float
) -> tuple[float, ...]:
    outside = epsilon if keras_epsilon else 0.0
    return (rate / (1.0 - beta1**step), 1.0 - beta1, beta2, epsilon - outside, outside)


def adamax_effective(step: float, rate: float, state: Any, *parameters: float) -> Any:
    return rate / (state[1] + adamax_coefficients(step, rate, *parameters)[-1])


add_optimizer(
    name="adamax",
    summary="adam with the largest recent gradient in place of the root mean square",
    formula="m ← β₁m + (1 − β₁)g, u ← max(β₂u, |g| + ε), θ ← θ − η/(1 − β₁^t)·m/u",
    update=adamax_update,
    coefficients=adamax_coefficients,
    states=2,
    rate=0.002,
    source="Kingma & Ba 2015, Algorithm 2, with PyTorch's ε",
    parameters=(
        BETA1,
        BETA2,
        Parameter("epsilon", 1e-8, "ε, added to |g|", low=0.0),
        KERAS_EPSILON,
    ),
    momentum="beta1",
    effective=adamax_effective,
    use="Rare, large gradients: steps are measured by the largest recent gradient, not by "
    "their mean square.",
    traps="Keras adds ε to u where it divides, not to |g|: keras_epsilon. ε = 0 divides 0 by 0 "
    "for a parameter that never had a gradient.",
)


def nadam_update(
    w: float,
    g: float,
    m: float,
    v: float,
    of_m: float,
    of_g: float,
    take1: float,
    beta2: float,
    take2: float,
    root: float,
    epsilon: float,
) -> tuple[float, float, float]:
    m = m + take1 * (g - m)
    v = beta2 * v + take2 * g * g
    return (w - (of_g * g + of_m * m) / (sqrt(v) * root + epsilon), m, v)


def nadam_coefficients(
    step: float,
    rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    momentum_decay: float,
    product: float,
) -> tuple[float, ...]:
    now = beta1 * (1.0 - 0.5 * 0.96 ** (step * momentum_decay))
    following = beta1 * (1.0 - 0.5 * 0.96 ** ((step + 1.0) * momentum_decay))
    product = product * now
    of_m = rate * following / (1.0 - product * following)
    of_g = rate * (1.0 - now) / (1.0 - product)
    return (
        of_m,
        of_g,
        1.0 - beta1,
        beta2,
        1.0 - beta2,
        1.0 / sqrt(1.0 - beta2**step),
        epsilon,
        product,
    )


def nadam_effective(
    step: float,
    rate: float,
    state: Any,
    beta1: float,
    beta2: float,
    epsilon: float,
    momentum_decay: float,
) -> Any:
    return adam_effective(step, rate, state, beta1, beta2, epsilon, 1.0, 0.0)


add_optimizer(
    name="nadam",
    summary="adam with Nesterov's momentum",
    formula="μ_t = β₁(1 − .96^(tψ)/2), θ ← θ − η[(1 − μ_t)g/(1 − Πμ_i) + μ_{t+1}m/(1 − "
    "μ_{t+1}Πμ_i)]/(√v̂ + ε), Π over i = 1 … t",
    update=nadam_update,
    coefficients=nadam_coefficients,
    states=2,
    rate=0.002,
    source="Dozat 2016, Incorporating Nesterov momentum into Adam; as PyTorch",
    parameters=(BETA1, BETA2, EPSILON, Parameter("momentum_decay", 0.004, "ψ; Keras: 1", low=0.0)),
    running=(1.0,),
    momentum="beta1",
    effective=nadam_effective,
    use="As adam; it looks ahead along the momentum, which shortens the first phase of training.",
    traps="The product Πμ_i runs on from step to step, so the state has one number that belongs to "
    "no parameter.",
)


def lion_update(
    w: float,
    g: float,
    m: float,
    rate: float,
    keep: float,
    beta1: float,
    take1: float,
    beta2: float,
    take2: float,
) -> tuple[float, float]:
    c = beta1 * m + take1 * g
    one, zero = like(c, 1.0), like(c, 0.0)
    sign = one if c > zero else (-one if c < zero else c)  # NaN stays NaN
    return (keep * w - rate * sign, beta2 * m + take2 * g)


def lion_coefficients(
    step: float, rate: float, beta1: float, beta2: float, weight_decay: float
) -> tuple[float, ...]:
    return (rate, 1.0 - rate * weight_decay, beta1, 1.0 - beta1, beta2, 1.0 - beta2)


add_optimizer(
    name="lion",
    summary="the sign of a moving average of the gradient: every parameter moves by the rate",
    formula="θ ← (1 − ηλ)θ − η·sign(β₁m + (1 − β₁)g), then m ← β₂m + (1 − β₂)g",
    update=lion_update,
    coefficients=lion_coefficients,
    states=1,
    rate=0.0001,
    source="Chen et al. 2023, Symbolic discovery of optimization algorithms, Algorithm 2",
    parameters=(
        BETA1,
        share("beta2", 0.99, "β₂, decay of the moment that is kept"),
        weight_decay(),
    ),
    momentum="beta1",
    use="Half the memory of adam; a rate 3 to 10 times smaller.",
    traps="Near a minimum it keeps stepping by the rate: it needs one that falls.",
)
