"""Schedules: how the learning rate runs through training, one record each.

`rate_at(t, total, lr, *parameters)` is the rate at time t ≥ 0 of a run of length `total`, both in
the schedule's unit: `step` counts updates made, `epoch` whole passes over the training part. Every
schedule that depends on time takes the unit as a parameter, so that both habits can be had; its
default is the usual one. `momentum(t, total, *parameters)` is there where momentum is cycled with
the rate. A schedule that looks at results keeps `memory`: numbers that start as `start(lr,
*parameters)`, are taken on at every evaluation by `observe(memory, loss, *parameters)`, and whose
first is the rate.
All are plain functions of numbers, called step by step: where a block of steps begins can change
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

from dlprobe.dataclass import dataclass
from dlprobe.registry import Parameter, Value, registrar

Memory = tuple[float, ...]


def no_objection(*parameters: Value) -> None:
    """Nothing to say against any combination of parameters."""


@dataclass(frozen=True)
class Schedule:
    """What is known of a schedule; `unit` is what its time counts unless its parameter `unit` says
    otherwise.

    `objection(*parameters)` says what no single value shows, None where nothing is wrong.
    """

    name: str
    summary: str
    formula: str
    unit: str
    rate_at: Callable[..., float]
    source: str
    parameters: tuple[Parameter, ...] = ()
    momentum: Callable[..., float] | None = None
    start: Callable[..., Memory] | None = None
    observe: Callable[..., Memory] | None = None
    objection: Callable[..., str | None] = no_objection
    use: str = ""
    traps: str = ""


add_schedule = registrar("schedule", Schedule)


def unit_parameter(default: str) -> Parameter:
    return Parameter(
        "unit", default, "what t counts: updates or whole epochs", choices=("step", "epoch")
    )


def constant(t: float, total: float, lr: float) -> float:
    return lr


add_schedule(
    name="constant",
    summary="the same rate at every step",
    formula="η_t = η₀",
    unit="step",
    rate_at=constant,
    source="Robbins & Monro 1951 ask for a falling rate; a constant one ends in a neighbourhood of "
    "the minimum",
    use="The reference every schedule is compared with.",
    traps="With samples in batches the weights keep shaking around the minimum in proportion to "
    "the rate.",
)


def numbers_of(text: str) -> list[float]:
    """The numbers of a text with commas. Raises ValueError."""
    return [float(item) for item in text.split(",")]


def piecewise(t: float, total: float, lr: float, boundaries: str, factors: str, unit: str) -> float:
    passed = sum(t >= boundary for boundary in numbers_of(boundaries))
    return lr * numbers_of(factors)[passed]


def piecewise_objection(boundary_text: str, factor_text: str, unit: str) -> str | None:
    try:
        boundaries, factors = numbers_of(boundary_text), numbers_of(factor_text)
    except ValueError:
        return (
            'boundaries and factors are numbers with commas, e.g. piecewise(boundaries="10,15", '
            'factors="1,0.1,0.01")'
        )
    if not all(math.isfinite(number) for number in (*boundaries, *factors)):
        return "boundaries and factors are finite numbers"
    if boundaries[0] <= 0 or any(before >= right for before, right in pairwise(boundaries)):
        return f"boundaries = {boundary_text}: expected rising numbers > 0"
    if len(factors) != len(boundaries) + 1:
        return (
            f"{len(boundaries)} boundaries and {len(factors)} factors: expected one factor more "
            "than boundaries"
        )
    return f"factors = {factor_text}: expected numbers >= 0" if min(factors) < 0 else None


add_schedule(
    name="piecewise",
    summary="constant pieces: the rate is multiplied by one factor up to the first boundary, by "
    "the next one from there, and so on (unit epoch or step)",
    formula="η_t = η₀·f_k, k the number of boundaries b ≤ t",
    unit="epoch",
    rate_at=piecewise,
    source="PyTorch MultiStepLR (factors 1, γ, γ², …); Keras PiecewiseConstantDecay changes one "
    "step later (t > b)",
    parameters=(
        Parameter("boundaries", "10,15", "times of change, rising, with commas and in quotes"),
        Parameter(
            "factors",
            "1,0.1,0.01",
            "what lr is multiplied by before, between and after the boundaries",
        ),
        unit_parameter("epoch"),
    ),
    objection=piecewise_objection,
    use="Repeating a published recipe, whose rates fall at given epochs.",
    traps="The boundaries belong to the length of the run: a longer run needs others. "
    "Frameworks differ by one step in when a boundary counts.",
)


def step(t: float, total: float, lr: float, every: int, gamma: float, unit: str) -> float:
    return float(lr * gamma ** (t // every))


add_schedule(
    name="step",
    summary="the rate falls by the same factor at equal distances (unit epoch or step)",
    formula="η_t = η₀·γ^⌊t/n⌋",
    unit="epoch",
    rate_at=step,
    source="PyTorch StepLR",
    parameters=(
        Parameter("every", 10, "n, time from one fall to the next", low=1),
        Parameter("gamma", 0.1, "γ, factor of each fall", low=0.0, high=1.0, open_low=True),
        unit_parameter("epoch"),
    ),
    use="A rate that is halved or divided by ten at equal distances.",
    traps="Falls for ever: after ten periods of γ = .1 nothing moves any more.",
)


def exponential(t: float, total: float, lr: float, tenfold: float, unit: str) -> float:
    return float(lr * 10.0 ** (-t / tenfold))


add_schedule(
    name="exponential",
    summary="the rate falls by the same factor at every time step (unit epoch or step)",
    formula="η_t = η₀·10^(−t/r)",
    unit="epoch",
    rate_at=exponential,
    source="Senior et al. 2013; PyTorch ExponentialLR with γ = 10^(−1/r)",
    parameters=(
        Parameter(
            "tenfold", 20.0, "r, time in which the rate falls to a tenth", low=0.0, open_low=True
        ),
        unit_parameter("epoch"),
    ),
    use="A smooth fall whose speed is one number.",
    traps="Falls for ever: a run of several times r stands still. γ of PyTorch is 10^(−1/r).",
)


def power(t: float, total: float, lr: float, scale: float, exponent: float, unit: str) -> float:
    return float(lr * (1.0 + t / scale) ** -exponent)


add_schedule(
    name="power",
    summary="the rate falls with a power of time, fast at first and ever more slowly (unit epoch "
    "or step)",
    formula="η_t = η₀·(1 + t/r)^(−c)",
    unit="epoch",
    rate_at=power,
    source="Senior et al. 2013; Robbins & Monro 1951 for 1/2 < c ≤ 1",
    parameters=(
        Parameter(
            "scale", 10.0, "r, time after which c = 1 halves the rate", low=0.0, open_low=True
        ),
        Parameter("exponent", 1.0, "c", low=0.0),
        unit_parameter("epoch"),
    ),
    use="Long runs whose length is not known: it falls ever more slowly.",
    traps="With c = 1 and a small r the rate is gone before the fit is: start with a large r.",
)


def inverse_time(t: float, total: float, lr: float, decay: float, unit: str) -> float:
    return lr / (1.0 + decay * t)


add_schedule(
    name="inverse_time",
    summary="the rate falls as 1/(1 + decay · time) (unit epoch or step)",
    formula="η_t = η₀/(1 + decay·t)",
    unit="epoch",
    rate_at=inverse_time,
    source="Keras InverseTimeDecay; the lecture's η₀/(1 + decay · epoch)",
    parameters=(
        Parameter("decay", 0.1, "decay per unit of time", low=0.0),
        unit_parameter("epoch"),
    ),
    use="The 1/t rate of stochastic approximation.",
    traps="Keras 1 and the `decay` of old optimizers counted steps, lectures count epochs: take "
    "the unit that is meant.",
)


def cosine(
    t: float, total: float, lr: float, period: int, multiply: int, end: float, unit: str
) -> float:
    length, since = float(period or total), t
    if multiply == 1 and period:
        since = t % length
    while multiply > 1 and period and since >= length:
        since, length = since - length, length * multiply
    return end + (lr - end) * (1.0 + math.cos(math.pi * min(since / length, 1.0))) / 2.0


add_schedule(
    name="cosine",
    summary="half a cosine from the rate to its end; with a period it starts anew at the full "
    "rate (warm restarts) (unit epoch or step)",
    formula="η_t = η_end + (η₀ − η_end)(1 + cos(πs/T))/2, s the time since the last restart, T "
    "the run's length or period·multiply^k",
    unit="step",
    rate_at=cosine,
    source="Loshchilov & Hutter 2017 (SGDR); PyTorch CosineAnnealingLR and "
    "CosineAnnealingWarmRestarts",
    parameters=(
        Parameter("period", 0, "T of the first cycle; 0: the whole run, without restarts", low=0),
        Parameter("multiply", 1, "how much longer each cycle is than the one before", low=1),
        Parameter("end", 0.0, "η_end, a rate", low=0.0),
        unit_parameter("step"),
    ),
    use="Runs of a known length: slow at both ends, nearly zero at the last step.",
    traps="It belongs to a length: stopped early, the run never had its small rates. A restart "
    "throws the loss up on purpose.",
)


def polynomial(
    t: float, total: float, lr: float, exponent: float, end: float, over: int, unit: str
) -> float:
    share = max(0.0, 1.0 - t / (over or total))
    return float(end + (lr - end) * share**exponent)


add_schedule(
    name="polynomial",
    summary="the rate falls to its end with a power of the time that is left; exponent 1 is a "
    "straight line (unit epoch or step)",
    formula="η_t = η_end + (η₀ − η_end)(1 − min(t, T)/T)^p",
    unit="step",
    rate_at=polynomial,
    source="PyTorch PolynomialLR, Keras PolynomialDecay",
    parameters=(
        Parameter("exponent", 1.0, "p", low=0.0, open_low=True),
        Parameter("end", 0.0, "η_end, a rate", low=0.0),
        Parameter("over", 0, "T; 0: the whole run", low=0),
        unit_parameter("step"),
    ),
    use="Runs of a known length; with power 1 a straight line to the end rate.",
    traps="It belongs to a length: after it the rate stays at its end value.",
)


def one_cycle_phases(
    total: float, pct_start: float, three_phase: bool
) -> list[tuple[float, str, str]]:
    """(last step, key of the start value, key of the end value) of each phase, keys being `start`,
    `top` and `end`.
    """
    rise = pct_start * total - 1.0
    if three_phase:
        return [(rise, "start", "top"), (2.0 * rise, "top", "start"), (total - 1.0, "start", "end")]
    return [(rise, "start", "top"), (total - 1.0, "top", "end")]


def along_cycle(
    t: float, ends: Mapping[str, float], phases: list[tuple[float, str, str]], anneal: str
) -> float:
    """Value at step t: from one of `ends` to the next along each of `phases`, by a cosine where
    `anneal` is "cos", else linear.
    """
    begin = 0.0
    for number, (last, first_end, last_end) in enumerate(phases):
        if t <= last or number == len(phases) - 1:
            share = (t - begin) / (last - begin) if last != begin else 1.0
            if anneal == "cos":
                return ends[last_end] + (ends[first_end] - ends[last_end]) / 2.0 * (
                    1.0 + math.cos(math.pi * share)
                )
            return (ends[last_end] - ends[first_end]) * share + ends[first_end]
        begin = last
    raise AssertionError("a cycle has phases")


def one_cycle(
    t: float,
    total: float,
    lr: float,
    max_lr: float,
    pct_start: float,
    anneal: str,
    div_factor: float,
    final_div_factor: float,
    three_phase: bool,
    *momentum: float,
) -> float:
    top = max_lr or lr
    ends = {"start": top / div_factor, "top": top, "end": top / div_factor / final_div_factor}
    return along_cycle(
        min(t, total - 1.0), ends, one_cycle_phases(total, pct_start, three_phase), anneal
    )


def one_cycle_momentum(
    t: float,
    total: float,
    max_lr: float,
    pct_start: float,
    anneal: str,
    div_factor: float,
    final_div_factor: float,
    three_phase: bool,
    cycle_momentum: bool,
    base_momentum: float,
    max_momentum: float,
) -> float:
    """Momentum at step t: from max_momentum to base_momentum while the rate rises, and back while
    it falls; NaN (the optimizer's own) without cycle_momentum.
    """
    if not cycle_momentum:
        return math.nan
    ends = {"start": max_momentum, "top": base_momentum, "end": max_momentum}
    return along_cycle(
        min(t, total - 1.0), ends, one_cycle_phases(total, pct_start, three_phase), anneal
    )


def one_cycle_objection(
    max_lr: float,
    pct_start: float,
    anneal: str,
    div_factor: float,
    final_div_factor: float,
    three_phase: bool,
    cycle_momentum: bool,
    base_momentum: float,
    max_momentum: float,
) -> str | None:
    if base_momentum > max_momentum:
        return (
            f"base_momentum = {base_momentum:g} is above max_momentum = {max_momentum:g}: "
            "expected at most that"
        )
    return (
        "pct_start above 0.5 leaves no third phase: expected at most 0.5 with three_phase"
        if three_phase and pct_start > 0.5
        else None
    )


add_schedule(
    name="one_cycle",
    summary="one rise to a high rate and a long fall far below the start, momentum the other way "
    "round (unit step)",
    formula="η: max/div_factor → max over the first share of the steps, then → "
    "max/(div_factor·final_div_factor); μ: max → base → max; by half cosines",
    unit="step",
    rate_at=one_cycle,
    source=(
        "Smith & Topin 2018 (super-convergence); PyTorch OneCycleLR, whose parameters these are"
    ),
    parameters=(
        Parameter("max_lr", 0.0, "top rate; 0: lr", low=0.0),
        Parameter(
            "pct_start",
            0.3,
            "share of the steps in which the rate rises",
            low=0.0,
            high=1.0,
            open_low=True,
            open_high=True,
        ),
        Parameter("anneal", "cos", "shape of rise and fall", choices=("cos", "linear")),
        Parameter("div_factor", 25.0, "top rate over rate at the start", low=1.0),
        Parameter("final_div_factor", 1e4, "rate at the start over rate at the end", low=1.0),
        Parameter(
            "three_phase", False, "fall as long as the rise back to the start, then to the end"
        ),
        Parameter(
            "cycle_momentum",
            True,
            "cycle the optimizer's momentum too, beta1 for the family of adam",
        ),
        Parameter(
            "base_momentum", 0.85, "momentum at the top rate", low=0.0, high=1.0, open_high=True
        ),
        Parameter(
            "max_momentum", 0.95, "momentum at start and end", low=0.0, high=1.0, open_high=True
        ),
    ),
    momentum=one_cycle_momentum,
    objection=one_cycle_objection,
    use="Few epochs with a rate near the largest that is stable; dlprobe lr-find shows where "
    "that is.",
    traps="Cycling replaces the momentum given to the optimizer. An optimizer without momentum "
    "(sgd, adagrad) has only its rate cycled.",
)


def performance(t: float, total: float, lr: float, *parameters: float) -> float:
    return lr


def start_performance(lr: float, *parameters: float) -> Memory:
    """(rate, best loss so far, evaluations without improvement, evaluations left to cool down)."""
    return (lr, math.inf, 0.0, 0.0)


def observe_performance(
    memory: Memory,
    loss: float,
    factor: float,
    patience: int,
    threshold: float,
    cooldown: int,
    end: float,
    monitor: str,
) -> Memory:
    """PyTorch's ReduceLROnPlateau with mode min and a relative threshold."""
    rate, best, bad, cooling = memory
    if loss < best * (1.0 - threshold):
        best, bad = loss, 0.0
    else:
        bad += 1.0
    if cooling > 0:
        cooling, bad = cooling - 1.0, 0.0
    if bad > patience:
        lower = max(rate * factor, end)
        rate = lower if rate - lower > 1e-8 else rate
        cooling, bad = float(cooldown), 0.0
    return (rate, best, bad, cooling)


add_schedule(
    name="performance",
    summary="the rate falls by a factor where the loss has stopped falling for several "
    "evaluations (unit: evaluation)",
    formula="after more than `patience` evaluations without loss < best·(1 − threshold): η ← "
    "max(η·factor, η_end)",
    unit="evaluation",
    rate_at=performance,
    source="PyTorch ReduceLROnPlateau (mode min, relative threshold; a change of η below 1e-8 is "
    "not made)",
    parameters=(
        Parameter(
            "factor", 0.1, "what the rate is multiplied by", low=0.0, high=1.0, open_high=True
        ),
        Parameter("patience", 10, "evaluations without improvement that are waited for", low=0),
        Parameter(
            "threshold",
            1e-4,
            "share of the best loss that counts as improvement",
            low=0.0,
            high=1.0,
            open_high=True,
        ),
        Parameter("cooldown", 0, "evaluations after a fall in which none are counted", low=0),
        Parameter("end", 0.0, "η_end, the lowest rate", low=0.0),
        Parameter(
            "monitor", "val_loss", "loss that is watched", choices=("val_loss", "train_loss")
        ),
    ),
    start=start_performance,
    observe=observe_performance,
    use="Where nobody knows beforehand when to lower the rate.",
    traps="It sees evaluations only: evaluate_every sets its unit, and a noisy validation loss "
    "counts as no improvement.",
)
