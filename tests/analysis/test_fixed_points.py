"""Fixed points, depth scales and the edge of chaos against published points and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlprobe import registry
from dlprobe.analysis.fixed_points import CorrelationMap, critical_sigma_w, fixed_point
from dlprobe.analysis.gaussian import moments
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
    assert point.depth_c == point.depth_gradient == pytest.approx(-1 / math.log(0.93863627), rel=1e-6)


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
    assert fixed_point(spec("relu"), 1.0).q == 0.0
    assert fixed_point(spec("relu"), 2.0).q == math.inf


def test_relu_with_bias_worked_by_hand() -> None:
    """q = q/2 + 1/4 gives q = 1/2; everything halves per layer."""
    point = fixed_point(spec("relu"), 1.0, 0.5)
    assert (point.q, point.chi, point.c) == pytest.approx((0.5, 0.5, 1.0))
    assert (point.depth_q, point.depth_c, point.depth_gradient) == pytest.approx((1 / math.log(2),) * 3)


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
    """χ ≈ √N/(6√π): for large q slopes come from the narrow strip near 0, ∫σ'² = 1/6, and E φ² is near 1/2."""
    width = 1e6
    point = fixed_point(spec("sigmoid"), math.sqrt(width))
    assert point.chi == pytest.approx(math.sqrt(width) / (6 * math.sqrt(math.pi)), rel=0.01)
