"""Chains of one unit per layer, worked by hand: the first weight's gradient is a product with one
slope factor of the sigmoid per layer.

Squared error (a − y)², one sample. σ(0) = 1/2 with slope 1/4; σ(ln 3) = 3/4 with slope 3/16; σ(−ln
3) = 1/4 with slope 3/16.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_nets import DTYPES, Array, network

from dlprobe.nn.random import epoch_order

LN3 = math.log(3)


def first_weight_gradient(
    weights: list[float], biases: list[float], x: float, y: float, dtype: str = "float64"
) -> float:
    net = network(
        (1,) * (len(weights) + 1),
        activation="sigmoid",
        output="sigmoid",
        batch=1,
        keep_gradients=True,
        dtype=dtype,
    )
    for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
        net.weights(k)[:], net.biases(k)[:] = w, b
    net.train(np.array([[x]], dtype), np.array([[y]], dtype), 0, np.zeros(1))
    return float(net.gradients[0])


def test_one_slope_factor() -> None:
    """z = 0, a = 1/2: dL/dw = 2(a − y) · σ'(z) · x."""
    assert (
        first_weight_gradient([0.0], [0.0], x=3.0, y=1.0) == 2 * (0.5 - 1.0) * 0.25 * 3.0 == -0.75
    )


def test_two_slope_factors() -> None:
    """z₁ = 0, a₁ = 1/2, z₂ = 6·1/2 − 3 = 0, a₂ = 1/2: dL/dw₁ = 2(a₂ − y) · σ'(z₂) · w₂ · σ'(z₁)
    · x.
    """
    assert (
        first_weight_gradient([0.0, 6.0], [0.0, -3.0], x=2.0, y=0.0)
        == 2 * 0.5 * 0.25 * 6.0 * 0.25 * 2.0
        == 0.75
    )


def test_three_slope_factors() -> None:
    """All preactivations 0, so each layer halves, then multiplies by its weight and a quarter:
    2·½ · ¼·8 · ¼·6 · ¼ · 2.
    """
    gradient = first_weight_gradient([0.0, 6.0, 8.0], [0.0, -3.0, -4.0], x=2.0, y=0.0)
    assert gradient == 2 * 0.5 * 0.25 * 8.0 * 0.25 * 6.0 * 0.25 * 2.0 == 1.5


@pytest.mark.parametrize("dtype", DTYPES)
def test_slope_factors_off_the_middle(dtype: str) -> None:
    """w₁x = ln 3 → a₁ = 3/4; z₂ = 4·3/4 − 3 − ln 3 = −ln 3 → a₂ = 1/4; z₃ = −8·1/4 + 2 + ln 3 =
    ln 3 → a₃ = 3/4.
    """
    gradient = first_weight_gradient(
        [LN3 / 2, 4.0, -8.0], [0.0, -3 - LN3, 2 + LN3], x=2.0, y=0.25, dtype=dtype
    )
    by_hand = 2 * (0.75 - 0.25) * (3 / 16) * -8.0 * (3 / 16) * 4.0 * (3 / 16) * 2.0
    assert by_hand == -0.421875
    assert gradient == pytest.approx(by_hand, rel=1e-14 if dtype == "float64" else 1e-5)


def test_each_sigmoid_layer_takes_at_least_three_quarters() -> None:
    """With weights 1 the slope factors alone decide: one more layer leaves at most a quarter,
    here exactly a quarter.
    """
    gradients = [
        first_weight_gradient([0.0, *[1.0] * n], [0.0, *[-0.5] * n], x=1.0, y=0.0) for n in range(3)
    ]
    assert gradients == [0.25, 0.0625, 0.015625]


def test_error_signals_of_a_chain_are_recorded_layer_by_layer() -> None:
    """B·dL/dz of the three layers: 2·½·¼ = 1/4 at the output, ·8·¼ = 1/2 before it, ·6·¼ = 3/4
    at the first.
    """
    net = network((1, 1, 1, 1), activation="sigmoid", output="sigmoid", batch=1)
    for k, (w, b) in enumerate([(0.0, 0.0), (6.0, -3.0), (8.0, -4.0)]):
        net.weights(k)[:], net.biases(k)[:] = w, b
    statistics = net.train(np.array([[2.0]]), np.array([[0.0]]), 0, np.zeros(1)).statistics[0]
    from dlprobe.nn.observe import ERROR_SIGNAL_RMS, GRADIENT_RMS, SLOPE_MEAN_SQUARE

    assert statistics[:, ERROR_SIGNAL_RMS].tolist() == [0.75, 0.5, 0.25]
    assert statistics[:, GRADIENT_RMS].tolist() == [0.75 * 2.0, 0.5 * 0.5, 0.25 * 0.5]
    assert statistics[:, SLOPE_MEAN_SQUARE].tolist() == [0.0625] * 3


# --- losses worked by hand: two sets of three samples, targets class 3, 2, 1
# ---------------------------------------------------------------------------------

PREDICTIONS = [
    ([(0.3, 0.3, 0.4), (0.3, 0.4, 0.3), (0.1, 0.2, 0.7)], 0.806667, 1.378389),
    ([(0.1, 0.2, 0.7), (0.1, 0.7, 0.2), (0.3, 0.4, 0.3)], 0.34, 0.639108),
]


@pytest.mark.parametrize(("rows", "squared", "entropy"), PREDICTIONS)
def test_losses_of_the_textbook_example(
    rows: list[tuple[float, ...]], squared: float, entropy: float
) -> None:
    """The softmax of ln p is p: a net that passes ln p through gives these probabilities."""
    for loss, expected in (("mse", squared), ("cross_entropy", entropy)):
        net = network((3, 3), loss=loss, output="softmax", batch=3)
        net.weights(0)[:] = np.eye(3)
        inputs, targets = np.log(np.array(rows)), np.eye(3)[[2, 1, 0]]
        assert net.train(inputs, targets, 0, np.zeros(1)).scalars[0, 0] == pytest.approx(
            expected, abs=5e-7
        )
        evaluation = net.evaluate(inputs, targets)
        assert evaluation.loss == pytest.approx(expected, abs=5e-7)
        assert np.mean(
            evaluation.outputs.argmax(axis=1) != targets.argmax(axis=1)
        ) == pytest.approx(1 / 3)


# --- optimizers worked by hand
# --------------------------------------------------------------------------------------------------

GRADIENTS = [(1.0, -0.5), (0.5, 2.0), (-0.2, 0.0), (0.1, -1.0), (0.3, 0.4)]
ENDS = {
    "sgd": (0.83, -2.09),
    "momentum": (0.42374, -2.333045),
    "adam": (0.6354464262, -2.0204786439),
}


@pytest.mark.parametrize("optimizer", list(ENDS))
def test_five_steps_end_where_the_formulas_say(optimizer: str) -> None:
    """θ₀ = (1, −2), rate .1. A linear unit under squared error has dL/dw = 2(p − y)x; with y =
    p − 1/2 that is the input, so inputs are the gradients.
    """
    net = network((2, 1), optimizer=optimizer, batch=1, bias=False)
    net.weights(0)[:, 0] = (1.0, -2.0)
    for step, gradient in enumerate(GRADIENTS):
        x = np.array([gradient])
        net.train(x, x @ net.weights(0) - 0.5, step, np.array([0.1]))
    np.testing.assert_allclose(net.weights(0)[:, 0], ENDS[optimizer], atol=5e-11)


def rosenblatt(inputs: Array, signs: Array, order: Array) -> Array:
    """The perceptron rule of 1958: every sample on the wrong side (or on the line) is added to
    the weights, with its sign.
    """
    w, found = np.zeros(inputs.shape[1]), []
    for sample in order:
        if signs[sample] * (w @ inputs[sample]) <= 0:
            w = w + signs[sample] * inputs[sample]
        found.append(w)
    return np.array(found)


def test_a_single_layer_under_the_perceptron_loss_learns_by_rosenblatts_rule() -> None:
    """Whole-numbered inputs, so that every step is exact: batch 1, sgd, rate 1, from weights 0.
    Separable classes come to rest after some epochs.
    """
    rng = np.random.default_rng(0)
    inputs = rng.integers(-5, 6, (30, 3)).astype(float)
    inputs[:, 2] = 1  # the bias as an input that is always 1
    signs = np.where(inputs @ [2.0, -1.0, 0.5] > 0, 1.0, -1.0)
    net = network((3, 1), loss="perceptron", initializer="zeros", batch=1, bias=False)
    order = np.concatenate([epoch_order(net.seed, epoch, 30) for epoch in range(20)])
    expected = rosenblatt(inputs, signs, order)
    for step, wanted in enumerate(expected):
        net.train(inputs, signs[:, None], step, np.ones(1))
        np.testing.assert_array_equal(net.weights(0)[:, 0], wanted)
    assert len(np.unique(expected, axis=0)) > 5
    assert np.all(signs * (inputs @ expected[-1]) > 0)
