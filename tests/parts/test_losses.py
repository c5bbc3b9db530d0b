"""Loss records: numerical derivatives, PyTorch's losses, the joint forms with their output activation, and numbers worked by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slow_twins
from small_nets import Array, spec, targets_for

from dlprobe import registry

NAMES = list(registry.records("loss"))
FUSED = [name for name, record in registry.records("loss").items() if record.fused]


def outputs(name: str, rows: int = 20, units: int = 4) -> Array:
    """What the loss's own output activation gives for normal preactivations."""
    z = np.random.default_rng(0).standard_normal((rows, units))
    return slow_twins.activate(spec("activation", registry.get("loss", name).output_activation), z)


@pytest.mark.parametrize("name", NAMES)
def test_slope_is_the_derivative_of_the_value(name: str) -> None:
    step, a = 1e-6, outputs(name)
    chosen, targets = spec("loss", name), targets_for(name, *a.shape)
    expected = (slow_twins.each(chosen.record.value, a + step, targets) - slow_twins.each(chosen.record.value, a - step, targets)) / (2 * step)
    np.testing.assert_allclose(slow_twins.loss_slope(chosen, a, targets), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", FUSED)
def test_joint_form_is_output_activation_then_loss(name: str) -> None:
    """Value and dℓ/dz of rows whose probabilities are far from the clipping."""
    record, z = registry.get("loss", name), np.random.default_rng(1).standard_normal((20, 4))
    activation, targets = spec("activation", record.fused), targets_for(name, 20, 4)
    a = slow_twins.activate(activation, z)
    values = slow_twins.losses(spec("loss", name), a, targets)
    derivatives = slow_twins.activate_backward(activation, z, a, slow_twins.loss_slope(spec("loss", name), a, targets))
    for row, p, y, value, derivative in zip(z.tolist(), a.tolist(), targets.tolist(), values, derivatives, strict=True):
        d = [math.nan] * 4
        assert record.fused_row(row, p, y, d) == pytest.approx(value, rel=1e-13)
        np.testing.assert_allclose(d, derivative, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", FUSED)
def test_joint_form_takes_soft_targets(name: str) -> None:
    """Targets that are shares of several classes, not zeros and ones."""
    record, z = registry.get("loss", name), [0.5, -1.0, 2.0]
    a, y, d = slow_twins.activate(spec("activation", record.fused), np.array([z])), np.array([[0.2, 0.5, 0.3]]), [math.nan] * 3
    assert record.fused_row(z, a[0].tolist(), y[0].tolist(), d) == pytest.approx(float(slow_twins.losses(spec("loss", name), a, y)[0]), rel=1e-13)
    np.testing.assert_allclose(d, (a - y)[0], rtol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_the_output_activation_of_a_loss_is_registered(name: str) -> None:
    record = registry.get("loss", name)
    assert record.output_activation in registry.records("activation")
    assert record.fused in (None, record.output_activation)
    assert set(record.tasks) <= {"classification", "regression"}


@pytest.mark.parametrize(
    ("name", "p", "y", "loss"),
    [
        ("mse", [1.0, -2.0], [0.0, 1.0], 1.0 + 9.0),  # summed over outputs
        ("mae", [1.0, -2.0], [0.0, 1.0], 1.0 + 3.0),
        ("cross_entropy", [0.25, 0.75], [1.0, 0.0], math.log(4)),  # nats
        ("binary_cross_entropy", [0.25, 0.75], [1.0, 0.0], 2 * math.log(4)),
        ("cross_entropy", [0.0, 1.0], [1.0, 0.0], 7 * math.log(10)),  # clipped to 1e-7
    ],
)
def test_losses_worked_by_hand(name: str, p: list[float], y: list[float], loss: float) -> None:
    assert slow_twins.losses(spec("loss", name), np.array([p]), np.array([y])) == pytest.approx(loss, rel=1e-12)


def test_absolute_error_has_slope_zero_at_its_target() -> None:
    assert slow_twins.loss_slope(spec("loss", "mae"), np.array([1.0, 2.0, 3.0]), np.full(3, 2.0)).tolist() == [-1.0, 0.0, 1.0]


def torch_losses(torch: Any) -> dict[str, Callable[[Any, Any], Any]]:
    """Per sample, from outputs."""
    functional = torch.nn.functional
    return {
        "cross_entropy": lambda p, y: functional.nll_loss(torch.log(p), y.argmax(1), reduction="none"),
        "binary_cross_entropy": lambda p, y: functional.binary_cross_entropy(p, y, reduction="none").sum(1),
        "mse": lambda p, y: functional.mse_loss(p, y, reduction="none").sum(1),
        "mae": lambda p, y: functional.l1_loss(p, y, reduction="none").sum(1),
    }


@pytest.mark.parametrize("name", NAMES)
def test_values_and_slopes_are_those_of_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    if name not in torch_losses(torch):
        pytest.skip(f"PyTorch has no {name}")
    a = outputs(name)
    targets = targets_for(name, *a.shape)
    p = torch.tensor(a, requires_grad=True)
    loss = torch_losses(torch)[name](p, torch.tensor(targets))
    loss.sum().backward()
    chosen = spec("loss", name)
    np.testing.assert_allclose(slow_twins.losses(chosen, a, targets), loss.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(slow_twins.loss_slope(chosen, a, targets), p.grad.numpy(), rtol=1e-12, atol=1e-14)
