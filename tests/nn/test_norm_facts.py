"""What textbooks say of normalization, as tests of the engine: identity, scale invariance, bias
without effect, and tables worked by hand.
"""

from __future__ import annotations

import numpy as np
import pytest
from small_nets import Array, data_for, gradient_of, jitter, network, norm_spec, spec

from dlprobe.nn.layers import LayerSpec
from dlprobe.nn.network import Network

SAMPLES = 12


def normalized_layer(name: str, units: int, **parameters: float) -> Network:
    """One layer, a = norm(x W + b), whose W is the identity: it shows what a norm makes of its
    inputs.
    """
    norm = norm_spec(name, units, **parameters)
    layer = LayerSpec(
        units, units, spec("activation", "linear"), spec("initializer", "identity"), norm=norm
    )
    return Network(
        [layer],
        spec("loss", "mse"),
        spec("optimizer", "sgd"),
        batch=SAMPLES,
        seed=0,
        dtype="float64",
        keep_gradients=True,
    )


def in_training(net: Network, inputs: Array) -> Array:
    """The outputs of the last layer in training mode, in the order of `inputs` (one batch, a
    step that moves nothing).
    """
    from dlprobe.nn import program
    from dlprobe.nn.random import epoch_order

    outputs = net.layers[-1].fan_out
    net.train(inputs, np.zeros((len(inputs), outputs)), 0, np.zeros(1))
    at = net.program.layers[-1, program.OUTPUT]
    found = np.empty((len(inputs), outputs))
    found[epoch_order(net.seed, 0, len(inputs))] = net._net.blocks[at : at + found.size].reshape(
        found.shape
    )
    return found


def set_norm(net: Network, index: int, scale: Array, shift: Array) -> None:
    at = net.offsets()
    net.parameters[at["norm_scale_offset"][index] :][: len(scale)] = scale
    net.parameters[at["norm_shift_offset"][index] :][: len(shift)] = shift


# --- tables worked by hand
# --------------------------------------------------------------------------------------------------

# 18 values: rows of mean 3.5, 4 and 3, sums of squares about it 17.5, 0 and 54
TABLE = np.array([[1.0, 2, 3, 4, 5, 6], [4.0, 4, 4, 4, 4, 4], [0.0, 0, 0, 6, 6, 6]])


@pytest.mark.parametrize(
    ("ddof", "deviations"),
    [(0, (np.sqrt(17.5 / 6), 1.0, 3.0)), (1, (np.sqrt(17.5 / 5), 1.0, np.sqrt(54 / 5)))],
)
def test_layer_norm_of_eighteen_values(ddof: int, deviations: tuple[float, ...]) -> None:
    """m = 6: by definition row 1 becomes ∓1.4639, ∓.8783, ∓.2928 and row 3 ∓1; with m − 1 they
    become ∓1.3363, ∓.8018, ∓.2673 and ∓.9129.
    """
    found = in_training(normalized_layer("layer", 6, epsilon=1e-12, ddof=ddof), TABLE)
    np.testing.assert_allclose(
        found,
        (TABLE - np.array([[3.5], [4], [3]])) / np.array(deviations)[:, None],
        rtol=0,
        atol=1e-9,
    )
    outer = {0: 1.4638501, 1: 1.3363062}[ddof]
    np.testing.assert_allclose(found[0, [0, 5]], [-outer, outer], atol=1e-7)


def test_batch_norm_of_the_same_table() -> None:
    """Columns: (1, 4, 0) has mean 5/3 and variance 26/9; the last, (6, 4, 6), 16/3 and 8/9."""
    found = in_training(normalized_layer("batch", 6, epsilon=1e-12), TABLE)
    np.testing.assert_allclose(
        found[:, 0], (np.array([1, 4, 0]) - 5 / 3) / np.sqrt(26 / 9), atol=1e-9
    )
    np.testing.assert_allclose(
        found[:, 5], (np.array([6, 4, 6]) - 16 / 3) / np.sqrt(8 / 9), atol=1e-9
    )


def test_group_norm_of_the_same_table() -> None:
    """Two groups of three: row 1 is (1, 2, 3), (4, 5, 6), each of variance 2/3; the groups of
    rows 2 and 3 are constant.
    """
    found = in_training(normalized_layer("group", 6, groups=2, epsilon=1e-12), TABLE)
    edge = np.sqrt(1.5)
    np.testing.assert_allclose(
        found, [[-edge, 0, edge, -edge, 0, edge], [0] * 6, [0] * 6], atol=1e-9
    )


def test_rms_norm_of_the_same_table() -> None:
    """Mean squares 91/6, 16 and 18; no mean is taken off."""
    found = in_training(normalized_layer("rms", 6, epsilon=1e-12), TABLE)
    np.testing.assert_allclose(found, TABLE / np.sqrt([[91 / 6], [16], [18]]), rtol=1e-9)


# --- batch normalization
# --------------------------------------------------------------------------------------------------


def test_batch_norm_can_be_the_identity() -> None:
    """With γ = σ and β = μ of the batch the norm gives back what it got (Ioffe & Szegedy 2015,
    §3).
    """
    net, inputs = (
        normalized_layer("batch", 5),
        3 + 2 * np.random.default_rng(0).standard_normal((SAMPLES, 5)),
    )
    assert np.abs(in_training(net, inputs) - inputs).max() > 1
    set_norm(net, 0, np.sqrt(inputs.var(axis=0) + 1e-5), inputs.mean(axis=0))
    np.testing.assert_allclose(in_training(net, inputs), inputs, rtol=1e-13)


@pytest.mark.parametrize("c", [0.5, 3.0])
@pytest.mark.parametrize("name", ["batch", "layer", "rms"])
def test_scaling_the_weights_before_it_leaves_the_output_and_divides_their_gradient(
    name: str, c: float
) -> None:
    """W → cW: dL/dW → dL/dW / c (Ioffe & Szegedy 2015, §3.3; layer and rms norm over the units
    do the same where there is no bias).
    """
    net = jitter(
        network(
            (4, 6, 3),
            activation="tanh",
            norm=(name, False),
            bias=False,
            batch=SAMPLES,
            keep_gradients=True,
        )
    )
    for layer in net.layers[:1]:
        assert layer.norm
    inputs, targets = data_for(net, SAMPLES)
    net = without_epsilon(net)
    outputs, gradient = in_training(net, inputs), weights_of(net, gradient_of(net, inputs, targets))
    net.weights(0)[:] *= c
    np.testing.assert_allclose(in_training(net, inputs), outputs, rtol=1e-12)
    np.testing.assert_allclose(
        c * weights_of(net, gradient_of(net, inputs, targets)), gradient, rtol=1e-10, atol=1e-13
    )


def without_epsilon(net: Network) -> Network:
    """The same net with ε so small that it is lost beside every variance."""
    layers = [
        LayerSpec(
            **{
                **vars(one),
                "norm": one.norm and spec("normalization", one.norm.name, epsilon=1e-200),
            }
        )
        for one in net.layers
    ]
    other = Network(
        layers,
        net.loss,
        net.optimizer,
        batch=net.batch,
        seed=net.seed,
        dtype="float64",
        keep_gradients=True,
    )
    other.parameters[:] = net.parameters
    return other


def weights_of(net: Network, gradient: Array) -> Array:
    size = net.weights(0).size
    return gradient[net.offsets()["weight_offset"][0] :][:size]


@pytest.mark.parametrize("scaled", [False, True])
def test_standardized_weights_do_not_see_scale_and_mean_of_a_units_weights(scaled: bool) -> None:
    """w → c w + m of each unit leaves the outputs: only the pattern of its weights counts.
    Their sum has no gradient, in training and evaluation.
    """
    transform = (
        spec("weight_transform", "weight_standardization", scaled=scaled, epsilon=1e-200),
        0,
    )
    chain = [
        LayerSpec(
            6, 4, spec("activation", "tanh"), spec("initializer", "normal"), transform=transform
        )
    ]
    net = Network(
        chain,
        spec("loss", "mse"),
        spec("optimizer", "sgd"),
        batch=SAMPLES,
        seed=0,
        dtype="float64",
        keep_gradients=True,
    )
    inputs, targets = data_for(net, SAMPLES)
    outputs, gradient = (
        in_training(net, inputs),
        weights_of(net, gradient_of(net, inputs, targets)).reshape(6, 4),
    )
    np.testing.assert_allclose(gradient.sum(axis=0), 0, atol=1e-14)
    w = net.weights(0).copy()
    standard = (w - w.mean(axis=0)) / w.std(axis=0) / (np.sqrt(6) if scaled else 1)
    np.testing.assert_allclose(outputs, np.tanh(inputs @ standard), rtol=1e-12)
    net.weights(0)[:] = 3 * w + np.arange(4)
    np.testing.assert_allclose(net.evaluate(inputs, targets).outputs, outputs, rtol=1e-11)


def test_a_bias_before_batch_norm_gets_no_gradient_and_has_no_effect() -> None:
    """It shifts every sample alike, and the batch's mean takes it off again: what is left is
    rounding.
    """
    net = jitter(
        network(
            (4, 6, 3), activation="tanh", norm=("batch", False), batch=SAMPLES, keep_gradients=True
        )
    )
    inputs, targets = data_for(net, SAMPLES)
    gradient, outputs = gradient_of(net, inputs, targets), in_training(net, inputs)
    at = net.offsets()["bias_offset"][0]
    assert np.abs(gradient[at : at + 6]).max() < 1e-14 * np.abs(gradient).max()
    net.biases(0)[:] += 5
    np.testing.assert_allclose(in_training(net, inputs), outputs, rtol=1e-12)


def test_a_bias_behind_the_norm_is_not_lost() -> None:
    """The same test could fail: with the norm behind the activation the bias gets a gradient
    like the weights'.
    """
    net = jitter(
        network(
            (4, 6, 3), activation="tanh", norm=("batch", True), batch=SAMPLES, keep_gradients=True
        )
    )
    gradient = gradient_of(net, *data_for(net, SAMPLES))
    at = net.offsets()["bias_offset"][0]
    assert np.abs(gradient[at : at + 6]).max() > 1e-3 * np.abs(gradient).max()


def test_batch_norm_evaluates_by_running_statistics() -> None:
    """After one batch with momentum .1: mean .1 μ, variance .9 + .1 · σ² B/(B − 1)."""
    net, inputs = (
        normalized_layer("batch", 5),
        3 + 2 * np.random.default_rng(0).standard_normal((SAMPLES, 5)),
    )
    in_training(net, inputs)
    expected = (inputs - 0.1 * inputs.mean(axis=0)) / np.sqrt(
        0.9 + 0.1 * inputs.var(axis=0, ddof=1) + 1e-5
    )
    np.testing.assert_allclose(
        net.evaluate(inputs, np.zeros_like(inputs)).outputs, expected, rtol=1e-13
    )
