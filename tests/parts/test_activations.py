"""Activation records: PyTorch's values and slopes, numerical derivatives, conventions at kinks, and the numbers that stand in the records."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import slow_twins
from small_nets import Array, spec

from dlprobe import registry
from dlprobe.parts.activations import Activation, RowActivation
from dlprobe.registry import Spec

ELEMENTWISE = [name for name, record in registry.records("activation").items() if isinstance(record, Activation)]
ROWWISE = [name for name, record in registry.records("activation").items() if isinstance(record, RowActivation)]
GRID = np.concatenate([np.linspace(-30, 30, 1201), [-300.0, 300.0, 1e-12, -1e-12, 0.3, -0.7]])


def variants(name: str) -> list[Spec]:
    """The record with its defaults, and with every parameter moved to a larger value."""
    moved = {p.name: float(p.default) + 0.7 for p in registry.get("activation", name).parameters}
    return [spec("activation", name), *([spec("activation", name, **moved)] if moved else [])]


def off_the_kinks(record: Any, z: Array, reach: float) -> Array:
    for kink in record.kinks:
        z = z[np.abs(z - kink) > reach]
    return z


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_slope_is_the_derivative_of_the_value(name: str) -> None:
    """Central differences away from kinks."""
    step = 1e-6
    for chosen in variants(name):
        z = off_the_kinks(chosen.record, GRID[np.abs(GRID) < 31], 2 * step)
        expected = (slow_twins.activate(chosen, z + step) - slow_twins.activate(chosen, z - step)) / (2 * step)
        np.testing.assert_allclose(slow_twins.slopes(chosen, z, slow_twins.activate(chosen, z)), expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_largest_slope_is_the_supremum(name: str) -> None:
    """Reached or approached within |z| ≤ 30, never exceeded; softsign and softplus come within 1e-12 of theirs."""
    z = np.concatenate([np.linspace(-30, 30, 60001), [1e-300]])
    for chosen in variants(name):
        slope = slow_twins.slopes(chosen, z, slow_twins.activate(chosen, z))
        assert slope is not None
        assert float(np.max(np.abs(slope))) == pytest.approx(chosen.record.largest_slope(*chosen.parameters.values()), rel=1e-7)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_slope_is_continuous_except_at_the_kinks_that_the_record_names(name: str) -> None:
    chosen = spec("activation", name)
    z = off_the_kinks(chosen.record, np.linspace(-5, 5, 100002), 1e-4)
    slope = slow_twins.slopes(chosen, z, slow_twins.activate(chosen, z))
    assert slope is not None
    near = np.diff(z) < 1.5e-4
    assert np.max(np.abs(np.diff(slope))[near]) < 1e-3


@pytest.mark.parametrize(
    ("name", "point", "slope"),
    [
        ("relu", 0.0, 0.0),
        ("leaky_relu", 0.0, 0.01),
        ("elu", 0.0, 1.0),
        ("selu", 0.0, 1.0507009873554805 * 1.6732632423543772),
        ("softsign", 0.0, 1.0),
        ("softplus", 0.0, 0.5),
        ("gelu", 0.0, 0.5),
        ("silu", 0.0, 0.5),
        ("sigmoid", 0.0, 0.25),
        ("tanh", 0.0, 1.0),
        ("linear", 0.0, 1.0),
    ],
)
def test_conventions_at_kinks_and_slopes_at_zero(name: str, point: float, slope: float) -> None:
    chosen, z = spec("activation", name), np.array([point])
    assert slow_twins.slopes(chosen, z, slow_twins.activate(chosen, z)) == pytest.approx(slope, rel=1e-14)


@pytest.mark.parametrize(
    ("name", "z", "value"),
    [
        ("sigmoid", math.log(3), 0.75),
        ("tanh", math.log(2), 0.6),  # (4 − 1)/(4 + 1)
        ("silu", math.log(3), 0.75 * math.log(3)),
        ("softplus", math.log(3), math.log(4)),
        ("softsign", -3.0, -0.75),
        ("elu", -math.log(2), -0.5),
        ("selu", -math.log(2), -0.5 * 1.0507009873554805 * 1.6732632423543772),
        ("selu", 2.0, 2 * 1.0507009873554805),
        ("relu", -2.0, 0.0),
        ("leaky_relu", -2.0, -0.02),
        ("gelu", 1.0, 0.8413447460685429),  # Φ(1)
        ("linear", -2.0, -2.0),
    ],
)
def test_values_worked_by_hand(name: str, z: float, value: float) -> None:
    assert slow_twins.activate(spec("activation", name), np.array([z])) == pytest.approx(value, rel=1e-14)


def test_elu_with_large_alpha_is_not_the_maximum_of_the_slides() -> None:
    """z = 1, α = 3: the slides' max(z, α(e^z − 1)) would give 5.15."""
    assert slow_twins.activate(spec("activation", "elu", alpha=3.0), np.array([1.0])).tolist() == [1.0]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_default_initializer_is_registered(name: str) -> None:
    assert registry.get("activation", name).initializer in registry.records("initializer")


# --- row-wise ------------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ROWWISE)
def test_rowwise_backward_is_the_numerical_jacobian(name: str) -> None:
    chosen, step = spec("activation", name), 1e-6
    z, da = np.random.default_rng(0).standard_normal((2, 1, 5))
    expected = []
    for k in range(5):
        move = np.eye(5)[k : k + 1] * step
        expected.append(float(np.sum(da * (slow_twins.activate(chosen, z + move) - slow_twins.activate(chosen, z - move)))) / (2 * step))
    np.testing.assert_allclose(slow_twins.activate_backward(chosen, z, slow_twins.activate(chosen, z), da)[0], expected, rtol=1e-7, atol=1e-9)


def test_softmax_of_logarithms_is_their_shares() -> None:
    """ln 1, ln 2, ln 5 → 1/8, 2/8, 5/8, and a common shift changes nothing."""
    for shift in (0.0, 1000.0, -1000.0):
        np.testing.assert_allclose(slow_twins.activate(spec("activation", "softmax"), np.log([[1, 2, 5]]) + shift), [[0.125, 0.25, 0.625]], rtol=1e-12)


# --- PyTorch -------------------------------------------------------------------------------------------------------------------------------------------------


def torch_function(torch: Any, chosen: Spec) -> Any:
    """PyTorch's function of a record, None where it has none."""
    if chosen.name == "linear":
        return lambda z: z * 1.0
    function = getattr(torch, chosen.name, None) or getattr(torch.nn.functional, chosen.name, None)
    return function and (lambda z: function(z, *chosen.parameters.values()))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_values_and_slopes_are_those_of_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    for chosen in variants(name):
        function = torch_function(torch, chosen)
        if function is None:
            pytest.skip(f"PyTorch has no {name}")
        z = torch.tensor(GRID, dtype=torch.float64, requires_grad=True)
        a = function(z)
        a.sum().backward()
        ours = slow_twins.activate(chosen, GRID)
        # PyTorch's softplus is z itself above 20: 2e-9 off
        np.testing.assert_allclose(ours, a.detach().numpy(), rtol=1e-12, atol=3e-9 if name == "softplus" else 1e-15)
        np.testing.assert_allclose(slow_twins.slopes(chosen, GRID, ours), z.grad.numpy(), rtol=1e-9, atol=3e-9 if name == "softplus" else 1e-14)


def test_gains_are_those_of_pytorch() -> None:
    """Sigmoid and linear 1, tanh 5/3, relu √2, leaky_relu √(2/(1 + slope²)), selu 3/4."""
    torch = pytest.importorskip("torch")
    for name, record in registry.records("activation").items():
        chosen = spec("activation", name)
        try:
            expected = torch.nn.init.calculate_gain(name, *chosen.parameters.values())
        except ValueError:
            continue  # not in PyTorch's table
        assert record.gain(*chosen.parameters.values()) == pytest.approx(expected, rel=1e-15), name


def test_gains_of_the_table() -> None:
    gains = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75}
    assert {name: registry.get("activation", name).gain() for name in gains} == pytest.approx(gains, rel=1e-15)
    assert registry.get("activation", "leaky_relu").gain(0.2) == pytest.approx(math.sqrt(2 / 1.04), rel=1e-15)
