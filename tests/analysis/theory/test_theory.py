"""Predictions for whole nets against numbers worked by hand and published ones."""

from __future__ import annotations

import math

import pytest

from dlprobe import registry
from dlprobe.analysis.profiles.depth_profiles import classify
from dlprobe.analysis.theory.gaussian import moments
from dlprobe.analysis.theory.mean_field import InitialNet, Prediction, describe, kappas_at, predict
from dlprobe.registry import Spec


def spec(kind: str, name: str, **given: float) -> Spec:
    record = registry.get(kind, name)
    return Spec(kind, name, {p.name: p.default for p in record.parameters} | given)


def predicted(
    activation: str,
    initializer: str,
    depth: int,
    width: int = 512,
    norm: str | None = None,
    **given: float,
) -> Prediction:
    net = describe(
        width,
        (width,) * depth,
        spec("activation", activation),
        spec("initializer", initializer, **given),
        normalization=norm,
    )
    return predict(net)


@pytest.mark.parametrize(
    ("activation", "initializer", "given", "at_10", "at_20"),
    [
        ("relu", "glorot_normal", {}, -1.355, -2.860),
        ("relu", "he_uniform", {}, 0.0, 0.0),
        ("tanh", "glorot_uniform", {}, -0.551, -0.711),
        ("tanh", "scaled_uniform", {}, -2.274, -4.660),
        ("tanh", "mean_field", {"sigma_w": 5 / 3}, 0.247, 0.661),
        ("sigmoid", "glorot_normal", {}, -5.693, None),
    ],
)
def test_textbook_nets_at_depth_10_and_20(
    activation: str, initializer: str, given: dict[str, float], at_10: float, at_20: float | None
) -> None:
    assert predicted(
        activation, initializer, 10, **given
    ).log10_error_signal_ratio.value == pytest.approx(at_10, abs=5e-4)
    if at_20 is not None:
        assert predicted(
            activation, initializer, 20, **given
        ).log10_error_signal_ratio.value == pytest.approx(at_20, abs=5e-4)


def test_relu_with_glorot_worked_by_hand() -> None:
    """q halves per layer going up, E δ² halves per layer going down."""
    found = predicted("relu", "glorot_normal", 4)
    assert found.preactivation_mean_square == pytest.approx((1, 1 / 2, 1 / 4, 1 / 8))
    assert found.activation_mean_square == pytest.approx((1 / 2, 1 / 4, 1 / 8, 1 / 16))
    assert found.activation_variance == pytest.approx(
        [q * 0.3408450569 for q in (1, 1 / 2, 1 / 4, 1 / 8)]
    )
    assert found.backward_factors == pytest.approx((1 / 2,) * 3)
    assert found.error_signal_rms_relative == pytest.approx((8**-0.5, 1 / 2, 2**-0.5, 1))
    assert found.decay_factor == pytest.approx(2**-0.5)
    assert found.e_folding_depth == pytest.approx(2 / math.log(2))


def test_rectangular_net_worked_by_hand() -> None:
    """Linear units: q_l = fan_in·v·E a² + E b², E δ_l² = n_{l+1}·v_{l+1}·E δ_{l+1}²."""
    linear = spec("activation", "linear")
    net = InitialNet(10, 0.5, (40, 20, 80), (linear,) * 3, (0.3, 0.05, 0.02), (0.25, 0.0, 1.0))
    found = predict(net)
    assert found.preactivation_mean_square == pytest.approx(
        (10 * 0.3 * 0.5 + 0.25, 40 * 0.05 * 1.75, 20 * 0.02 * 3.5 + 1.0)
    )
    assert found.backward_factors == pytest.approx((20 * 0.05, 80 * 0.02))
    assert found.log10_error_signal_ratio.value == pytest.approx(0.5 * math.log10(1.6))


def test_batch_norm_explodes_relu_by_pi_over_pi_minus_one_whatever_the_weights() -> None:
    for initializer in ("he_normal", "glorot_normal", "lecun_normal"):
        factors = predicted("relu", initializer, 6, norm="batch").backward_factors
        assert factors[1:] == pytest.approx((math.pi / (math.pi - 1),) * 4)


@pytest.mark.parametrize(
    ("scaled", "equivalent", "given"), [(True, "lecun_normal", {}), (False, "normal", {"std": 1.0})]
)
def test_standardized_weights_count_by_the_variance_that_comes_out(
    scaled: bool, equivalent: str, given: dict[str, float]
) -> None:
    """1/fan_in or 1, whatever was drawn, up to ε/Var W = .5 % of the Glorot weights' 1/512."""
    transform = spec("weight_transform", "weight_standardization", scaled=scaled)
    net = describe(
        512,
        (512,) * 4,
        spec("activation", "tanh"),
        spec("initializer", "glorot_normal"),
        transform=transform,
    )
    plain = describe(
        512, (512,) * 4, spec("activation", "tanh"), spec("initializer", equivalent, **given)
    )
    assert net.weight_variance == pytest.approx(plain.weight_variance, rel=0.0052)
    assert net.weight_variance != pytest.approx(plain.weight_variance, rel=0.005)
    assert predict(net).log10_error_signal_ratio.value == pytest.approx(
        predict(plain).log10_error_signal_ratio.value, abs=0.02
    )


def test_layer_norm_uses_the_mean_square_and_keeps_relu() -> None:
    assert predicted("relu", "he_normal", 6, norm="layer").backward_factors[1:] == pytest.approx(
        (1.0,) * 4
    )
    assert predicted("tanh", "he_normal", 6, norm="layer").backward_factors[1:] == pytest.approx(
        (0.4644029024 / 0.3942944904,) * 4
    )


def test_finite_width_band_of_he_relu() -> None:
    """Width 512, one input, depth 11: ln of the squared ratio has mean −10·5/1024 and variance
    10·5/512.
    """
    band = predicted("relu", "he_normal", 11).log10_error_signal_ratio
    middle, deviation = -50 / 1024 / (2 * math.log(10)), math.sqrt(50 / 512) / (2 * math.log(10))
    assert (band.value, band.low, band.high) == pytest.approx(
        (0.0, middle - 4 * deviation, middle + 4 * deviation), abs=1e-9
    )


def test_last_layers_width_does_not_enter_the_band() -> None:
    relu, he = spec("activation", "relu"), spec("initializer", "he_normal")
    narrow, wide = (
        predict(describe(100, (100, 100, last), relu, he)).log10_error_signal_ratio
        for last in (3, 4000)
    )
    assert narrow.high - narrow.low == pytest.approx(wide.high - wide.low)


@pytest.mark.parametrize(
    ("width", "verdict"),
    [(50, "vanishing"), (64, "vanishing"), (103, "level"), (160, "exploding"), (256, "exploding")],
)
def test_sigmoid_with_unit_weights_vanishes_below_103_and_explodes_above(
    width: int, verdict: str
) -> None:
    found = predicted("sigmoid", "normal", 80, width, std=1.0)
    assert classify(found.error_signal_rms_relative, (width,) * 80, found.kappas).verdict == verdict


def test_one_hidden_layer_is_compared_with_itself() -> None:
    found = predicted("tanh", "glorot_normal", 1)
    assert found.applicable
    assert found.backward_factors == ()
    assert (found.log10_error_signal_ratio.value, found.decay_factor, found.e_folding_depth) == (
        0.0,
        1.0,
        math.inf,
    )


@pytest.mark.parametrize(
    ("activation", "initializer", "norm", "reason"),
    [
        ("softmax", "glorot_normal", None, "softmax mixes"),
        ("relu", "zeros", None, "weights without variance"),
        ("relu", "constant", None, "weights without variance"),
        ("relu", "lsuv", None, "known only when measured"),
        ("relu", "identity", None, "known only when measured"),
        (
            "relu",
            "glorot_normal",
            "spectral",
            "no prediction is derived for normalization spectral",
        ),
    ],
)
def test_where_theory_fails_it_says_why(
    activation: str, initializer: str, norm: str | None, reason: str
) -> None:
    found = predicted(activation, initializer, 3, norm=norm)
    assert not found.applicable
    assert found.reason.startswith("not applicable: ")
    assert reason in found.reason
    assert math.isnan(found.log10_error_signal_ratio.value)
    assert len(found.preactivation_mean_square) == 3


def test_overflow_names_the_layer() -> None:
    assert (
        predicted("relu", "normal", 3, std=1e70).reason
        == "not applicable: the preactivations of hidden_2 overflow"
    )


def test_no_hidden_layer_and_silent_inputs_are_not_applicable() -> None:
    relu, he = spec("activation", "relu"), spec("initializer", "he_normal")
    assert "no hidden layer" in predict(describe(8, (), relu, he)).reason
    assert (
        "mean square of the inputs is 0"
        in predict(describe(8, (4, 4), relu, he, input_mean_square=0.0)).reason
    )


def test_equal_biases_are_no_variance() -> None:
    relu, he = spec("activation", "relu"), spec("initializer", "he_normal")
    assert predict(
        describe(8, (4, 4), relu, he, bias_initializer=spec("initializer", "zeros"))
    ).applicable
    shifted = describe(
        8, (4, 4), relu, he, bias_initializer=spec("initializer", "constant", value=0.1)
    )
    assert "bias parameters that are all equal" in predict(shifted).reason
    assert predict(
        describe(
            8,
            (4, 4),
            relu,
            he,
            bias_initializer=spec("initializer", "constant", value=0.1),
            bias=False,
        )
    ).applicable


def test_initializer_that_draws_biases_brings_their_variance() -> None:
    net = describe(50, (20, 30), spec("activation", "tanh"), spec("initializer", "pytorch_linear"))
    assert net.weight_variance == net.bias_variance == pytest.approx((1 / 150, 1 / 60))
    assert describe(
        50, (20, 30), spec("activation", "tanh"), spec("initializer", "pytorch_linear"), bias=False
    ).bias_variance == (0.0, 0.0)


def test_activation_per_layer() -> None:
    """A relu layer under a linear one: only the relu's slope factor 1/2 stands between hidden_1
    and hidden_2.
    """
    net = describe(
        8,
        (8, 8),
        [spec("activation", "relu"), spec("activation", "linear")],
        spec("initializer", "lecun_normal"),
    )
    assert predict(net).backward_factors == pytest.approx((0.5,))


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="one entry per hidden layer"):
        InitialNet(8, 1.0, (4, 4), (spec("activation", "relu"),), (1.0, 1.0), (0.0, 0.0))


def test_kappas_at_measured_q_are_nan_where_unknown() -> None:
    found = kappas_at(
        [spec("activation", "relu"), spec("activation", "softmax"), spec("activation", "relu")],
        [2.0, 1.0, math.nan],
    )
    assert found[0] == pytest.approx(5.0)
    assert all(math.isnan(kappa) for kappa in found[1:])


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "gelu", "hard_tanh", "softsign", "elu"])
def test_kappas_at_measured_q_are_those_of_the_integral(name: str) -> None:
    """Up to saturation, where κ is of the order of 1/E φ'²."""
    squares = [1e-4, 0.0237, 0.51, 3.7345, 8.377, 291.0]
    exact = [moments(spec("activation", name), q).kappa for q in squares]
    assert kappas_at([spec("activation", name)] * len(squares), squares) == pytest.approx(
        exact, rel=1e-3
    )


def test_slopes_that_move_with_q_widen_the_band() -> None:
    """GELU with He's weights: q and slopes fall together, so that a layer's deficit is answered
    by all that follow. ReLU's slopes know nothing of q.
    """
    gelu, relu = (
        predicted("gelu", "he_normal", 20, width=100),
        predicted("relu", "he_normal", 20, width=100),
    )
    assert gelu.log_error_variance[0] > 5 * sum(kappa / 100 for kappa in gelu.kappas[:-1])
    assert relu.log_error_variance[0] == pytest.approx(19 * 5 / 100)
    assert any("more than low and high say" in line for line in gelu.assumptions)
    assert not any("more than low and high say" in line for line in relu.assumptions)


def test_assumptions_are_told() -> None:
    found = predicted("relu", "he_normal", 3, norm="batch")
    assert any("mean square 1 only" in line for line in found.assumptions)
    assert any("batch is large" in line for line in found.assumptions)
