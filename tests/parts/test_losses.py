"""Loss records: numerical derivatives, PyTorch's losses, the joint forms with their output
activation, and numbers worked by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slow_twins
from oracles import installed, known_to
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
    columns = [
        (slow_twins.losses(chosen, a + way, targets) - slow_twins.losses(chosen, a - way, targets))
        / (2 * step)
        for way in step * np.eye(a.shape[1])
    ]
    np.testing.assert_allclose(
        slow_twins.loss_slope(chosen, a, targets), np.array(columns).T, rtol=1e-6, atol=1e-8
    )


@pytest.mark.parametrize("name", FUSED)
def test_joint_form_is_output_activation_then_loss(name: str) -> None:
    """Value and dℓ/dz of rows whose probabilities are far from the clipping."""
    record, z = registry.get("loss", name), np.random.default_rng(1).standard_normal((20, 4))
    activation, targets = spec("activation", record.fused), targets_for(name, 20, 4)
    a = slow_twins.activate(activation, z)
    if record.fused == "softmax":  # a softmax's targets are distributions
        targets = np.eye(4)[np.arange(20) % 4]
    values = slow_twins.losses(spec("loss", name), a, targets)
    derivatives = slow_twins.activate_backward(
        activation, z, a, slow_twins.loss_slope(spec("loss", name), a, targets)
    )
    for row, p, y, value, derivative in zip(
        z.tolist(), a.tolist(), targets.tolist(), values, derivatives, strict=True
    ):
        d = [math.nan] * 4
        assert record.fused_row(row, p, y, d) == pytest.approx(value, rel=1e-13)
        np.testing.assert_allclose(d, derivative, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", FUSED)
def test_joint_form_takes_soft_targets(name: str) -> None:
    """Targets that are shares of several classes, not zeros and ones."""
    record, z = registry.get("loss", name), [0.5, -1.0, 2.0]
    a, y, d = (
        slow_twins.activate(spec("activation", record.fused), np.array([z])),
        np.array([[0.2, 0.5, 0.3]]),
        [math.nan] * 3,
    )
    assert record.fused_row(z, a[0].tolist(), y[0].tolist(), d) == pytest.approx(
        float(slow_twins.losses(spec("loss", name), a, y)[0]), rel=1e-13
    )
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
        ("kl", [0.25, 0.75], [0.5, 0.5], 0.5 * math.log(2) + 0.5 * math.log(2 / 3)),
        ("kl", [0.25, 0.75], [1.0, 0.0], math.log(4)),
        ("huber", [0.5, -2.0], [0.0, 1.0], 0.125 + 2.5),
        ("hinge", [0.25, -2.0, 3.0], [1.0, 1.0, 1.0], 0.75 + 3.0),
        ("hinge", [0.25, -2.0], [-1.0, -1.0], 1.25),
        ("perceptron", [0.25, -2.0, 3.0], [1.0, 1.0, -1.0], 2.0 + 3.0),
        ("multi_margin", [0.5, 1.0, -1.0], [1.0, 0.0, 0.0], 1.5 / 3),
        ("multi_margin", [0.5, 1.0, 0.0], [0.0, 0.0, 1.0], (1.5 + 2.0) / 3),
        ("categorical_hinge", [0.5, 1.0, 0.0], [0.0, 0.0, 1.0], 2.0),
        ("categorical_hinge", [3.0, 1.0, 0.0], [1.0, 0.0, 0.0], 0.0),
        (
            "categorical_hinge",
            [-3.0, -5.0],
            [0.0, 1.0],
            3.0,
        ),  # Keras has 6: its rival is max(0, −3)
    ],
)
def test_losses_worked_by_hand(name: str, p: list[float], y: list[float], loss: float) -> None:
    assert slow_twins.losses(spec("loss", name), np.array([p]), np.array([y])) == pytest.approx(
        loss, rel=1e-12
    )


TEXTBOOK = [
    ([(0.3, 0.3, 0.4), (0.3, 0.4, 0.3), (0.1, 0.2, 0.7)], 0.806667, 1.378389),
    ([(0.1, 0.2, 0.7), (0.1, 0.7, 0.2), (0.3, 0.4, 0.3)], 0.34, 0.639108),
]


@pytest.mark.parametrize(("rows", "squared", "entropy"), TEXTBOOK)
def test_losses_of_the_textbook_example(
    rows: list[tuple[float, ...]], squared: float, entropy: float
) -> None:
    """True classes 3, 2, 1: both error 1/3, squared error and cross-entropy tell them apart.
    The mean over outputs is a third of the sum.
    """
    p, y = np.array(rows), np.eye(3)[[2, 1, 0]]
    assert slow_twins.losses(spec("loss", "mse"), p, y).mean() == pytest.approx(squared, abs=5e-7)
    assert slow_twins.losses(spec("loss", "mse", reduction="mean"), p, y).mean() == pytest.approx(
        squared / 3, abs=5e-7
    )
    assert slow_twins.losses(spec("loss", "cross_entropy"), p, y).mean() == pytest.approx(
        entropy, abs=5e-7
    )
    assert slow_twins.losses(spec("loss", "kl"), p, y).mean() == pytest.approx(entropy, abs=5e-7)


@pytest.mark.parametrize("name", ["hinge", "perceptron"])
def test_scores_on_the_line(name: str) -> None:
    """At the margin itself nothing pulls; a perceptron's output of 0 counts as wrong, or
    weights of 0 would stay.
    """
    slopes = slow_twins.loss_slope(
        spec("loss", name),
        np.array([[1.0, -1.0], [0.0, 0.0]]),
        np.array([[1.0, -1.0], [1.0, -1.0]]),
    )
    assert slopes.tolist() == [[0.0, 0.0], [-1.0, 1.0]]


def test_huber_passes_from_squared_to_absolute_at_delta() -> None:
    chosen = spec("loss", "huber", delta=0.5)
    a, y = np.array([[0.25], [0.5], [0.75], [-3.0]]), np.zeros((4, 1))
    assert slow_twins.losses(chosen, a, y).tolist() == [0.03125, 0.125, 0.25, 1.375]
    assert slow_twins.loss_slope(chosen, a, y).ravel().tolist() == [0.25, 0.5, 0.5, -0.5]


def test_categorical_hinge_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    scores, classes = np.random.default_rng(2).standard_normal((50, 5)), np.arange(50) % 5
    found = slow_twins.losses(spec("loss", "categorical_hinge"), scores, np.eye(5)[classes]).mean()
    assert found == pytest.approx(metrics.hinge_loss(classes, scores), rel=1e-12)


def test_absolute_error_has_slope_zero_at_its_target() -> None:
    assert slow_twins.loss_slope(
        spec("loss", "mae"), np.array([[1.0, 2.0, 3.0]]), np.full((1, 3), 2.0)
    ).tolist() == [[-1.0, 0.0, 1.0]]


def torch_losses(torch: Any) -> dict[str, Callable[[Any, Any, Any], Any]]:
    """Per sample, from outputs, targets and the loss's parameters."""
    functional = torch.nn.functional

    def over_outputs(values: Any, given: Any) -> Any:
        return values.mean(1) if given["reduction"] == "mean" else values.sum(1)

    return {
        "cross_entropy": lambda p, y, _: functional.nll_loss(
            torch.log(p), y.argmax(1), reduction="none"
        ),
        "kl": lambda p, y, _: functional.kl_div(torch.log(p), y, reduction="none").sum(1),
        "binary_cross_entropy": lambda p, y, given: over_outputs(
            functional.binary_cross_entropy(p, y, reduction="none"), given
        ),
        "mse": lambda p, y, given: over_outputs(functional.mse_loss(p, y, reduction="none"), given),
        "mae": lambda p, y, given: over_outputs(functional.l1_loss(p, y, reduction="none"), given),
        "huber": lambda p, y, given: over_outputs(
            functional.huber_loss(p, y, reduction="none", delta=given["delta"]), given
        ),
        # y = −1 of hinge_embedding_loss is max(0, margin − x): with x = t·p the hinge loss
        "hinge": lambda p, y, given: over_outputs(
            functional.hinge_embedding_loss(
                p * y, -torch.ones_like(p), margin=given["margin"], reduction="none"
            ),
            given,
        ),
        "perceptron": lambda p, y, given: over_outputs(functional.relu(-p * y), given),
        "multi_margin": lambda p, y, given: functional.multi_margin_loss(
            p, y.argmax(1), margin=given["margin"], reduction="none"
        ),
    }


@pytest.mark.parametrize("other", [False, True], ids=["defaults", "other_values"])
@pytest.mark.parametrize(
    "name", known_to(installed("torch"), lambda torch, name: name in torch_losses(torch), NAMES)
)
def test_values_and_slopes_are_those_of_pytorch(name: str, other: bool) -> None:
    torch = pytest.importorskip("torch")
    given = {
        each.name: each.choices[-1] if each.choices else float(each.default) * 0.6
        for each in registry.get("loss", name).parameters
    }
    chosen = spec("loss", name, **(given if other else {}))
    a = outputs(name)
    targets = targets_for(name, *a.shape)
    p = torch.tensor(a, requires_grad=True)
    loss = torch_losses(torch)[name](p, torch.tensor(targets), chosen.parameters)
    loss.sum().backward()
    np.testing.assert_allclose(
        slow_twins.losses(chosen, a, targets), loss.detach().numpy(), rtol=1e-12
    )
    np.testing.assert_allclose(
        slow_twins.loss_slope(chosen, a, targets), p.grad.numpy(), rtol=1e-12, atol=1e-14
    )


def test_kl_of_soft_targets_is_that_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(4)
    p, y = rng.dirichlet(np.ones(4), 20), rng.dirichlet(np.ones(4), 20)
    y[0] = (0.5, 0.5, 0, 0)
    expected = torch.nn.functional.kl_div(
        torch.log(torch.tensor(p)), torch.tensor(y), reduction="none"
    ).sum(1)
    np.testing.assert_allclose(
        slow_twins.losses(spec("loss", "kl"), p, y), expected.numpy(), rtol=1e-12
    )
