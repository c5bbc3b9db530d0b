"""What batch norm would use over the whole training part, and how far its running statistics
are from that.
"""

from __future__ import annotations

import numpy as np
import pytest
from small_nets import Array, data_for, jitter, network

from dlprobe.nn.network import Network
from dlprobe.nn.norm_statistics import evaluating_by_data, running_mismatch, running_norms

SAMPLES = 700  # three blocks of an evaluation, the last a short one


def trained(after: bool = False, dtype: str = "float64") -> tuple[Network, Array, Array]:
    net = jitter(
        network((5, 8, 6, 3), activation="relu", norm=("batch", after), batch=50, dtype=dtype)
    )
    inputs, targets = data_for(net, SAMPLES)
    inputs = (2 * inputs + 1).astype(dtype)
    net.train(inputs, targets, 0, np.full(20, 0.01))
    return net, inputs, targets


def by_hand(
    net: Network, inputs: Array, statistics: list[tuple[Array, Array]] | None, after: bool
) -> tuple[list[tuple[Array, Array]], Array]:
    """Mean and variance of what each norm is given, and the outputs, in NumPy; norms use
    `statistics`, or where None those very means and variances.
    """
    x, found, at = inputs.astype(np.float64), [], net.offsets()
    for index, layer in enumerate(net.layers):
        z = x @ net.weights(index) + net.biases(index)
        if layer.norm is None:
            return found, z
        z = np.maximum(z, 0) if after else z
        found.append((z.mean(axis=0), z.var(axis=0)))
        mean, variance = found[-1] if statistics is None else statistics[index]
        scale, shift = (
            net.parameters[at[name][index] :][: layer.fan_out]
            for name in ("norm_scale_offset", "norm_shift_offset")
        )
        x = (z - mean) / np.sqrt(variance + 1e-5) * scale + shift
        x = x if after else np.maximum(x, 0)
    raise AssertionError


@pytest.mark.parametrize("after", [False, True])
def test_evaluation_by_the_statistics_of_the_training_part(after: bool) -> None:
    """Layer after layer, as one forward pass over all samples in training mode would."""
    net, inputs, targets = trained(after)
    before = net.evaluate(inputs, targets).outputs
    _, expected = by_hand(net, inputs, None, after)
    with evaluating_by_data(net, inputs, targets):
        inside = net.evaluate(inputs, targets).outputs
    np.testing.assert_allclose(inside, expected, rtol=1e-9, atol=1e-10)
    assert np.abs(inside - before).max() > 1e-3
    np.testing.assert_array_equal(net.evaluate(inputs, targets).outputs, before)


@pytest.mark.parametrize("after", [False, True])
def test_mismatch_is_as_defined(after: bool) -> None:
    net, inputs, targets = trained(after)
    running = [(norm.mean.copy(), norm.variance.copy()) for norm in running_norms(net)]
    measured, _ = by_hand(net, inputs, running, after)
    found = running_mismatch(net, inputs, targets)
    assert found is not None
    for index, ((mean, variance), (old_mean, old_variance)) in enumerate(
        zip(measured, running, strict=True)
    ):
        assert found.mean[index] == pytest.approx(
            np.sqrt(np.mean((mean - old_mean) ** 2 / (old_variance + 1e-5))), rel=1e-10
        )
        assert found.variance_ratio[index] == pytest.approx(
            np.exp(np.mean(np.log((variance + 1e-5) / (old_variance + 1e-5)))), rel=1e-10
        )
    assert np.isnan([found.mean[2], found.variance_ratio[2]]).all()


def test_running_statistics_come_close_with_training() -> None:
    """Of a net that stands still: after 100 batches of 50 with momentum .1 the mean has s.d.
    σ/√(50 · 19), i.e. .032 of σ.
    """
    net, inputs, targets = trained()
    net.train(inputs, targets, 20, np.zeros(100))
    found = running_mismatch(net, inputs, targets)
    assert found is not None
    assert (found.mean[:2] < 4 * 0.032).all()
    assert np.abs(np.log(found.variance_ratio[:2])).max() < 0.2


def test_a_fresh_net_says_how_far_off_it_starts() -> None:
    """Running mean 0 and variance 1 against inputs of mean 1 and variance 4, seen through W."""
    net = jitter(network((5, 8, 3), norm=("batch", False), batch=50))
    inputs, targets = data_for(net, SAMPLES)
    z = (2 * inputs + 1) @ net.weights(0) + net.biases(0)
    found = running_mismatch(net, 2 * inputs + 1, targets)
    assert found is not None
    assert found.mean[0] == pytest.approx(
        np.sqrt(np.mean(z.mean(axis=0) ** 2) / (1 + 1e-5)), rel=1e-10
    )


@pytest.mark.parametrize("norm", [None, ("layer", False)])
def test_norms_without_running_statistics_have_no_mismatch(norm: tuple[str, bool] | None) -> None:
    net = network((5, 8, 3), norm=norm)
    inputs, targets = data_for(net, 20)
    assert running_mismatch(net, inputs, targets) is None
    with evaluating_by_data(net, inputs, targets) as found:
        assert found is None


def test_float32_means_far_from_zero_cost_no_digits() -> None:
    """Deviations are taken from the running mean in float64: inputs of 1,000 ± 1 keep a
    variance to a few per mille.
    """
    net, inputs, targets = trained(dtype="float32")
    inputs = (1000 + inputs).astype(np.float32)
    net.train(inputs, targets, 20, np.zeros(100))
    found = running_mismatch(net, inputs, targets)
    assert found is not None
    assert abs(np.log(found.variance_ratio[0])) < 0.2
