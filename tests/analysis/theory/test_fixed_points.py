"""Fixed points, depth scales and the edge of chaos against published points and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from dlprobe import registry
from dlprobe.analysis.theory.fixed_points import CorrelationMap, critical_sigma_w, fixed_point
from dlprobe.analysis.theory.gaussian import moments
from dlprobe.registry import Spec


def spec(name: str) -> Spec:
    record = registry.get("activation", name)
    return Spec("activation", name, {p.name: p.default for p in record.parameters})


def test_tanh_in_the_chaotic_phase() -> None:
    point = fixed_point(spec("tanh"), 1.5)
    assert point.q == pytest.approx(0.79335404, abs=5e-9)
    assert moments(spec("tanh"), point.q).mean_square == pytest.approx(0.35260180, abs=5e-9)
    assert point.chi == pytest.approx(1.13932322, abs=5e-9)
    assert point.c == 0.0
    assert point.depth_c == pytest.approx(17.05, abs=5e-3)


def test_tanh_in_the_ordered_phase() -> None:
    point = fixed_point(spec("tanh"), math.sqrt(1.5), math.sqrt(0.05))
    assert point.q == pytest.approx(0.41803720, abs=5e-9)
    assert point.chi == pytest.approx(0.93863627, abs=5e-9)
    assert point.c == 1.0
    assert (
        point.depth_c == point.depth_gradient == pytest.approx(-1 / math.log(0.93863627), rel=1e-6)
    )


def test_selu_keeps_the_variance_but_not_the_gradient() -> None:
    point = fixed_point(spec("selu"), 1.0, start=3.0)
    assert point.q == pytest.approx(1.0, abs=1e-12)
    assert point.chi == pytest.approx(1.0715749925, abs=5e-11)


def test_he_relu_keeps_every_variance_and_sits_on_the_edge() -> None:
    point = fixed_point(spec("relu"), math.sqrt(2.0), start=0.37)
    assert point.q == 0.37
    assert point.chi == pytest.approx(1.0, abs=1e-12)
    assert (point.c, point.depth_q, point.depth_gradient) == (1.0, math.inf, math.inf)


def test_relu_with_small_or_large_weights_has_no_fixed_point() -> None:
    dies, grows = fixed_point(spec("relu"), 1.0), fixed_point(spec("relu"), 2.0)
    assert (dies.q, dies.c, grows.q) == (0.0, 1.0, math.inf)
    assert (dies.chi, grows.chi) == pytest.approx((0.5, 2.0))
    # every bias, however small, has q* with slope 1/2 of both maps
    assert (dies.depth_q, dies.depth_c, dies.depth_gradient) == pytest.approx(
        (1 / math.log(2),) * 3
    )


@pytest.mark.parametrize(
    ("name", "sigma_w", "sigma_b"),
    [("linear", 1.0, 0.5), ("elu", math.sqrt(2.0), 0.0), ("relu", math.sqrt(2.0), 0.05)],
)
def test_variance_that_grows_by_an_addend_per_layer_has_no_fixed_point_either(
    name: str, sigma_w: float, sigma_b: float
) -> None:
    """linear, σ_w = 1: q grows by σ_b²; ELU with He's weights: q by 1 + O(1/√q), its negative
    side being −1 far out. Slopes come to 1 and √½.
    """
    found = fixed_point(spec(name), sigma_w, sigma_b)
    assert found.q == math.inf
    assert found.chi == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["tanh", "softsign", "elu", "celu", "erf"])
def test_signal_that_dies_out_on_the_edge_has_no_depth_scale(name: str) -> None:
    """φ'(0) = s and σ_w = 1/s: χ_1 → 1 as q → 0, also where the slope has a corner at 0 and χ_1
    − 1 falls as √q only.
    """
    slope = 2 / math.sqrt(math.pi) if name == "erf" else 1.0
    point = fixed_point(spec(name), 1 / slope)
    assert (point.q, point.c) == (0.0, 1.0)
    assert point.chi == pytest.approx(1, abs=1e-12)
    assert point.depth_q == point.depth_c == point.depth_gradient == math.inf


def test_geometric_growth_is_no_fixed_point_however_long_it_takes() -> None:
    assert fixed_point(spec("selu"), math.sqrt(2.0)).q == math.inf
    assert fixed_point(spec("prelu"), math.sqrt(2.0)).q == math.inf


@pytest.mark.parametrize(
    ("name", "weight", "bias", "q"),
    [("silu", 1.988, 0.55514, 14.32017), ("gelu", 1.98305, 0.17292, 3.52902)],
)
def test_half_stable_points_of_silu_and_gelu(
    name: str, weight: float, bias: float, q: float
) -> None:
    """Roberts, Yaida & Hanin 2022, The Principles of Deep Learning Theory, §5.3.4: both χ are 1
    there.
    """
    at = moments(spec(name), q)
    assert weight * at.mean_square + bias == pytest.approx(q, abs=1e-3)
    assert weight * at.slope_mean_square == pytest.approx(1.0, abs=5e-4)
    assert weight * at.mean_square_growth == pytest.approx(1.0, abs=5e-4)


@pytest.mark.parametrize(
    ("name", "sigma_b", "stable"),
    [
        ("gelu", 0.0, False),
        ("silu", 0.2, False),
        ("silu", 1.0, True),
        ("tanh", 0.0, True),
        ("elu", 0.2, True),
    ],
)
def test_edge_of_chaos_says_whether_nets_stay_there(
    name: str, sigma_b: float, stable: bool
) -> None:
    edge = critical_sigma_w(spec(name), sigma_b)
    assert edge is not None
    assert edge.stable is stable


def test_elu_edge_of_chaos() -> None:
    """Hayou, Doucet & Rousseau 2019: (σ_b, σ_w) = (.2, 1.227) of ELU, (.2, 1.302) of tanh."""
    for name, sigma_w in (("elu", 1.227), ("tanh", 1.302)):
        edge = critical_sigma_w(spec(name), 0.2)
        assert edge is not None
        assert edge.sigma_w == pytest.approx(sigma_w, abs=5e-3)


@pytest.mark.parametrize("off", [1e-2, 1e-3, 1e-4])
def test_correlation_depth_is_the_same_just_above_and_just_below_the_edge(off: float) -> None:
    """A transcritical point: the slope at the stable point is 1 − |χ − 1| on both sides, up to
    the square.
    """
    edge = critical_sigma_w(spec("tanh"), 0.3)
    assert edge is not None
    below, above = (
        fixed_point(spec("tanh"), edge.sigma_w * (1 + side), 0.3) for side in (-off, off)
    )
    assert below.c == 1.0
    assert 0.9 < above.c < 1.0
    assert above.depth_c == pytest.approx(-above.depth_gradient, rel=5 * off)


def hard_shrink_products(q: float, c: float) -> float:
    """E φ(u)φ(v) of correlated normals by one integral: given u, v is normal and E φ(v) known.
    φ = 0 for |z| ≤ ½.
    """
    root, deviation = math.sqrt(q), math.sqrt(q * (1 - c * c))

    def integrand(u: float) -> float:
        low, high = (-0.5 - c * u) / deviation, (0.5 - c * u) / deviation
        left_out = c * u * (norm.cdf(high) - norm.cdf(low)) + deviation * (
            norm.pdf(low) - norm.pdf(high)
        )
        return float(u * (c * u - left_out) * norm.pdf(u / root) / root)

    return 2 * float(quad(integrand, 0.5, 12 * root, epsabs=1e-12, limit=200)[0])


def test_jumps_pull_equal_inputs_apart() -> None:
    """hard_shrink, χ = .16: neighbours on either side of the jump get different values, so c* <
    1 and ξ_c is that of c*.
    """
    found = fixed_point(spec("hard_shrink"), 0.934, 0.253)
    assert found.chi < 1.0

    def after(c: float) -> float:
        return (0.934**2 * hard_shrink_products(found.q, c) + 0.253**2) / found.q

    assert found.c == pytest.approx(0.784, abs=1e-3)
    assert after(found.c) == pytest.approx(found.c, abs=1e-8)
    slope = (after(found.c + 1e-4) - after(found.c - 1e-4)) / 2e-4
    assert found.depth_c == pytest.approx(-1 / math.log(slope), rel=1e-4)


def test_relu_with_bias_worked_by_hand() -> None:
    """q = q/2 + 1/4 gives q = 1/2; everything halves per layer."""
    point = fixed_point(spec("relu"), 1.0, 0.5)
    assert (point.q, point.chi, point.c) == pytest.approx((0.5, 0.5, 1.0))
    assert (point.depth_q, point.depth_c, point.depth_gradient) == pytest.approx(
        (1 / math.log(2),) * 3
    )


@pytest.mark.parametrize("c", [0.0, 0.2, 0.7, 0.95, 1.0])
def test_correlation_map_of_relu_is_the_arc_cosine_kernel(c: float) -> None:
    """Cho & Saul 2009, eq. 6."""
    found = CorrelationMap(spec("relu"), math.sqrt(2.0), 0.0, 1.0)
    angle = math.acos(c)
    assert found(c) == pytest.approx((math.sin(angle) + (math.pi - angle) * c) / math.pi, abs=1e-8)
    assert found.slope(c) == pytest.approx((math.pi - angle) / math.pi, abs=1e-5)


def test_correlation_map_of_tanh_against_a_million_draws() -> None:
    found = CorrelationMap(spec("tanh"), 2.0, 0.3, 1.7)
    u, other = np.random.default_rng(1).standard_normal((2, 1_000_000)) * math.sqrt(1.7)
    v = 0.6 * u + 0.8 * other
    products = np.tanh(u) * np.tanh(v)
    expected = (4.0 * products.mean() + 0.09) / 1.7
    assert found(0.6) == pytest.approx(expected, abs=4 * 4.0 * products.std() / 1.7 / 1000)


def test_critical_weights() -> None:
    assert critical_sigma_w(spec("tanh")).sigma_w == pytest.approx(1.0, abs=1e-9)
    assert critical_sigma_w(spec("tanh"), 0.3).sigma_w == pytest.approx(1.395584, abs=5e-7)
    assert critical_sigma_w(spec("relu")).sigma_w == pytest.approx(math.sqrt(2.0))
    assert critical_sigma_w(spec("relu"), 0.3) is None


def test_sigmoid_with_unit_weights_crosses_near_width_103() -> None:
    assert critical_sigma_w(spec("sigmoid")).sigma_w ** 2 == pytest.approx(103.0, abs=0.5)


def test_sigmoid_with_wide_unit_weights_grows_as_the_root_of_the_width() -> None:
    """χ ≈ √N/(6√π): for large q slopes come from the narrow strip near 0, ∫σ'² = 1/6, and E φ²
    is near 1/2.
    """
    width = 1e6
    point = fixed_point(spec("sigmoid"), math.sqrt(width))
    assert point.chi == pytest.approx(math.sqrt(width) / (6 * math.sqrt(math.pi)), rel=0.01)
