"""Optimizers: one record each.

`update(w, g, *state, *coefficients)` maps one parameter, its gradient and its state to (w, *state)
after the step: a scalar function that the engine fuses with the statistics of gradient, weight and
update. `coefficients(step, rate, *parameters, *running)` is worked out once per step and returns
the coefficients and, behind them, the running numbers for the next step; step counts from 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlprobe.dataclass import dataclass
from dlprobe.registry import Parameter, registrar


@dataclass(frozen=True)
class Optimizer:
    """What is known of an optimizer. `states` counts the numbers it keeps per parameter, `rate` is
    the usual learning rate.

    `initial(*parameters)` are the states before the first step, all 0 without it; `running` the
    starting values of the few numbers it keeps per run. `momentum` names the parameter that a
    schedule may cycle. `effective(step, rate, state, *parameters)` is η/(√s + ε) of each weight,
    (size,) from the state (states, size), of an optimizer that scales the gradient by what it
    remembers of its size. It falls as the state number `falls_with(*parameters)` rises and depends
    on no other, or on several where that is None.
    """

    name: str
    summary: str
    formula: str
    update: Callable[..., tuple[float, ...]]
    coefficients: Callable[..., tuple[float, ...]]
    states: int
    rate: float
    source: str
    parameters: tuple[Parameter, ...] = ()
    initial: Callable[..., tuple[float, ...]] | None = None
    running: tuple[float, ...] = ()
    momentum: str = ""
    effective: Callable[..., Any] | None = None
    falls_with: Callable[..., int | None] = lambda *_: -1
    use: str = ""
    traps: str = ""


add_optimizer = registrar("optimizer", Optimizer)


def share(name: str, default: float, help: str) -> Parameter:
    """A parameter from 0 up to, not including, 1."""
    return Parameter(name, default, help, low=0.0, high=1.0, open_high=True)


def weight_decay(default: float = 0.0) -> Parameter:
    """Decoupled weight decay."""
    return Parameter(
        "weight_decay",
        default,
        "λ, decoupled weight decay: θ ← (1 − ηλ)θ before the step, of all parameters",
        low=0.0,
    )


EPSILON = Parameter("epsilon", 1e-8, "ε, added to the root of the second moment", low=0.0)
BIAS_CORRECTION = Parameter(
    "bias_correction", True, "divide the moments by 1 − β^t, as they start from 0"
)
KERAS_EPSILON = Parameter("keras_epsilon", False, "ε where Keras puts it, see traps")
