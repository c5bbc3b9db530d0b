"""NaN and infinity end a run at the step that meets them, wherever they stand; what came before
is recorded.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import slow_twins
from small_nets import DTYPES, Array, data_for, jitter, network

from dlprobe import registry
from dlprobe.nn import observe
from dlprobe.nn.network import Network
from dlprobe.nn.random import epoch_order
from dlprobe.nn.working import BlockResult

BAD = (math.nan, math.inf, -math.inf)
SAMPLES, BATCH = 6, 2


def build(dtype: str = "float32", activation: str = "relu", **parts: object) -> Network:
    return jitter(network((3, 4, 2), activation=activation, batch=BATCH, dtype=dtype, **parts))  # type: ignore[arg-type]


def one_epoch(net: Network, inputs: Array, targets: Array) -> BlockResult:
    return net.train(inputs, targets, 0, np.full(SAMPLES // BATCH, 0.01))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", BAD)
def test_bad_inputs_end_the_run_at_the_step_that_meets_them(bad: float, dtype: str) -> None:
    """Every position of the inputs; all four preactivations of that one row are bad."""
    order = epoch_order(0, 0, SAMPLES).tolist()
    for sample in range(SAMPLES):
        for feature in range(3):
            net = build(dtype)
            inputs, targets = data_for(net, SAMPLES)
            inputs[sample, feature] = bad
            result = one_epoch(net, inputs, targets)
            steps = order.index(sample) // BATCH + 1
            assert result.diverged
            assert len(result.statistics) == len(result.scalars) == steps
            assert np.isfinite(result.scalars[:-1, 0]).all()
            assert result.statistics[-1, 0, observe.NONFINITE_FORWARD] >= 4
            assert (
                result.statistics[:-1, :, [observe.NONFINITE_FORWARD, observe.NONFINITE_BACKWARD]]
                == 0
            ).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", BAD)
def test_bad_parameters_end_the_run_at_once(bad: float, dtype: str) -> None:
    """Every position of the parameters, biases included; the parameters of the failed step stay
    as they were.
    """
    for position in range(len(build(dtype).parameters)):
        net = build(dtype)
        net.parameters[position] = bad
        before = net.parameters.copy()
        result = one_epoch(net, *data_for(net, SAMPLES))
        assert result.diverged
        assert len(result.statistics) == 1
        assert result.statistics[0, :, observe.NONFINITE_FORWARD].sum() >= BATCH
        assert net.parameters.tobytes() == before.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", BAD)
def test_bad_targets_end_the_run(bad: float, dtype: str) -> None:
    """The loss is then not finite; no activation is, so nothing is counted."""
    net = build(dtype)
    inputs, targets = data_for(net, SAMPLES)
    targets[:] = bad
    result = one_epoch(net, inputs, targets)
    assert (result.diverged, len(result.scalars)) == (True, 1)
    assert not math.isfinite(result.scalars[0, 0])


@pytest.mark.parametrize("activation", list(registry.records("activation")))
@pytest.mark.parametrize("bad", BAD)
def test_nonfinite_elements_are_counted_as_defined(bad: float, activation: str) -> None:
    """z and a of every layer, for every activation; a saturating one turns infinity into a
    finite number again.
    """
    net = build("float64", activation)
    inputs, targets = data_for(net, BATCH)
    inputs[1, 2] = bad
    with np.errstate(invalid="ignore"):
        traced = forward_only(net, inputs)
    found = net.train(inputs, targets, 0, np.zeros(1)).statistics[0, :, observe.NONFINITE_FORWARD]
    assert found.tolist() == [slow_twins.nonfinite(z, a) for z, a in traced]


def forward_only(net: Network, x: Array) -> list[tuple[Array, Array]]:
    found = []
    for index, layer in enumerate(net.layers):
        z = x @ net.weights(index) + net.biases(index)
        x = slow_twins.activate(layer.activation, z)
        found.append((z, x))
    return found


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", list(registry.records("optimizer")))
def test_an_exploding_rate_ends_diverged(optimizer: str, dtype: str) -> None:
    """Squared error on a linear net with a rate far above 2/curvature: the loss grows until the
    numbers end.
    """
    net = build(dtype, "linear", optimizer=optimizer)
    inputs, targets = data_for(net, SAMPLES)
    rate = 1e30 if dtype == "float32" else 1e200
    result = net.train(inputs, targets, 0, np.full(2000, rate))
    assert result.diverged
    assert 1 < len(result.scalars) < 2000
    assert np.isfinite(result.scalars[:-1, 0]).all()
    counts = result.statistics[:, :, [observe.NONFINITE_FORWARD, observe.NONFINITE_BACKWARD]].sum(
        axis=(1, 2)
    )
    assert (counts[:-1] == 0).all()


def test_a_gradient_that_overflows_is_counted_on_the_way_back() -> None:
    """float32: inputs of 1e30 meet an error signal of 1e10, and dL/dW = 1e40 is infinite though
    every activation is finite.
    """
    net = network((2, 1), batch=1, bias=False, dtype="float32")
    net.weights(0)[:] = 0
    result = net.train(
        np.full((1, 2), 1e30, np.float32), np.full((1, 1), -5e9, np.float32), 0, np.zeros(1)
    )
    assert result.diverged
    assert result.statistics[
        0, 0, [observe.NONFINITE_FORWARD, observe.NONFINITE_BACKWARD]
    ].tolist() == [0, 2]


@pytest.mark.parametrize("size", [1e30, 1e200])
def test_huge_finite_numbers_are_not_counted(size: float) -> None:
    """float64: squares of 1e200 are infinite, the numbers are not. Sigmoids bring them back,
    and the run goes on.
    """
    net = build("float64", "sigmoid")
    inputs, targets = data_for(net, SAMPLES)
    result = one_epoch(net, inputs * size, targets)
    assert not result.diverged
    assert (
        result.statistics[:, :, [observe.NONFINITE_FORWARD, observe.NONFINITE_BACKWARD]] == 0
    ).all()


def test_a_diverged_net_starts_over_clean() -> None:
    net = build()
    inputs, targets = data_for(net, SAMPLES)
    bad = inputs.copy()
    bad[:] = math.nan
    expected = one_epoch(build(), inputs, targets)
    net.train(bad, targets, 0, np.zeros(1))
    assert one_epoch(net, inputs, targets).statistics.tobytes() == expected.statistics.tobytes()
