"""Gradients of the whole net in float64 against central differences of its own training loss, for
every activation × norm × position × loss.

What is differentiated is the engine's forward pass, what is compared its backward pass. Data are
chosen so that no kink of an activation or of the absolute error lies where the differences reach.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import slow_twins
from small_nets import NORMS, Array, data_for, gradient_of, jitter, network

from dlprobe import registry
from dlprobe.nn.network import Network
from dlprobe.parts.activations import Activation
from dlprobe.record.scalars import GRADIENT_NORM
from dlprobe.registry import Spec

STEP = 1e-5
STEEP = 0.02  # slopes of 50 and more are allowed to change in proportion
SIZES = (4, 6, 4, 3)
HIDDEN = [
    name
    for name, record in registry.records("activation").items()
    if isinstance(record, Activation)
]
# Every loss with the output it is meant for (joined with it in one kernel where it can be) and with
# two others
PROBABILITIES = ("softmax", "sigmoid")
OUTPUTS = {
    name: (PROBABILITIES if record.fused else (*PROBABILITIES, "linear"))
    for name, record in registry.records("loss").items()
}
PAIRS = [(loss, output) for loss, outputs in OUTPUTS.items() for output in outputs]
PAIRS_AT_ONCE = 4  # of each net; the nets together have them all


def mean_loss(net: Network, inputs: Array, targets: Array) -> float:
    """The training-mode loss of the one batch, of a step that moves nothing."""
    return float(net.train(inputs, targets, 0, np.zeros(1)).scalars[0, 0])


def central_difference(net: Network, inputs: Array, targets: Array, direction: Array) -> float:
    """dL along a direction of the parameters, error about STEP² + 1e-16/STEP."""
    start = net.parameters.copy()
    ends = []
    for sign in (1, -1):
        net.parameters[:] = start + sign * STEP * direction
        ends.append(mean_loss(net, inputs, targets))
    net.parameters[:] = start
    return (ends[0] - ends[1]) / (2 * STEP)


def directions(net: Network, alone: bool) -> Array:
    """Every parameter alone, or a few random directions of length 1 in which every parameter
    takes part: no single wrong one can hide in all of them.
    """
    if alone:
        return np.eye(len(net.parameters))
    drawn = np.random.default_rng(0).standard_normal((6, len(net.parameters)))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def traced_as_trained(
    net: Network, inputs: Array, targets: Array
) -> tuple[list[slow_twins.LayerTrace], float]:
    """The slow twin of the first step with the samples in the order of that step, on which
    random operations depend.
    """
    (order,) = slow_twins.batches(len(inputs), len(inputs), net.seed, 1)
    return slow_twins.trace(net, inputs[order], targets[order])


def kinks_of(activation: Spec) -> tuple[float, ...]:
    return (
        tuple(activation.record.kinks(*activation.parameters.values()))
        if isinstance(activation.record, Activation)
        else ()
    )


def distance_to_a_kink(net: Network, inputs: Array, targets: Array) -> float:
    """The smallest distance of any activation's argument from a kink, and of outputs from their
    targets; 0 where the loss's slope jumps near the outputs.
    """
    traced, _ = traced_as_trained(net, inputs, targets)
    targets = targets[next(slow_twins.batches(len(inputs), len(inputs), net.seed, 1))]
    if net.loss.record.fused is None and loss_is_kinked(net.loss, traced[-1].a, targets):
        return 0.0
    if any(layer.spec.norm_after and nearly_silent(layer.value) for layer in traced):
        return 0.0
    reach = [
        float(np.min(np.abs(layer.argument - kink)))
        for layer in traced
        for kink in kinks_of(layer.spec.activation)
    ]
    return min([*reach, float(np.min(np.abs(traced[-1].a - targets)))])


def nearly_silent(values: Array) -> bool:
    """Whether a sample is so small that a normalization of it, 1/√(mean square + ε), bends
    within the differences; exact zeros stay zeros.
    """
    sizes = np.sqrt(np.mean(values**2, axis=1))
    return bool(np.any((sizes > 0) & (sizes < 0.05)))


def loss_is_kinked(loss: Spec, a: Array, targets: Array) -> bool:
    """Whether the slope jumps when the outputs move by 200 steps, each in several ways: of a smooth
    loss it changes by a few times that.

    A few times the size of the slope itself, where that is large: a steep loss is not a kinked one.
    """
    slope = slow_twins.loss_slope(loss, a, targets)
    moves = np.random.default_rng(0).choice([-200 * STEP, 0, 200 * STEP], (20, *a.shape))
    return any(
        np.max(np.abs(slow_twins.loss_slope(loss, a + move, targets) - slope))
        > 0.05 * max(1.0, STEEP * np.max(np.abs(slope)))
        for move in moves
    )


def smooth_data(net: Network, samples: int) -> tuple[Array, Array]:
    """Data a hundred steps away from every kink, and on which no norm divides by almost nothing."""
    for seed in range(20_000):
        inputs, targets = data_for(net, samples, seed)
        if (
            distance_to_a_kink(net, inputs, targets) > 100 * STEP
            and smallest_deviation(net, inputs, targets) > 3000 * STEP
        ):
            return inputs, targets
    raise AssertionError(f"no data on which {net.loss} and the activations are smooth")


def smallest_deviation(net: Network, inputs: Array, targets: Array) -> float:
    """Of all that norms divide by; constants, whose deviation is √ε and stays that, are left out.

    A norm bends over a deviation's length: a difference over one step is then off by
    (step/deviation)², here 1e-7.
    """
    traced, _ = traced_as_trained(net, inputs, targets)
    seen = [
        (layer.spec.norm, layer.value if layer.spec.norm_after else layer.z)
        for layer in traced
        if layer.spec.norm
    ]
    every = np.concatenate([np.ones(1), *(slow_twins.deviations(norm, x) for norm, x in seen)])
    return float(np.min(every[every > 1.001 * math.sqrt(1e-5)]))


def deviation(net: Network, inputs: Array, targets: Array, *, alone: bool) -> float:
    """Largest difference from a central difference, as a share of it, or of the gradient's root
    mean square where that is larger.
    """
    gradient = gradient_of(net, inputs, targets)
    ways = directions(net, alone)
    expected = np.array([central_difference(net, inputs, targets, way) for way in ways])
    size = np.maximum(np.abs(expected), np.sqrt(np.mean(gradient**2)))
    return float(np.max(np.abs(ways @ gradient - expected) / size))


@pytest.mark.parametrize("norm", NORMS, ids=str)
@pytest.mark.parametrize("activation", HIDDEN)
def test_gradients_are_those_of_central_differences(
    activation: str, norm: tuple[str, bool] | None
) -> None:
    """Each parameter alone for one of the losses in turn, along random directions for a few
    more.
    """
    turn = HIDDEN.index(activation) * len(NORMS) + NORMS.index(norm)
    for k in range(PAIRS_AT_ONCE):
        loss, output = PAIRS[(turn * PAIRS_AT_ONCE + k) % len(PAIRS)]
        net = jitter(
            network(
                SIZES,
                loss=loss,
                batch=6,
                keep_gradients=True,
                activation=activation,
                output=output,
                norm=norm,
            )
        )
        found = deviation(net, *smooth_data(net, 6), alone=k == 0)
        assert found < 1e-6, (
            f"{loss} of {output} outputs: off by {found:.1e} of the gradient's size"
        )


@pytest.mark.parametrize("norm", NORMS, ids=str)
@pytest.mark.parametrize("activation", list(registry.records("activation")))
def test_gradients_are_those_of_the_slow_twin(
    activation: str, norm: tuple[str, bool] | None
) -> None:
    for bias in (True, False):
        net = jitter(
            network(
                SIZES, batch=6, keep_gradients=True, activation=activation, norm=norm, bias=bias
            )
        )
        inputs, targets = data_for(net, 6)
        traced, loss = traced_as_trained(net, inputs, targets)
        assert mean_loss(net, inputs, targets) == pytest.approx(loss, rel=1e-13)
        np.testing.assert_allclose(
            net.gradients, slow_twins.flat_gradient(traced), rtol=1e-10, atol=1e-12
        )


@pytest.mark.parametrize(
    "activation",
    [
        name
        for name, record in registry.records("activation").items()
        if not isinstance(record, Activation)
    ],
)
def test_rowwise_and_gated_hidden_layers_have_right_gradients(activation: str) -> None:
    net = jitter(network(SIZES, batch=6, keep_gradients=True, activation=activation))
    assert deviation(net, *data_for(net, 6), alone=True) < 1e-6


def test_the_last_kept_gradient_is_that_of_the_short_batch() -> None:
    """7 samples in batches of 4: the second batch has 3 rows, and its loss is a mean over 3."""
    net = jitter(network(SIZES, batch=4, keep_gradients=True))
    inputs, targets = data_for(net, 7)
    chosen = list(slow_twins.batches(7, 4, net.seed, 2))[1]
    traced, _ = slow_twins.trace(net, inputs[chosen], targets[chosen])
    net.train(inputs, targets, 0, np.zeros(2))
    assert len(chosen) == 3
    np.testing.assert_allclose(
        net.gradients, slow_twins.flat_gradient(traced), rtol=1e-12, atol=1e-14
    )


def test_gradient_norm_is_that_of_all_parameters() -> None:
    net = jitter(network(SIZES, batch=6, keep_gradients=True, norm=("batch", False)))
    inputs, targets = data_for(net, 6)
    result = net.train(inputs, targets, 0, np.zeros(1))
    assert result.scalars[0, GRADIENT_NORM] == pytest.approx(
        math.sqrt(math.fsum(net.gradients**2)), rel=1e-13
    )
