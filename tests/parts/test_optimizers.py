"""Optimizer records: every step beside torch.optim in float64, and the steps worked by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slow_twins
from small_nets import Array, spec

from dlprobe import registry
from dlprobe.registry import Spec

# record name -> (torch.optim's class, its arguments from the record's parameters); one that is not here has no counterpart
TORCH: dict[str, tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "sgd": ("SGD", lambda p: {}),
    "momentum": ("SGD", lambda p: {"momentum": p["momentum"]}),
    "adam": ("Adam", lambda p: {"betas": (p["beta1"], p["beta2"]), "eps": p["epsilon"]}),
}
OTHER_VALUES: dict[str, dict[str, float]] = {"momentum": {"momentum": 0.5}, "adam": {"beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3}}


def steps(chosen: Spec, start: Array, gradients: Array, rate: float) -> list[Array]:
    """The parameters after every step."""
    w, state, found = start, np.zeros((chosen.record.states, len(start))), []
    for k, gradient in enumerate(gradients):
        w, state = slow_twins.optimize(chosen, w, gradient, state, slow_twins.coefficients(chosen, k + 1, rate))
        found.append(w)
    return found


@pytest.mark.parametrize("other", [False, True], ids=["defaults", "other_values"])
@pytest.mark.parametrize("name", list(registry.records("optimizer")))
def test_every_step_is_that_of_pytorch(name: str, other: bool) -> None:
    """200 steps of 20 parameters with gradients from 1e-10 to 1e5, some of them 0, to 1e-12."""
    torch = pytest.importorskip("torch")
    if name not in TORCH:
        pytest.skip(f"torch.optim has no {name}")
    chosen = spec("optimizer", name, **(OTHER_VALUES.get(name, {}) if other else {}))
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(20), rng.standard_normal((200, 20)) * 10.0 ** rng.uniform(-10, 5, 20)
    gradients[:, ::7] = 0
    kind, arguments = TORCH[name]
    parameter = torch.nn.Parameter(torch.tensor(start))
    optimizer = getattr(torch.optim, kind)([parameter], lr=0.01, **arguments(dict(chosen.parameters)))
    for gradient, ours in zip(gradients, steps(chosen, start, gradients, 0.01), strict=True):
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        np.testing.assert_allclose(ours, parameter.detach().numpy(), rtol=1e-12, atol=1e-12)


def test_momentum_of_a_constant_gradient_approaches_its_limit() -> None:
    """v → g/(1 − μ): the step becomes ten times that of plain descent."""
    found = steps(spec("optimizer", "momentum"), np.zeros(1), np.ones((400, 1)), 0.1)
    assert found[-1] - found[-2] == pytest.approx(-0.1 / (1 - 0.9), rel=1e-12)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_the_first_step_of_adam_has_the_size_of_the_rate(size: float) -> None:
    """m̂ = g and v̂ = g², so θ moves by η·g/(|g| + ε) whatever the gradient's size."""
    found = steps(spec("optimizer", "adam"), np.zeros(1), np.array([[-size]]), 0.01)
    assert found[0] == pytest.approx(0.01 * size / (size + 1e-8), rel=1e-12)


@pytest.mark.parametrize("name", list(registry.records("optimizer")))
def test_records_agree_with_themselves(name: str) -> None:
    """`update` takes w, g, one number per state and the coefficients, and returns w and the states."""
    record = registry.get("optimizer", name)
    numbers = slow_twins.coefficients(spec("optimizer", name), 1, 0.1)
    assert record.update.__code__.co_argcount == 2 + record.states + len(numbers)
    assert len(record.update(1.0, 0.5, *[0.0] * record.states, *numbers)) == 1 + record.states


@pytest.mark.parametrize("name", list(registry.records("optimizer")))
def test_rate_zero_moves_nothing(name: str) -> None:
    start = np.random.default_rng(0).standard_normal(5)
    for after in steps(spec("optimizer", name), start, np.random.default_rng(1).standard_normal((10, 5)), 0.0):
        np.testing.assert_array_equal(after, start)


@pytest.mark.parametrize("name", list(registry.records("optimizer")))
def test_a_bowl_is_descended(name: str) -> None:
    """½θ²: from (1, −2) to within .01 of the minimum in 2,000 steps of .02."""
    chosen, w = spec("optimizer", name), np.array([1.0, -2.0])
    state = np.zeros((chosen.record.states, 2))
    for k in range(2000):
        w, state = slow_twins.optimize(chosen, w, w, state, slow_twins.coefficients(chosen, k + 1, 0.02))
    assert np.max(np.abs(w)) < 0.01
