"""Evaluation works through a part in blocks of 256 samples; what comes out is that of all
samples at once.
"""

from __future__ import annotations

import numpy as np
import pytest
import slow_twins
from small_nets import DTYPES, data_for, jitter, network

from dlprobe.nn.block import unit_of_largest

SAMPLES = 600


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [32, 300])
@pytest.mark.parametrize(
    ("loss", "output"), [("cross_entropy", "softmax"), ("mse", "linear"), ("mae", "tanh")]
)
def test_loss_and_outputs_are_those_of_all_samples(
    loss: str, output: str, batch: int, dtype: str
) -> None:
    net = jitter(
        network(
            (6, 9, 8, 3), loss=loss, output=output, norm=("layer", False), batch=batch, dtype=dtype
        )
    )
    inputs, targets = data_for(net, SAMPLES)
    traced, expected = slow_twins.trace(net, inputs, targets)
    evaluation = net.evaluate(inputs, targets)
    np.testing.assert_allclose(
        evaluation.outputs, traced[-1].a, rtol=0, atol=1e-12 if dtype == "float64" else 1e-5
    )
    assert evaluation.loss == pytest.approx(expected, rel=1e-12 if dtype == "float64" else 1e-5)


def test_dead_units_are_those_without_slope_on_any_sample() -> None:
    """A unit that is off in two blocks and on for one sample of the third is not dead."""
    net = network((2, 4, 3), activation="relu", output="softmax", loss="cross_entropy")
    net.weights(0)[:] = [[1, -1, 0, 0], [0, 0, 1, -1]]  # z = x₀, −x₀, x₁, −x₁
    inputs = np.ones((SAMPLES, 2))
    inputs[555, 1] = -1  # turns unit 3 on, once
    found = net.evaluate(inputs, np.eye(3)[np.arange(SAMPLES) % 3], dead=True).dead_fraction
    assert found[0] == 0.25  # unit 1
    assert np.isnan(found[1])  # softmax


@pytest.mark.parametrize("activation", ["relu", "tanh", "leaky_relu"])
@pytest.mark.parametrize("norm", [None, ("layer", False), ("layer", True)], ids=str)
def test_dead_fraction_is_as_defined(norm: tuple[str, bool] | None, activation: str) -> None:
    net = jitter(network((3, 40, 30, 2), activation=activation, norm=norm), size=3.0)
    inputs, targets = data_for(net, SAMPLES)
    traced, _ = slow_twins.trace(net, inputs, targets)
    expected = [
        float(np.mean(np.all(layer.slope == 0, axis=0)))
        for layer in traced
        if layer.slope is not None
    ]
    np.testing.assert_allclose(net.evaluate(inputs, targets, dead=True).dead_fraction, expected)


def test_without_asking_dead_units_are_not_known() -> None:
    net = network((3, 4, 2))
    assert np.isnan(net.evaluate(*data_for(net, 5)).dead_fraction).all()


@pytest.mark.parametrize(
    "row", [[1, 3, 3, 2], [2, np.nan, 5, np.nan], [-np.inf, -np.inf], [np.nan, 1], [-0.0, 0.0]]
)
def test_unit_of_the_largest_output_is_that_of_numpy(row: list[float]) -> None:
    assert unit_of_largest(np.array(row)) == np.argmax(row)


def test_evaluations_one_after_the_other_are_those_of_each_alone() -> None:
    net = network((6, 9, 3), loss="cross_entropy", output="softmax")
    inputs, targets = data_for(net, SAMPLES)
    several = net.evaluations(inputs, targets, dead=True, classes=True, room=2)
    several.take()
    before = net.evaluate(inputs, targets, dead=True)
    net.train(inputs, targets, 0, np.full(5, 0.1))
    several.take()
    after = net.evaluate(inputs, targets, dead=True)
    assert before.loss != after.loss
    assert several.losses.tolist() == [before.loss, after.loss]
    for row, each in enumerate((before, after)):
        np.testing.assert_array_equal(several.outputs[row], each.outputs)
        np.testing.assert_array_equal(several.dead_fraction[row], each.dead_fraction)
    assert several.largest is not None
    np.testing.assert_array_equal(several.largest, several.outputs.argmax(axis=-1))
