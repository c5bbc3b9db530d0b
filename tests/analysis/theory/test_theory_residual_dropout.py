"""Residual sums, dropout and noise in the recursions: worked by hand, and against random nets
simulated in a few lines of NumPy.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from dlprobe import registry
from dlprobe.analysis.profiles.against_theory import deviations
from dlprobe.analysis.theory.fixed_points import critical_sigma_w, fixed_point
from dlprobe.analysis.theory.mean_field import InitialNet, Perturbations, describe, predict
from dlprobe.analysis.theory.phase import phase_of
from dlprobe.registry import Spec

Floats = npt.NDArray[np.float64]
FUNCTIONS = {
    "relu": (lambda z: np.maximum(z, 0.0), lambda z: (z > 0.0).astype(np.float64)),
    "tanh": (np.tanh, lambda z: 1.0 / np.cosh(z) ** 2),
}


def spec(kind: str, name: str, **given: float) -> Spec:
    record = registry.get(kind, name)
    return Spec(kind, name, {p.name: p.default for p in record.parameters} | given)


def net_of(
    activation: str,
    depth: int,
    width: int = 400,
    init: str = "he_normal",
    alpha: float | None = None,
    **changes: float,
) -> InitialNet:
    residual = () if alpha is None else (spec("residual", "identity", scale=alpha),) * depth
    activations, initializer = spec("activation", activation), spec("initializer", init)
    return describe(
        width,
        (width,) * depth,
        activations,
        initializer,
        residual=residual,
        perturbations=Perturbations(**changes),
    )


def simulate(
    net: InitialNet, name: str, batch: int, seed: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """q, E a², Var a and RMS δ over that of the last layer of one random net in training mode."""
    rng = np.random.default_rng(seed)
    value, slope = FUNCTIONS[name]
    random = net.perturbations
    a = rng.standard_normal((batch, net.features))
    a *= math.sqrt(net.input_mean_square / np.mean(a**2))  # theory is told the mean square as it is
    kept, rows = [], []
    for index, (fan_in, units, v, scale) in enumerate(
        zip(net.fan_in, net.units, net.weight_variance, net.scales, strict=True)
    ):
        keep, noise = (
            (random.keep, random.noise) if index else (random.input_keep, random.input_noise)
        )
        mask = (rng.random(a.shape) < keep) / keep
        w = rng.standard_normal((fan_in, units)) * math.sqrt(v)
        w *= (rng.random(w.shape) < random.weight_keep) / random.weight_keep
        z = (a * mask + rng.standard_normal(a.shape) * math.sqrt(noise)) @ w
        a = value(z) if scale is None else a + scale * value(z)
        kept.append((w, mask, slope(z) * (1.0 if scale is None else scale)))
        rows.append((np.mean(z**2), np.mean(a**2), np.var(a)))
    d = rng.standard_normal(a.shape) * ((rng.random(a.shape) < random.keep) / random.keep)
    signal: list[float] = []
    for (w, mask, s), scale in zip(reversed(kept), reversed(net.scales), strict=True):
        through = d * s
        signal.insert(0, math.sqrt(np.mean(through**2)))
        d = through @ w.T * mask + (0.0 if scale is None else d)
    q, square, variance = np.array(rows).T
    return q, square, variance, np.array(signal) / signal[-1]


CASES = {
    "residual": {"alpha": 1.0},
    "half": {"alpha": 0.5},
    "dropout": {"keep": 0.7, "input_keep": 0.9},
    "drop_connect": {"weight_keep": 0.6},
    "noise": {"noise": 0.25, "input_noise": 0.5},
    "both": {"alpha": 0.5, "keep": 0.8, "noise": 0.1},
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("case", CASES)
def test_recursions_against_simulated_nets(name: str, case: str) -> None:
    """Width 400, 5 layers, batch 64, median of three nets: 4 s.d. of ln of a squared ratio (κ ≤
    9, batch averaged) are below .3, of an RMS .15.
    """
    net = net_of(name, 5, **CASES[case])
    found = predict(net)
    q, square, variance, signal = (
        np.median(each, axis=0)
        for each in zip(*(simulate(net, name, 64, seed) for seed in range(3)), strict=True)
    )
    assert q == pytest.approx(np.array(found.preactivation_mean_square), rel=0.15)
    assert square == pytest.approx(np.array(found.activation_mean_square), rel=0.15)
    assert variance == pytest.approx(np.array(found.activation_variance), rel=0.15)
    assert signal == pytest.approx(np.array(found.error_signal_rms_relative), rel=0.15)


def test_relu_residual_blocks_grow_the_error_signal_by_one_plus_alpha_squared() -> None:
    for alpha in (0.5, 1.0, 2.0):
        assert predict(net_of("relu", 6, alpha=alpha)).backward_factors == pytest.approx(
            (1 + alpha**2,) * 5
        )


def test_relu_residual_stream_by_hand() -> None:
    """He, α = 1, E x² = 1: q = 2, E φ² = 1, E φ = 1/√π. Then E a² = 1 + 0 + 1; q = 4, E φ² = 2,
    E φ = √(2/π), and E a·φ = √2/π.
    """
    found = predict(net_of("relu", 2, alpha=1.0))
    assert found.activation_mean_square == pytest.approx(
        (2.0, 2.0 + 2.0 * math.sqrt(2.0) / math.pi + 2.0)
    )
    assert found.preactivation_mean_square == pytest.approx((2.0, 4.0))


def test_dropout_multiplies_both_recursions_by_one_over_keep() -> None:
    plain, dropped = predict(net_of("relu", 4)), predict(net_of("relu", 4, keep=0.8))
    assert dropped.backward_factors == pytest.approx(
        [factor / 0.8 for factor in plain.backward_factors]
    )
    assert dropped.activation_mean_square == pytest.approx(
        [value / 0.8**index for index, value in enumerate(plain.activation_mean_square)]
    )


def test_a_residual_factor_of_zero_is_not_applicable() -> None:
    assert "factor 0" in predict(net_of("relu", 4, alpha=0.0)).reason


def test_band_of_a_residual_net_holds_its_nets_and_is_narrower_than_without() -> None:
    net = net_of("relu", 12, width=60, alpha=0.3)
    found = predict(net)
    logs = [math.log10(simulate(net, "relu", 1, seed)[3][0]) for seed in range(60)]
    band = found.log10_error_signal_ratio
    assert band.low < min(logs)
    assert max(logs) < band.high
    plain = predict(net_of("relu", 12, width=60)).log10_error_signal_ratio
    assert band.high - band.low < 0.7 * (plain.high - plain.low)


STREAMS = [
    ("relu", {"alpha": 1.0}),
    ("relu", {"alpha": 0.3}),
    ("tanh", {"alpha": 0.3}),
    ("tanh", {"keep": 0.5}),
    ("relu", {"keep": 0.8}),
]


@pytest.mark.parametrize(("name", "changes"), STREAMS)
def test_standard_deviations_over_nets_are_those_of_the_law(
    name: str, changes: dict[str, float]
) -> None:
    """120 nets of 20 layers, one input each: s.d. 1 ± 4/√240, mean within .5. Of residual ReLU
    nets E δ² is 10 times the infinite-width value by then.
    """
    net = net_of(name, 20, width=64, **changes)
    found = predict(net)
    off = []
    for seed in range(120):
        _, square, _, signal = simulate(net, name, 1, seed)
        ahead, back = deviations(found, square, signal)
        off.append((ahead[-1], ahead[9], back[0], back[9]))
    assert np.std(off, axis=0) == pytest.approx(1.0, abs=0.35)
    assert np.mean(off, axis=0) == pytest.approx(0.0, abs=0.5)


def test_relu_stream_in_which_finite_width_overtakes() -> None:
    """Homogeneous nets keep a·dL/da from layer to layer (Euler): E δ_1² cannot fall below E
    a_n²/(N E a_1²) of E δ_n², however 2^(n − 1) compares.
    """
    net = net_of("relu", 60, width=100, alpha=1.0)
    found = predict(net)
    kept = found.activation_mean_square[-1] / found.activation_mean_square[0] / 100
    assert kept > 100 * 2.0**59
    assert math.log(2.0**59) + found.log_error_shift[0] == pytest.approx(math.log(kept), abs=4.0)


def test_forward_band_is_the_law_of_a_single_input() -> None:
    """ReLU + He: ln E a² has variance 5l/N (κ = 5), the gain of a homogeneous activation being
    1.
    """
    assert predict(net_of("relu", 3, width=50)).log_activation_variance == pytest.approx(
        (0.1, 0.2, 0.3)
    )


def test_dropout_lowers_the_critical_sigma_w_and_decorrelates_equal_inputs() -> None:
    """Schoenholz 2017, §5: with dropout c = 1 is no fixed point. χ/keep = 1 asks for σ_w
    smaller by √keep.
    """
    tanh = spec("activation", "tanh")
    edge = critical_sigma_w(tanh, 0.3)
    assert edge is not None
    assert edge.sigma_w == pytest.approx(1.395584, abs=1e-6)
    at = fixed_point(tanh, edge.sigma_w * math.sqrt(0.9), 0.3, keep=0.9)
    assert at.chi == pytest.approx(1.0, abs=1e-6)
    assert 0.0 < at.c < 0.999


@pytest.mark.parametrize("position", ["before", "after"])
@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_correlation_map_with_a_norm_over_units_is_that_of_pairs_of_inputs(
    norm: str, position: str
) -> None:
    """Two inputs of correlation .6 through one layer of 60,000 softplus units: s.d. of a
    correlation 1/√60,000 = .004.
    """
    softplus = spec("activation", "softplus")
    mean_field = spec("initializer", "mean_field", sigma_w=1.3, sigma_b=0.5)
    phase = phase_of(
        describe(400, (400,) * 3, softplus, mean_field, normalization=norm, position=position)
    )
    rng = np.random.default_rng(0)
    u, other = rng.standard_normal((2, 60_000))
    z = np.stack([u, 0.6 * u + 0.8 * other]) * (
        1.0 if position == "before" else math.sqrt(phase.q_star)
    )
    a = np.logaddexp(0.0, z)
    if position == "after":
        a = a - a.mean(axis=1, keepdims=True) * (norm == "layer")
        a = a / np.sqrt(np.mean(a**2, axis=1, keepdims=True))
    q = 1.3**2 * np.mean(a**2) + 0.25
    assert phase.q_star == pytest.approx(q, rel=0.02)
    assert dict(phase.c_map)[0.6] == pytest.approx(
        (1.3**2 * np.mean(a[0] * a[1]) + 0.25) / q, abs=0.016
    )


def test_layer_norm_of_relu_is_critical_and_of_tanh_chaotic() -> None:
    """Without bias relu's normalized map is its own, whose slope at 1 is 1; tanh's is D/E φ² =
    1.178 there and h_1²/E φ² at c* = 0.
    """
    he = {"init": "he_normal"}
    relu, tanh = (
        phase_of(replace(net_of(name, 3, **he), normalization="layer")) for name in ("relu", "tanh")
    )
    assert (relu.c_star, relu.xi_c) == (1.0, math.inf)
    assert tanh.c_star == pytest.approx(0.0, abs=1e-12)
    first = (
        float(np.mean((1.0 / np.cosh(np.random.default_rng(0).standard_normal(1_000_000))) ** 2))
        ** 2
    )  # h_1 = E φ'
    assert tanh.xi_c == pytest.approx(-1 / math.log(first / 0.3942944904), rel=0.05)


def test_standardized_weights_let_no_mean_through() -> None:
    """ReLU behind weights that sum to 0: q = σ_w² Var φ, of which (1 − 1/π)/2 of q is left per
    layer.
    """
    transform = spec("weight_transform", "weight_standardization", scaled=True)
    net = describe(
        300,
        (300,) * 6,
        spec("activation", "relu"),
        spec("initializer", "he_normal"),
        transform=transform,
    )
    q = predict(net).preactivation_mean_square
    assert [after / before for before, after in itertools.pairwise(q)] == pytest.approx(
        [0.5 * (1 - 1 / math.pi)] * 5, rel=5e-3
    )
    rng = np.random.default_rng(0)
    a = rng.standard_normal((64, 300))
    for _ in range(6):
        w = rng.standard_normal((300, 300))
        w = (w - w.mean(axis=0)) / w.std(axis=0) / math.sqrt(300)
        z = a @ w
        a = np.maximum(z, 0.0)
    assert np.mean(z**2) == pytest.approx(q[-1], rel=0.25)
    spreads = predict(net).log_activation_variance
    assert (
        spreads[-1] < 6 * 6 / 300
    )  # E (φ − E φ)⁴/(Var φ)² − 1 = 4.4 per layer and unit: none of it grows on the way


def test_phase_of_known_nets() -> None:
    tanh = phase_of(
        describe(
            400,
            (400,) * 3,
            spec("activation", "tanh"),
            spec("initializer", "mean_field", sigma_w=1.5),
        )
    )
    assert (tanh.q_star, tanh.chi_1, tanh.xi_c) == pytest.approx(
        (0.79335404, 1.13932322, 17.05), rel=1e-3
    )
    assert tanh.regime == "chaotic"
    he = phase_of(net_of("relu", 3))
    assert (he.chi_1, he.regime) == (pytest.approx(1.0), "critical")
    batch = phase_of(
        describe(
            400,
            (400,) * 3,
            spec("activation", "relu"),
            spec("initializer", "he_normal"),
            normalization="batch",
        )
    )
    assert batch.chi_1 == pytest.approx(math.pi / (math.pi - 1))
    assert phase_of(net_of("relu", 3, alpha=1.0)).chi_1 == pytest.approx(2.0)
    dying = phase_of(
        describe(
            400,
            (400,) * 3,
            spec("activation", "tanh"),
            spec("initializer", "mean_field", sigma_w=0.5),
        )
    )
    assert (dying.q_star, dying.chi_1, dying.regime) == (0.0, pytest.approx(0.25), "ordered")
