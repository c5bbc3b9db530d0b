"""Nets of width 512 at their first step against mean-field theory: the profile of the error signal,
and mean squares and variances of the activations.

Medians over eight seeds, held against four standard deviations of such a median. For a batch of 32
independent inputs and width 512, ln(δ_1²/δ_n²) of a ReLU net has standard deviation .11, .26 and
.44 at 10, 50 and 100 layers, i.e. variance .0014 … .0020 per layer; tanh has half of it. Inputs are
normal with every row scaled to mean square 1.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from small_nets import Array, layers, spec

from dlprobe.analysis.theory import mean_field
from dlprobe.nn.network import Network
from dlprobe.nn.observe import STATISTICS

WIDTH, ROWS, SEEDS = 512, 32, 8
VARIANCE_PER_LAYER = 0.002
CASES = [
    ("relu", "he_normal"),
    ("relu", "glorot_normal"),
    ("tanh", "glorot_normal"),
    ("sigmoid", "glorot_normal"),
]
# log10 RMS(δ_1)/RMS(δ_n), infinite width
RATIOS = {
    ("relu", "he_normal", 10): 0.0,
    ("relu", "he_normal", 20): 0.0,
    ("relu", "glorot_normal", 10): -1.355,
    ("relu", "glorot_normal", 20): -2.860,
    ("tanh", "glorot_normal", 10): -0.551,
    ("tanh", "glorot_normal", 20): -0.711,
    ("sigmoid", "glorot_normal", 10): -5.693,
}


@cache
def first_steps(activation: str, initializer: str, depth: int) -> Array:
    """Statistics (seed, hidden layer, statistic) of the first step of nets with `depth` hidden
    layers.
    """
    found = []
    for seed in range(SEEDS):
        net = Network(
            layers((WIDTH,) * (depth + 1) + (10,), activation, "softmax", initializer),
            spec("loss", "cross_entropy"), spec("optimizer", "sgd"), batch=ROWS, seed=seed, dtype="float32",  # noqa: E501
        )  # fmt: skip
        rng = np.random.default_rng((seed, 7))
        inputs = rng.standard_normal((ROWS, WIDTH))
        inputs /= np.sqrt(np.mean(inputs**2, axis=1, keepdims=True))
        targets = np.eye(10, dtype=np.float32)[rng.integers(0, 10, ROWS)]
        found.append(
            net.train(inputs.astype(np.float32), targets, 0, np.zeros(1))
            .statistics[0, :depth]
            .astype(np.float64)
        )
    return np.array(found)


def median(activation: str, initializer: str, depth: int, name: str) -> Array:
    """The median over seeds of a statistic, (hidden layer,)."""
    return np.asarray(
        np.median(first_steps(activation, initializer, depth)[:, :, STATISTICS.index(name)], axis=0)
    )


def predicted(activation: str, initializer: str, depth: int) -> mean_field.Prediction:
    return mean_field.predict(
        mean_field.describe(
            WIDTH,
            (WIDTH,) * depth,
            spec("activation", activation),
            spec("initializer", initializer),
        )
    )


def tolerance(steps: int) -> float:
    """Four standard deviations of a median of SEEDS nets, in ln of a squared norm (a median's
    are 1.2533 times a mean's).
    """
    return 4 * 1.2533 * math.sqrt(VARIANCE_PER_LAYER * steps / SEEDS)


@pytest.mark.parametrize("depth", [10, 20])
@pytest.mark.parametrize(("activation", "initializer"), CASES)
def test_error_signal_falls_as_theory_says(activation: str, initializer: str, depth: int) -> None:
    signal = median(activation, initializer, depth, "error_signal_rms")
    ratio = math.log10(signal[0] / signal[-1])
    prediction = predicted(activation, initializer, depth).log10_error_signal_ratio.value
    assert ratio == pytest.approx(prediction, abs=tolerance(depth - 1) / (2 * math.log(10)))
    if (activation, initializer, depth) in RATIOS:
        assert prediction == pytest.approx(RATIOS[activation, initializer, depth], abs=6e-4)


@pytest.mark.parametrize(("activation", "initializer"), CASES)
def test_every_layer_of_the_error_signal_is_where_theory_says(
    activation: str, initializer: str
) -> None:
    signal = median(activation, initializer, 20, "error_signal_rms")
    expected = predicted(activation, initializer, 20).error_signal_rms_relative
    deviation = 2 * np.log(signal / signal[-1] / expected)
    assert np.all(np.abs(deviation) <= [tolerance(19 - k) + 1e-6 for k in range(20)])


@pytest.mark.parametrize(("activation", "initializer"), CASES)
def test_activations_have_the_size_theory_says(activation: str, initializer: str) -> None:
    """Mean square of z and variance of a, layer by layer. What a layer itself adds is the
    sampling error of a mean of 512 · 32 squares, s.d. .02.
    """
    prediction = predicted(activation, initializer, 20)
    own = 4 * 1.2533 * 0.02 / math.sqrt(SEEDS)
    for name, expected in (
        ("preactivation_mean_square", prediction.preactivation_mean_square),
        ("activation_variance", prediction.activation_variance),
    ):
        deviation = np.log(median(activation, initializer, 20, name) / expected)
        assert np.all(np.abs(deviation) <= [tolerance(k + 1) + own for k in range(20)]), name


@pytest.mark.parametrize(("activation", "initializer"), CASES)
def test_slopes_have_the_mean_square_theory_says(activation: str, initializer: str) -> None:
    """χ_l = n Var(W) E φ'², so the recorded mean squared slope is the predicted backward factor
    over n Var(W).
    """
    scale = WIDTH * float(spec("initializer", initializer).record.variance(WIDTH, WIDTH))
    measured = median(activation, initializer, 20, "slope_mean_square")[:-1]
    np.testing.assert_allclose(
        np.log(measured * scale / predicted(activation, initializer, 20).backward_factors),
        0,
        atol=0.05,
    )


def test_relu_with_glorot_vanishes_though_its_weight_gradients_do_not() -> None:
    """The weight gradient's size is E δ²·E a²: what δ loses towards the input, a loses towards
    the output.
    """
    names = ("relu", "glorot_normal", 20)
    signal, gradient = median(*names, "error_signal_rms"), median(*names, "gradient_sample_rms")
    assert signal[0] / signal[-1] < 10**-2.5
    assert 0.5 < gradient[0] / gradient[-1] < 2
