"""Optimizer records: every step beside torch.optim in float64, closed forms where PyTorch has
no twin, and the steps worked by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import slow_twins
from small_nets import Array, network, spec

from dlprobe import registry
from dlprobe.parts.optimizers import Optimizer
from dlprobe.registry import Spec

RECORDS: dict[str, Optimizer] = registry.records("optimizer")
NAMES = list(RECORDS)
RATE = 0.01


@dataclass(frozen=True)
class Twin:
    """torch.optim's class, its arguments from the record's parameters, and more values to
    compare at.
    """

    kind: str
    arguments: Callable[[dict[str, Any]], dict[str, Any]]
    values: tuple[dict[str, Any], ...]


def betas(p: dict[str, Any]) -> dict[str, Any]:
    return {"betas": (p["beta1"], p["beta2"]), "eps": p["epsilon"]}


ADAM_VALUES = ({"beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3}, {"beta1": 0.0, "beta2": 0.99})
TWINS = {
    "sgd": Twin("SGD", lambda p: {}, ()),
    "momentum": Twin(
        "SGD",
        lambda p: {"momentum": p["momentum"], "dampening": p["dampening"]},
        ({"momentum": 0.5}, {"dampening": 0.9}, {"momentum": 0.99, "dampening": 0.3}),
    ),
    "nesterov": Twin(
        "SGD",
        lambda p: {"momentum": p["momentum"], "nesterov": True},
        ({"momentum": 0.5}, {"momentum": 0.99}),
    ),
    "adagrad": Twin(
        "Adagrad",
        lambda p: {
            "lr_decay": p["lr_decay"],
            "initial_accumulator_value": p["initial_accumulator_value"],
            "eps": p["epsilon"],
        },
        ({"lr_decay": 0.1}, {"initial_accumulator_value": 0.1, "epsilon": 1e-3}),
    ),
    "rmsprop": Twin(
        "RMSprop",
        lambda p: {
            "alpha": p["alpha"],
            "momentum": p["momentum"],
            "eps": p["epsilon"],
            "centered": p["centered"],
        },
        (
            {"alpha": 0.9, "epsilon": 1e-3},
            {"momentum": 0.9},
            {"centered": True, "epsilon": 1e-2},
            {"centered": True, "momentum": 0.5, "alpha": 0.5},
        ),
    ),
    "adam": Twin("Adam", betas, ADAM_VALUES),
    "amsgrad": Twin("Adam", lambda p: {**betas(p), "amsgrad": True}, ADAM_VALUES),
    "adamw": Twin(
        "AdamW",
        lambda p: {**betas(p), "weight_decay": p["weight_decay"]},
        (*ADAM_VALUES, {"weight_decay": 0.0}, {"weight_decay": 1.0}),
    ),
    "adamax": Twin("Adamax", betas, ADAM_VALUES),
    "nadam": Twin(
        "NAdam",
        lambda p: {**betas(p), "momentum_decay": p["momentum_decay"]},
        (*ADAM_VALUES, {"momentum_decay": 1.0}),
    ),
}
NO_TWIN = {"lion"}
CASES = [(name, values) for name in NAMES if name in TWINS for values in ({}, *TWINS[name].values)]


def steps(chosen: Spec, start: Array, gradients: Array, rate: float = RATE) -> list[Array]:
    """The parameters after every step."""
    w, state, found = start, slow_twins.initial_state(chosen, len(start)), []
    for k, gradient in enumerate(gradients):
        w, state = slow_twins.optimize(
            chosen, w, gradient, state, slow_twins.coefficients(chosen, k + 1, rate)
        )
        found.append(w)
    return found


def some_gradients(count: int = 60) -> tuple[Array, Array]:
    """A start of 20 parameters and gradients (count, 20) of sizes from 1e-10 to 1e5, some of
    them 0.
    """
    rng = np.random.default_rng(0)
    start, gradients = (
        rng.standard_normal(20),
        rng.standard_normal((count, 20)) * 10.0 ** rng.uniform(-10, 5, 20),
    )
    gradients[:, ::7] = 0
    return start, gradients


@pytest.fixture
def torch() -> Iterator[Any]:
    """PyTorch with float64 as its default: NAdam keeps the product of its momenta in the
    default precision.
    """
    library = pytest.importorskip("torch")
    before = library.get_default_dtype()
    library.set_default_dtype(library.float64)
    yield library
    library.set_default_dtype(before)


def test_every_optimizer_has_an_oracle() -> None:
    assert set(NAMES) <= TWINS.keys() | NO_TWIN, (
        "add the twin in torch.optim, or a closed form and the name to NO_TWIN"
    )


@pytest.mark.parametrize(("name", "values"), CASES, ids=str)
def test_every_step_is_that_of_pytorch(torch: Any, name: str, values: dict[str, Any]) -> None:
    """To 1e-12 in float64. RMSprop's variance of a gradient may cancel: centered cases have
    gradients that change.
    """
    chosen, twin = spec("optimizer", name, **values), TWINS[name]
    start, gradients = some_gradients()
    parameter = torch.nn.Parameter(torch.tensor(start))
    optimizer = getattr(torch.optim, twin.kind)(
        [parameter], lr=RATE, **twin.arguments(dict(chosen.parameters))
    )
    for gradient, ours in zip(gradients, steps(chosen, start, gradients), strict=True):
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        np.testing.assert_allclose(ours, parameter.detach().numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "values"), CASES, ids=str)
def test_the_engine_steps_as_pytorch_does(torch: Any, name: str, values: dict[str, Any]) -> None:
    """The compiled net itself, its starting state and the numbers that run on included: inputs
    are the gradients, as in the steps worked by hand.
    """
    chosen, twin = spec("optimizer", name, **values), TWINS[name]
    gradients = np.random.default_rng(1).standard_normal((50, 4))
    net = network((4, 1), optimizer=chosen, batch=1, bias=False)
    parameter = torch.nn.Parameter(torch.tensor(net.weights(0)[:, 0].copy()))
    optimizer = getattr(torch.optim, twin.kind)(
        [parameter], lr=RATE, **twin.arguments(dict(chosen.parameters))
    )
    for step, gradient in enumerate(gradients):
        x = gradient[None]
        net.train(x, x @ net.weights(0) - 0.5, step, np.array([RATE]))
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        np.testing.assert_allclose(
            net.weights(0)[:, 0], parameter.detach().numpy(), rtol=1e-12, atol=1e-12
        )


# --- closed forms
# --------------------------------------------------------------------------------------------------


def test_lion_is_its_definition() -> None:
    """Chen et al. 2023, Algorithm 2, written out."""
    chosen = spec("optimizer", "lion", beta1=0.8, beta2=0.95, weight_decay=0.1)
    start, gradients = some_gradients()
    w, m = start, np.zeros(20)
    for gradient, ours in zip(gradients, steps(chosen, start, gradients), strict=True):
        w = w - RATE * (np.sign(0.8 * m + 0.2 * gradient) + 0.1 * w)
        m = 0.95 * m + 0.05 * gradient
        np.testing.assert_allclose(ours, w, rtol=1e-12, atol=1e-12)


KERAS: dict[
    str, Callable[[Array, int], Array]
] = {  # one step from zero state with gradient g at step 1, and what Keras 3 divides by
    "adam": lambda g, t: (
        RATE * math.sqrt(1 - 0.999) / (1 - 0.9) * (0.1 * g) / (np.sqrt(0.001 * g * g) + 0.01)
    ),
    "amsgrad": lambda g, t: (
        RATE * math.sqrt(1 - 0.999) / (1 - 0.9) * (0.1 * g) / (np.sqrt(0.001 * g * g) + 0.01)
    ),
    "adamw": lambda g, t: (
        RATE * math.sqrt(1 - 0.999) / (1 - 0.9) * (0.1 * g) / (np.sqrt(0.001 * g * g) + 0.01)
    ),
    "adamax": lambda g, t: RATE / (1 - 0.9) * (0.1 * g) / (abs(g) + 0.01),
    "adagrad": lambda g, t: RATE * g / np.sqrt(0.1 + g * g + 0.01),
    "rmsprop": lambda g, t: RATE * g / np.sqrt(0.01 * g * g + 0.01),
}
KERAS_VALUES = {"adagrad": {"initial_accumulator_value": 0.1}, "adamw": {"weight_decay": 0.0}}
WITH_KERAS = [
    name for name in NAMES if any(p.name == "keras_epsilon" for p in RECORDS[name].parameters)
]


@pytest.mark.parametrize("name", WITH_KERAS)
def test_keras_epsilon_is_keras_s_first_step(name: str) -> None:
    g = np.array([1.0, -0.3, 0.02, 1e-4])
    chosen = spec("optimizer", name, epsilon=0.01, keras_epsilon=True, **KERAS_VALUES.get(name, {}))
    np.testing.assert_allclose(
        steps(chosen, np.zeros(4), g[None])[0], -KERAS[name](g, 1), rtol=1e-12
    )


@pytest.mark.parametrize("name", WITH_KERAS)
def test_epsilon_0_has_only_one_place(name: str) -> None:
    start, gradients = np.ones(5), np.random.default_rng(0).standard_normal((20, 5))
    ours, keras = (
        steps(spec("optimizer", name, epsilon=0.0, keras_epsilon=flag), start, gradients)
        for flag in (False, True)
    )
    np.testing.assert_allclose(ours, keras, rtol=1e-13)


@pytest.mark.parametrize(
    "name",
    [name for name in NAMES if any(p.name == "bias_correction" for p in RECORDS[name].parameters)],
)
def test_without_bias_correction_the_first_step_is_short_by_known_factors(name: str) -> None:
    """m = (1 − β₁)g and v = (1 − β₂)g² as they are: the step is η·.1·g/(√.001·|g|), √10 times
    longer with ε = 0.
    """
    found = steps(
        spec("optimizer", name, bias_correction=False, epsilon=0.0), np.zeros(1), np.array([[-2.0]])
    )
    assert found[0][0] == pytest.approx(RATE * 0.1 / math.sqrt(0.001), rel=1e-12)


@pytest.mark.parametrize(
    "name",
    [name for name in NAMES if any(p.name == "weight_decay" for p in RECORDS[name].parameters)],
)
def test_decoupled_decay_shrinks_what_has_no_gradient(name: str) -> None:
    """θ·(1 − ηλ)^t."""
    found = steps(
        spec("optimizer", name, weight_decay=0.5), np.array([2.0]), np.zeros((10, 1)), 0.1
    )
    assert found[-1][0] == pytest.approx(2 * (1 - 0.05) ** 10, rel=1e-12)


def test_dampening_of_the_size_of_the_momentum_is_a_moving_average() -> None:
    """After the first step v = g, a constant gradient keeps v at g: every step is ηg."""
    found = steps(spec("optimizer", "momentum", dampening=0.9), np.zeros(1), np.ones((50, 1)), 0.1)
    np.testing.assert_allclose(np.diff(np.concatenate(found)), -0.1, rtol=1e-10)


def test_centered_rmsprop_of_a_constant_gradient_stays_finite() -> None:
    """Its variance goes to 0 and is negative by rounding now and then: nobody takes its root."""
    found = steps(
        spec("optimizer", "rmsprop", centered=True, alpha=0.5),
        np.zeros(1),
        np.full((500, 1), 0.1),
        1e-12,
    )
    assert np.isfinite(found).all()


def test_momentum_of_a_constant_gradient_approaches_its_limit() -> None:
    """v → g/(1 − μ): the step becomes ten times that of plain descent."""
    found = steps(spec("optimizer", "momentum"), np.zeros(1), np.ones((400, 1)), 0.1)
    assert found[-1] - found[-2] == pytest.approx(-0.1 / (1 - 0.9), rel=1e-12)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_the_first_step_of_adam_has_the_size_of_the_rate(size: float) -> None:
    """m̂ = g and v̂ = g², so θ moves by η·g/(|g| + ε) whatever the gradient's size."""
    found = steps(spec("optimizer", "adam"), np.zeros(1), np.array([[-size]]), 0.01)
    assert found[0] == pytest.approx(0.01 * size / (size + 1e-8), rel=1e-12)


# --- every record
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_records_agree_with_themselves(name: str) -> None:
    """`update` takes w, g, one number per state and the coefficients, and returns w and the
    states; a momentum that is named is a parameter.
    """
    record = RECORDS[name]
    numbers = slow_twins.coefficients(spec("optimizer", name), 1, 0.1)
    assert record.update.__code__.co_argcount == 2 + record.states + len(numbers)
    assert len(record.update(1.0, 0.5, *[0.1] * record.states, *numbers)) == 1 + record.states
    assert not record.momentum or record.momentum in [
        parameter.name for parameter in record.parameters
    ]


@pytest.mark.parametrize("name", NAMES)
def test_rate_zero_moves_nothing(name: str) -> None:
    start = np.random.default_rng(0).standard_normal(5)
    for after in steps(
        spec("optimizer", name), start, np.random.default_rng(1).standard_normal((10, 5)), 0.0
    ):
        np.testing.assert_array_equal(after, start)


@pytest.mark.parametrize("name", NAMES)
def test_a_bowl_is_descended(name: str) -> None:
    """½θ²: from (1, −2) to a tenth of that in 1,000 steps of .1, which a rate of constant size
    (lion's) keeps stepping around.
    """
    chosen, w = spec("optimizer", name), np.array([1.0, -2.0])
    state = slow_twins.initial_state(chosen, 2)
    for k in range(1000):
        w, state = slow_twins.optimize(
            chosen,
            w,
            w,
            state,
            slow_twins.coefficients(chosen, k % 300 + 1 if chosen.record.running else k + 1, 0.1),
        )
    assert np.max(np.abs(w)) < 0.2


@pytest.mark.parametrize("name", [name for name in NAMES if RECORDS[name].effective is not None])
def test_the_effective_rate_is_what_multiplies_a_steady_gradient(name: str) -> None:
    """After many steps of a constant gradient moments are settled: the step is the effective
    rate times the gradient.
    """
    record = RECORDS[name]
    assert record.effective is not None
    chosen = spec("optimizer", name, **({"weight_decay": 0.0} if name == "adamw" else {}))
    w, g, state = np.zeros(2), np.array([0.5, 0.01]), slow_twins.initial_state(chosen, 2)
    for t in range(1, 201):
        before = w
        w, state = slow_twins.optimize(
            chosen, w, g, state, slow_twins.coefficients(chosen, t, RATE)
        )
    effective = record.effective(200.0, RATE, state, *map(float, chosen.parameters.values()))
    np.testing.assert_allclose((before - w) / g, effective, rtol=1e-3)


@pytest.mark.parametrize("name", [name for name in NAMES if RECORDS[name].effective is not None])
def test_the_effective_rate_falls_with_one_state_alone(name: str) -> None:
    record, values = RECORDS[name], [float(v) for v in spec("optimizer", name).parameters.values()]
    alone = record.falls_with(*values)
    assert record.effective is not None
    assert alone is not None
    state = np.random.default_rng(0).random((record.states, 50))
    state[alone].sort()
    rates = record.effective(7.0, RATE, state, *values)
    assert (np.diff(rates) <= 0).all()
    assert rates[0] > rates[-1]
    state[[row for row in range(record.states) if row != alone % record.states]] += 1.0
    assert np.array_equal(record.effective(7.0, RATE, state, *values), rates)
