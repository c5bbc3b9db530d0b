"""The input-output Jacobian, against PyTorch's automatic differentiation, differences of the
net itself, and closed forms.
"""

from __future__ import annotations

import numpy as np
import pytest
from small_nets import DTYPES, NORMS, data_for, jitter, network, spec

from dlprobe import registry
from dlprobe.nn import jacobian
from dlprobe.nn.network import Network


def trained(net: Network) -> tuple[np.ndarray, np.ndarray]:
    """A few steps, so that running statistics are no special numbers; returns samples."""
    inputs, targets = data_for(net, 24)
    net.train(inputs, targets, 0, np.full(9, 1e-4))
    return inputs[:5], targets[:5]


def exact(net: Network, inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    net.evaluate(inputs, targets)
    found, log_scale = jacobian.jacobian(net, len(inputs))
    return found * np.exp(log_scale)


def by_differences(
    net: Network, inputs: np.ndarray, targets: np.ndarray, step: float = 1e-6
) -> np.ndarray:
    """(samples, outputs, features) from central differences of the evaluated last preactivation."""
    last = len(net.layers) - 1
    columns = []
    for k in range(inputs.shape[1]):
        sides = []
        for sign in (1, -1):
            moved = inputs.copy()
            moved[:, k] += sign * step
            net.evaluate(moved, targets)
            sides.append(net.preactivations(last, len(inputs)).copy())
        columns.append((sides[0] - sides[1]) / (2 * step))
    return np.stack(columns, axis=2)


@pytest.mark.parametrize("norm", NORMS, ids=str)
def test_with_every_normalization_it_is_the_derivative_of_the_evaluated_net(
    norm: tuple[str, bool] | None,
) -> None:
    net = jitter(network((4, 6, 8, 3), output="sigmoid", norm=norm))
    inputs, targets = trained(net)
    np.testing.assert_allclose(
        exact(net, inputs, targets), by_differences(net, inputs, targets), rtol=1e-5, atol=1e-8
    )


@pytest.mark.parametrize("name", registry.records("activation"))
def test_with_every_activation_it_is_the_derivative_of_the_evaluated_net(name: str) -> None:
    net = jitter(network((4, 6, 8, 3), activation=spec("activation", name)))
    net.parameters[:] *= 0.3  # exp of exp stays in range
    inputs, targets = trained(net)
    np.testing.assert_allclose(
        exact(net, inputs, targets), by_differences(net, inputs, targets), rtol=2e-4, atol=1e-7
    )


def test_it_agrees_with_pytorch() -> None:
    torch = pytest.importorskip("torch")
    net = jitter(
        network(
            (5, 7, 6, 4),
            activation="gelu" if "gelu" in registry.records("activation") else "tanh",
            norm=("layer", False),
        )
    )
    inputs, targets = trained(net)
    phi = torch.nn.functional.gelu if "gelu" in registry.records("activation") else torch.tanh

    def forward(x: object) -> object:
        for index in range(3):
            x = x @ torch.tensor(net.weights(index)) + torch.tensor(net.biases(index))
            scale, shift = net.program.norm_offsets[index]
            if scale >= 0:
                units = net.layers[index].fan_out
                weight, bias = (
                    torch.tensor(net.parameters[at : at + units]) for at in (scale, shift)
                )
                x = torch.nn.functional.layer_norm(x, (units,), weight, bias, 1e-5)
            x = phi(x) if index < 2 else x
        return x

    for x, found in zip(inputs, exact(net, inputs, targets), strict=True):
        expected = torch.autograd.functional.jacobian(forward, torch.tensor(x)).numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_singular_values_of_a_linear_net_are_those_of_the_product_of_its_weights(
    dtype: str,
) -> None:
    net = network((6, 5, 4, 3), activation="linear", dtype=dtype)
    inputs, targets = data_for(net, 7)
    product = np.linalg.multi_dot([net.weights(index).astype("f8") for index in range(3)])
    expected = np.log(np.linalg.svd(product, compute_uv=False))
    np.testing.assert_allclose(
        jacobian.log_singular_values(net, inputs, targets),
        np.tile(expected, (7, 1)),
        atol=1e-4 if dtype == "float32" else 1e-12,
    )


def test_deep_nets_keep_their_digits_where_the_derivative_leaves_the_range_of_float32() -> None:
    """Sixty layers of W = 0.1·I: σ = 10⁻⁶⁰ in each direction, below float32's smallest number."""
    net = network((4,) * 61, activation="linear", dtype="float32", batch=2)
    for index in range(60):
        net.weights(index)[:] = 0.1 * np.eye(4)
    inputs, targets = data_for(net, 3)
    np.testing.assert_allclose(
        jacobian.log_singular_values(net, inputs, targets), 60 * np.log(0.1), rtol=1e-5
    )


def test_directions_that_nothing_moves_are_minus_infinity() -> None:
    net = network((4, 3, 4), activation="linear")
    inputs, targets = data_for(net, 2)
    found = jacobian.log_singular_values(net, inputs, targets)
    assert np.isfinite(found[:, :3]).all()
    assert np.isneginf(found[:, 3]).all()  # rank 3 at most


def test_samples_may_come_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    net = jitter(network((4, 6, 3)))
    inputs, targets = data_for(net, 11)
    whole = jacobian.log_singular_values(net, inputs, targets)
    monkeypatch.setattr(jacobian, "LARGEST", 3 * 6 * 4)
    np.testing.assert_allclose(
        jacobian.log_singular_values(net, inputs, targets), whole, rtol=1e-12
    )


def test_nothing_of_the_net_is_changed() -> None:
    net = jitter(network((4, 6, 3), norm=("batch", False)))
    inputs, targets = trained(net)
    before = net.parameters.copy(), net.memory.state.copy()
    jacobian.log_singular_values(net, inputs, targets)
    np.testing.assert_array_equal(before[0], net.parameters)
    np.testing.assert_array_equal(
        before[1][:12], net.memory.state[:12]
    )  # running statistics; the batch's own are scratch
