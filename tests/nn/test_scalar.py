"""The compiled exp, expm1, tanh and sigmoid against 50-digit arithmetic: at most 2.5 units in
the last place, and right at the ends.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import mpmath
import numba
import numpy as np
import pytest
from small_nets import DTYPES, Array

import dlprobe.nn.scalar  # gives parts.scalar its compiled forms
from dlprobe.nn.cache import EXACT, compiled
from dlprobe.parts import scalar

MOST_ULPS = 2.5
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "sqrt": mpmath.sqrt,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "erf": mpmath.erf,
}
OWN = ("exp", "expm1", "tanh", "sigmoid", "erf")
# where results are normal numbers, so that a unit in the last place has a fixed share
RANGES = {
    "float32": {
        "exp": (-87.3, 88.7),
        "expm1": (-20.0, 88.7),
        "tanh": (-12.0, 12.0),
        "sigmoid": (-87.3, 30.0),
    },
    "float64": {
        "exp": (-708.3, 709.7),
        "expm1": (-40.0, 709.7),
        "tanh": (-25.0, 25.0),
        "sigmoid": (-708.3, 50.0),
    },
}
OTHERS = {"sqrt": (0.0, 1e6), "log": (1e-6, 1e6), "log1p": (-0.9999, 1e6), "erf": (-6.5, 6.5)}


@cache
def loop(name: str, dtype: str) -> Any:
    """The function as kernels use it: inside a vectorised loop."""
    function = getattr(scalar, name)

    def run(x: Array, y: Array) -> None:
        for i in range(len(x)):
            y[i] = function(x[i])

    array = numba.types.Array(getattr(numba.types, dtype), 1, "C", aligned=True)
    return compiled((array, array), EXACT)(run)


def values(name: str, x: Array) -> Array:
    y = np.full_like(x, 7)
    loop(name, x.dtype.name)(x, y)
    return y


def points(low: float, high: float, dtype: str) -> Array:
    """The whole range, the middle of it, small numbers down to 1e-30, and the joints of the
    reduction at odd multiples of ln 2/2.
    """
    rng = np.random.default_rng(0)
    joints = np.log(2) / 2 * np.arange(-9, 10, 2)
    small = rng.choice([-1, 1], 300) * 10.0 ** rng.uniform(-30, 0, 300)
    drawn = np.concatenate(
        [
            rng.uniform(low, high, 1000),
            rng.normal(0, 1, 700),
            small,
            joints,
            np.nextafter(joints, 9),
            np.nextafter(joints, -9),
        ]
    )
    return drawn[(drawn >= low) & (drawn <= high)].astype(dtype)


def worst_ulps(name: str, x: Array) -> float:
    """Largest error in units of the exact result's last place."""
    found, worst = values(name, x), 0.0
    with mpmath.workdps(50):
        for argument, value in zip(x.tolist(), found.tolist(), strict=True):
            exact = FUNCTIONS[name](mpmath.mpf(argument))
            unit = float(np.spacing(np.array(abs(float(exact)), x.dtype)))
            worst = max(worst, float(abs(mpmath.mpf(value) - exact)) / unit)
    return worst


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_errors_stay_below_the_stated_bound(name: str, dtype: str) -> None:
    assert (
        worst_ulps(name, points(*RANGES[dtype].get(name, OTHERS.get(name, (0, 0))), dtype))
        <= MOST_ULPS
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "at_zero", "at_infinity", "at_minus_infinity"),
    [
        ("exp", 1, np.inf, 0),
        ("expm1", 0, np.inf, -1),
        ("tanh", 0, 1, -1),
        ("sigmoid", 0.5, 1, 0),
        ("erf", 0, 1, -1),
    ],
)
def test_special_values(
    name: str, at_zero: float, at_infinity: float, at_minus_infinity: float, dtype: str
) -> None:
    huge = float(np.finfo(dtype).max)
    x = np.array([0.0, -0.0, np.inf, -np.inf, huge, -huge, np.nan], dtype)
    ends = [at_infinity, at_minus_infinity]
    np.testing.assert_array_equal(values(name, x), [at_zero, at_zero, *ends, *ends, np.nan])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OWN)
def test_they_rise_and_stay_within_their_limits(name: str, dtype: str) -> None:
    """Never a step down by more than the errors allow, and saturation is exact: no value beyond
    the limit, none below after it was reached.
    """
    found = values(name, np.linspace(-800, 800, 20001).astype(dtype)).astype(np.float64)
    low, high = {
        "exp": (0, np.inf),
        "expm1": (-1, np.inf),
        "tanh": (-1, 1),
        "sigmoid": (0, 1),
        "erf": (-1, 1),
    }[name]
    assert found[0] == low
    assert found[-1] == high
    assert found.min() == low
    assert found.max() == high
    finite = found[np.isfinite(found)]
    assert np.all(np.diff(finite) >= -2 * MOST_ULPS * np.finfo(dtype).eps * np.abs(finite[:-1]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_overflows_and_underflows_where_it_should(dtype: str) -> None:
    """Between the last finite and the first infinite result lies ln of the largest number;
    below come the subnormals, then 0.
    """
    top = float(np.log(np.finfo(dtype).max))
    assert np.isfinite(
        values(
            "exp",
            np.array(
                [np.nextafter(np.array(top, dtype), np.array(0, dtype)) - np.array(1e-4, dtype)]
            ),
        )
    ).all()
    assert values("exp", np.array([top + 1e-2], dtype))[0] == np.inf
    smallest = float(np.finfo(dtype).smallest_subnormal)
    bottom = float(np.log(smallest))
    x = np.linspace(bottom + 0.5, np.log(np.finfo(dtype).tiny), 200).astype(dtype)
    exact = [float(mpmath.exp(mpmath.mpf(v))) for v in x.tolist()]
    np.testing.assert_allclose(
        values("exp", x).astype(np.float64), exact, rtol=0, atol=1.5 * smallest
    )
    assert values("exp", np.array([bottom - 1.5], dtype))[0] == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_log1p_at_its_ends(dtype: str) -> None:
    """−1 → −∞, below and NaN → NaN, ∞ → ∞, the largest number → its logarithm, the number above
    −1 → ln of the spacing below 1.
    """
    big, tiny = float(np.finfo(dtype).max), float(np.finfo(dtype).epsneg)
    x = np.array([-1.0, -1.5, -np.inf, np.nan, np.inf, big, tiny - 1, 0.0], dtype)
    expected = [-np.inf, np.nan, np.nan, np.nan, np.inf, np.log(big), np.log(tiny), 0.0]
    np.testing.assert_allclose(values("log1p", x), expected, rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["expm1", "tanh", "log1p"])
def test_near_zero_they_are_their_argument(name: str, dtype: str) -> None:
    x = np.array([1e-30, -1e-30, 1e-12, -1e-12], dtype)
    if dtype == "float64":
        x = np.array([1e-300, -1e-300, 1e-20, -1e-20])
    np.testing.assert_array_equal(values(name, x), x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_tanh_and_sigmoid_are_symmetric(dtype: str) -> None:
    x = points(0, 20, dtype)
    np.testing.assert_array_equal(values("tanh", -x), -values("tanh", x))
    np.testing.assert_allclose(
        values("sigmoid", -x) + values("sigmoid", x), 1, rtol=0, atol=2 * np.finfo(dtype).eps
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_finite_means_neither_nan_nor_infinite_even_of_a_sum(bad: float, dtype: str) -> None:
    """With reassociation LLVM makes 0 of (a + b) − (a + b), which is what math.isfinite looks
    at.
    """

    def count(x: Array) -> int:
        found = 0
        for i in range(len(x) - 1):
            found += 1 if dlprobe.nn.scalar.is_finite(x[i] + x[i + 1]) else 0
        return found

    array = numba.types.Array(getattr(numba.types, dtype), 1, "C", aligned=True)
    x = np.ones(9, dtype)
    kernel = compiled((array,))(count)
    assert kernel(x) == 8
    x[4] = bad
    assert kernel(x) == 6
