"""Gaussian averages against published closed forms and independently computed values."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import quad

from dlprobe import registry
from dlprobe.analysis.theory.gaussian import moments, nodes
from dlprobe.errors import ConfigError
from dlprobe.parts.activations import Activation, RandomActivation
from dlprobe.registry import Spec


def spec(name: str, **given: float) -> Spec:
    record = registry.get("activation", name)
    return Spec("activation", name, {p.name: p.default for p in record.parameters} | given)


# name: E φ², Var φ, D = E φ'² at q = 1, computed once with closed forms and 30-digit quadrature
TABLE = {
    "relu": (0.5, 0.3408450569, 0.5),
    "leaky_relu": (0.50005, 0.3440622403, 0.50005),
    "elu": (0.6449454175, 0.6191785634, 0.6681020012),
    "selu": (1.0, 1.0, 1.0715749925),
    "gelu": (0.4252214826, 0.3456440110, 0.4558508656),
    "silu": (0.3557755198, 0.3130832970, 0.3794823516),
    "tanh": (0.3942944904, 0.3942944904, 0.4644029024),
    "sigmoid": (0.2933790359, 0.0433790359, 0.0448362414),
    "softplus": (0.9212459089, 0.2715145018, 0.2933790359),
    "erf": (0.4645590544, 0.4645590544, 0.5694100347),
    "prelu": (0.53125, 0.53125 - 0.75**2 / (2 * math.pi), 0.53125),  # (1 + .25²)/2
    "exponential": (math.e**2, math.e**2 - math.e, math.e**2),
}
SCALES = [1e-6, 1e-2, 0.3, 1.0, 17.0, 376.0, 1e6]


@pytest.mark.parametrize("name", TABLE)
def test_table_at_q_one(name: str) -> None:
    at = moments(spec(name), 1.0)
    assert (at.mean_square, at.variance, at.slope_mean_square) == pytest.approx(
        TABLE[name], abs=6e-11
    )


DETERMINISTIC = [
    name
    for name, record in registry.records("activation").items()
    if isinstance(record, Activation) and not isinstance(record, RandomActivation)
]


@pytest.mark.parametrize("q", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("name", DETERMINISTIC)
def test_averages_are_those_of_adaptive_quadrature(name: str, q: float) -> None:
    """QUADPACK on 12 standard deviations, told where the kinks are."""
    record, values = registry.get("activation", name), tuple(spec(name).parameters.values())
    numbers, root = record.numbers(*values), math.sqrt(q)

    def average(f: Callable[[float], float]) -> float:
        bends = [0.0, *(kink / root for kink in record.kinks(*values) if abs(kink) < 12 * root)]
        return float(
            quad(
                lambda z: f(root * z) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi),
                -12,
                12,
                points=bends,
                epsabs=0,
                epsrel=1e-11,
                limit=400,
            )[0]
        )

    mean_square = average(lambda u: record.value(u, *numbers) ** 2)
    at = moments(spec(name), q)
    assert at.mean_square == pytest.approx(mean_square, rel=1e-9)
    assert at.slope_mean_square == pytest.approx(
        average(lambda u: record.slope(u, record.value(u, *numbers), *numbers) ** 2), rel=1e-9
    )
    assert at.variance == pytest.approx(mean_square - at.mean**2, rel=1e-9)


@pytest.mark.parametrize("q", SCALES)
def test_relu_closed_form(q: float) -> None:
    at = moments(spec("relu"), q)
    assert at.mean_square == pytest.approx(q / 2, rel=1e-12)
    assert at.mean == pytest.approx(math.sqrt(q / (2 * math.pi)), rel=1e-12)
    assert at.slope_mean_square == pytest.approx(0.5, rel=1e-12)
    assert at.slope_fourth == pytest.approx(0.5, rel=1e-12)
    assert at.mean_square_growth == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("slope", [0.01, 0.2, -0.5, 1.0])
def test_leaky_relu_takes_the_slope_of_the_spec(slope: float) -> None:
    at = moments(spec("leaky_relu", slope=slope), 2.0)
    assert at.slope_mean_square == pytest.approx((1 + slope**2) / 2, rel=1e-12)
    assert at.mean_square == pytest.approx(1 + slope**2, rel=1e-12)


@pytest.mark.parametrize("q", SCALES)
def test_erf_closed_form(q: float) -> None:
    at = moments(spec("erf"), q)
    assert at.mean_square == pytest.approx(2 / math.pi * math.asin(2 * q / (1 + 2 * q)), rel=1e-11)
    assert at.slope_mean_square == pytest.approx(4 / math.pi / math.sqrt(1 + 4 * q), rel=1e-11)


@pytest.mark.parametrize("q", [1e-3, 0.3, 1.0, 4.0, 25.0])
def test_exponential_closed_form(q: float) -> None:
    """E e^(kz) = e^(k²q/2); beyond q = 25 the next layer's q is above e^50, which is said by
    NaN.
    """
    at = moments(spec("exponential"), q)
    assert (at.mean, at.mean_square, at.slope_fourth) == pytest.approx(
        (math.exp(q / 2), math.exp(2 * q), math.exp(8 * q)), rel=1e-10
    )
    assert math.isnan(moments(spec("exponential"), 26.0).mean_square)


@pytest.mark.parametrize("q", [0.3, 1.0, 17.0])
def test_random_slope_counts_with_its_spread(q: float) -> None:
    """rrelu: E s = m, E s² = m² + w²/12 for s ~ U of width w, of the half of z below 0."""
    at, low, high = moments(spec("rrelu"), q), 1 / 8, 1 / 3
    square, fourth = (
        (high**3 - low**3) / (3 * (high - low)),
        (high**5 - low**5) / (5 * (high - low)),
    )
    assert at.mean_square == pytest.approx(q * (1 + square) / 2, rel=1e-12)
    assert at.slope_mean_square == pytest.approx((1 + square) / 2, rel=1e-12)
    assert at.slope_fourth == pytest.approx((1 + fourth) / 2, rel=1e-12)
    mean = (1 - (low + high) / 2) * math.sqrt(q / (2 * math.pi))
    assert at.mean == pytest.approx(mean, rel=1e-12)
    assert at.variance == pytest.approx(at.mean_square - mean**2, rel=1e-12)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, record in registry.records("activation").items()
        if isinstance(record, Activation)
    ],
)
@pytest.mark.parametrize("q", SCALES)
def test_rule_has_converged_for_every_activation_and_scale(name: str, q: float) -> None:
    """Four times as many nodes change nothing; plain Gauss–Hermite would be 86 % off at q = 376."""
    record = registry.get("activation", name)
    if moments(spec(name), q).mean_square != moments(spec(name), q).mean_square:
        assert (name, q > 25) == ("exponential", True)
        return
    parameters = tuple(spec(name).parameters.values())
    reach = 12.0 if math.isfinite(record.largest_slope(*parameters)) else 12.0 + 4.0 * math.sqrt(q)
    points, weights = nodes(record.kinks(*parameters), q, per_panel=160, reach=reach)
    expected = 0.0
    for share, numbers in record.draws(*parameters):
        slopes = np.array(
            [record.slope(z, record.value(z, *numbers), *numbers) for z in points.tolist()]
        )
        expected += share * float(weights @ slopes**2)
    # what is not 0 outside a hard bend only is as good as its smallest panel resolves
    assert moments(spec(name), q).slope_mean_square == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, record in registry.records("activation").items()
        if isinstance(record, Activation)
    ],
)
def test_growths_are_derivatives_of_the_averages_jumps_included(name: str) -> None:
    q, step = 0.7, 1e-4
    low, at, high = (moments(spec(name), each) for each in (q - step, q, q + step))
    assert at.mean_square_growth == pytest.approx(
        (high.mean_square - low.mean_square) / (2 * step), rel=1e-6
    )
    assert at.mean_growth == pytest.approx(
        q * (high.mean - low.mean) / (2 * step), rel=1e-6, abs=1e-9
    )
    assert at.slope_growth == pytest.approx(
        q * math.log(high.slope_mean_square / low.slope_mean_square) / (2 * step),
        rel=1e-6,
        abs=1e-9,
    )


def test_higher_averages_of_relu_worked_by_hand() -> None:
    """Halves of the normal's: E|u|³ = q^1.5·2√(2/π), E u⁴ = 3q²; E φ'' is the density at the
    kink.
    """
    at = moments(spec("relu"), 2.0)
    assert at.third == pytest.approx(2**1.5 * math.sqrt(2 / math.pi))
    assert (at.fourth, at.square_slopes) == pytest.approx((6.0, 1.0))
    assert at.value_slopes == pytest.approx(at.mean)
    assert at.square_lean == pytest.approx(2.0 * math.sqrt(2 / math.pi))
    assert (at.value_lean, at.slope_lean) == pytest.approx(
        (math.sqrt(2) / 2, math.sqrt(2 / math.pi))
    )
    assert at.curvature == pytest.approx(1 / math.sqrt(4 * math.pi))


def test_kappa_of_relu_is_five_and_of_linear_two() -> None:
    assert moments(spec("relu"), 3.0).kappa == pytest.approx(5.0)
    assert moments(spec("linear"), 3.0).kappa == pytest.approx(2.0)


def test_silent_layer_has_the_activations_value_at_zero() -> None:
    at = moments(spec("sigmoid"), 0.0)
    assert (at.mean, at.mean_square, at.variance, at.slope_mean_square) == (0.5, 0.25, 0.0, 0.0625)


@pytest.mark.parametrize("q", [math.inf, math.nan, 1e250])
def test_overflow_is_nan_and_no_error(q: float) -> None:
    assert math.isnan(moments(spec("relu"), q).mean_square)


def test_softmax_has_no_scalar_slope() -> None:
    with pytest.raises(ConfigError, match="softmax mixes the units of a row"):
        moments(spec("softmax"), 1.0)
