"""The measuring passes of a layer, each compiled by itself, against NumPy, and the counting of
non-finite numbers in every position.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
import pytest
from kernel_arrays import HUGE, KINDS, assert_close, block
from small_nets import DTYPES, Array

from dlprobe.nn import observe, observe_forward
from dlprobe.nn.cache import compiled

BAD = (np.nan, np.inf, -np.inf)
FORWARD = (
    "activation_mean",
    "activation_variance",
    "activation_sample_variance",
    "active_fraction",
)


@cache
def of_types(function: Callable[..., Any], *types: Any) -> Any:
    return compiled(types)(function)


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """The compiled form of a pass, with the flags that the engine compiles it with."""
    return of_types(function, *map(numba.typeof, arguments))(*arguments)


def empty_row(dtype: str) -> Array:
    return np.full(len(observe.STATISTICS), 7, dtype)


def named(statistics: Array, *names: str) -> list[float]:
    return [float(statistics[observe.STATISTICS.index(name)]) for name in names]


def activation_statistics(a: Array) -> tuple[Array, Array]:
    """(statistics, Σ a² of every row)."""
    statistics, row_square = empty_row(a.dtype.name), np.full(len(a), 7.0)
    statistics[observe.NONFINITE_FORWARD] = 0
    scratch = np.full(a.shape[1], 7, a.dtype), np.full(a.shape[1], 7.0)
    call(observe_forward.observe_activation, a, row_square, *scratch, statistics)
    return statistics, row_square


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [2, 3, 4, 7, 64, 65, 130])
@pytest.mark.parametrize("kind", ["ordinary", "constant", "huge", "small"])
def test_activation_statistics_are_those_of_numpy(kind: str, rows: int, dtype: str) -> None:
    """Row counts around the four and the 64 rows that are taken together."""
    a = block(kind, dtype, rows, 9)
    statistics, row_square = activation_statistics(a)
    wide = a.astype(np.float64)
    expected = [wide.mean(), wide.var(), wide.var(axis=0).mean(), np.mean(wide > 0)]
    size = abs(float(wide.max()))
    for found, value, unit in zip(
        named(statistics, *FORWARD), expected, (size, size**2, size**2, 1), strict=True
    ):
        with np.errstate(over="ignore", under="ignore"):
            assert found == pytest.approx(
                float(np.array(value, dtype)), abs=1e2 * float(np.finfo(dtype).eps) * unit
            )
    np.testing.assert_allclose(row_square, np.sum(wide**2, axis=1), rtol=32 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ratio", [1, 9, 15, 17, 60, 1e3, 1e6])
def test_variances_of_numbers_far_from_0_keep_their_digits(ratio: float, dtype: str) -> None:
    """Mean²/variance from 1 to a million, the ratios at which E x² − (E x)² loses as many
    digits among them: 24 units in the last place are never exceeded.
    """
    rng = np.random.default_rng(0)
    for means in (np.ones(100), rng.standard_normal(100)):
        a = (np.sqrt(ratio) * means + rng.standard_normal((32, 100))).astype(dtype)
        wide, close = a.astype(np.longdouble), 24 * float(np.finfo(dtype).eps)
        found = named(
            activation_statistics(a)[0], "activation_variance", "activation_sample_variance"
        )
        assert found == pytest.approx(
            [float(wide.var()), float(wide.var(axis=0).mean())], rel=close
        )
        statistics = empty_row(dtype)
        call(observe_forward.add_bias, a, np.zeros(100, dtype), statistics)
        assert named(statistics, "preactivation_variance") == pytest.approx(
            [float(wide.var())], rel=close
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rows", "units"), [(11, 6), (20, 3)], ids=["", "several rows at once"])
def test_bias_is_added_and_preactivations_measured(
    rows: int, units: int, kind: str, dtype: str
) -> None:
    z = block(kind, dtype, rows, units)
    bias, statistics = block("ordinary", dtype, 1, z.shape[1], 1)[0], empty_row(dtype)
    expected = z + bias
    call(observe_forward.add_bias, z, bias, statistics)
    np.testing.assert_array_equal(z, expected)
    count, wide = np.count_nonzero(~np.isfinite(expected)), expected.astype(np.float64)
    assert named(statistics, "nonfinite_forward") == [count]
    if count == 0:
        values = [wide.mean(), wide.var() if len(z) > 1 else np.nan, np.mean(wide**2)]
        assert_close(
            np.array(named(statistics, "preactivation_mean")),
            np.array(values[:1]),
            dtype,
            size=float(np.abs(wide).max()),
        )
        assert_close(
            np.array(named(statistics, "preactivation_variance", "preactivation_mean_square")),
            np.array(values[1:]),
            dtype,
            64,
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_error_signal_is_summed_and_measured(kind: str, dtype: str) -> None:
    d = block(kind, dtype)
    rows, units = d.shape
    bias_gradient, row_square, statistics = (
        np.full(units, 7, dtype),
        np.full(rows, 7.0),
        empty_row(dtype),
    )
    call(observe.observe_error, d, bias_gradient, row_square, statistics)
    wide = d.astype(np.float64)
    with np.errstate(invalid="ignore"):
        sums = wide.sum(axis=0)
    assert_close(bias_gradient, sums, dtype)
    np.testing.assert_allclose(
        row_square, np.sum(wide**2, axis=1), rtol=32 * np.finfo(dtype).eps, equal_nan=True
    )
    assert named(statistics, "nonfinite_backward") == [np.count_nonzero(~np.isfinite(wide))]
    assert_close(
        np.array(named(statistics, "error_signal_rms")),
        np.array([rows * np.sqrt(np.mean(wide**2))]),
        dtype,
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", BAD)
def test_nonfinite_numbers_are_counted_in_every_position(bad: float, dtype: str) -> None:
    """The counter itself, and the three passes that ask it only where a sum is not finite. 6
    rows: four together and two alone.
    """
    for position in range(30):
        values = block("ordinary", dtype, 6, 5)
        values.ravel()[position] = bad
        assert call(observe.count_nonfinite, values) == 1
        assert named(activation_statistics(values)[0], "nonfinite_forward") == [1]
        statistics = empty_row(dtype)
        call(observe.observe_error, values, np.zeros(5, dtype), np.zeros(6), statistics)
        assert named(statistics, "nonfinite_backward") == [1]
        call(observe_forward.add_bias, values, np.zeros(5, dtype), statistics)
        assert named(statistics, "nonfinite_forward") == [1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_opposite_infinities_do_not_cancel(dtype: str) -> None:
    values = block("ordinary", dtype, 6, 5)
    values[0], values[3] = np.inf, -np.inf
    assert call(observe.count_nonfinite, values) == 10
    assert named(activation_statistics(values)[0], "nonfinite_forward") == [10]


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_largest_finite_numbers_are_not_counted(dtype: str) -> None:
    """Their squares are infinite in float64 too."""
    values = np.full((6, 5), np.finfo(dtype).max, dtype)
    assert call(observe.count_nonfinite, values) == 0
    assert named(activation_statistics(values)[0], "nonfinite_forward") == [0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_underflow_counts_what_is_below_the_smallest_normal_number(dtype: str) -> None:
    """In rows whose next error signal is not zero: ±0, subnormals of both signs; not the
    smallest normal number, not NaN.
    """
    tiny, smallest = np.finfo(dtype).tiny, np.finfo(dtype).smallest_subnormal
    row = [
        0.0,
        -0.0,
        smallest,
        -smallest,
        tiny,
        -tiny,
        np.nextafter(tiny, np.array(0, dtype)),
        np.nan,
        np.inf,
        1.0,
    ]
    da = np.array([row, row, row], dtype)
    assert call(observe.count_underflow, da, np.array([1.0, 0.0, 1e-300])) == 2 * 5


@pytest.mark.parametrize("dtype", DTYPES)
def test_root_mean_square_of_nothing_is_nan(dtype: str) -> None:
    assert np.isnan(call(observe.root_mean_square, np.zeros(0, dtype)))
    assert call(observe.root_mean_square, np.array([3, 4], dtype)) == pytest.approx(np.sqrt(12.5))


@pytest.mark.parametrize("dtype", DTYPES)
def test_tiny_and_huge_numbers_keep_their_squares(dtype: str) -> None:
    """1e-24 and 1e25 squared leave float32; mean squares are taken in float64."""
    for value in (1e-24, 1e25 if dtype == "float32" else HUGE[dtype]):
        d, row_square, statistics = np.full((3, 4), value, dtype), np.zeros(3), empty_row(dtype)
        call(observe.observe_error, d, np.zeros(4, dtype), row_square, statistics)
        np.testing.assert_allclose(row_square, 4 * float(d[0, 0]) ** 2, rtol=1e-12)
        assert named(statistics, "error_signal_rms")[0] == pytest.approx(3 * value, rel=1e-6)
        np.testing.assert_allclose(activation_statistics(d)[1], 4 * float(d[0, 0]) ** 2, rtol=1e-12)


def test_every_statistic_has_one_place_in_the_row() -> None:
    places = [getattr(observe, name.upper()) for name in observe.STATISTICS]
    assert places == list(range(len(observe.STATISTICS)))
