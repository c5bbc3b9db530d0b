"""The three matrix products against NumPy in whole numbers, where every precision must be exact, and in ordinary ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
import pytest
from small_nets import DTYPES, Array

from dlprobe.nn import matmul
from dlprobe.nn.cache import compiled

# (rows, fan_in, fan_out): one of everything, tiles of 8 with and without edges, larger than what is turned in registers
SHAPES = [(1, 1, 1), (1, 7, 1), (3, 1, 5), (5, 8, 8), (6, 9, 17), (4, 7, 64), (32, 64, 100), (10, 100, 10), (33, 31, 33), (2, 300, 260)]


@cache
def of_types(function: Callable[..., Any], *types: Any) -> Any:
    return compiled(types)(function)


def call(function: Callable[..., Any], *arrays: Array) -> None:
    of_types(function, *map(numba.typeof, arrays))(*arrays)


def products(x: Array, w: Array, d: Array) -> tuple[Array, Array, Array]:
    """(x w, d wᵀ, xᵀ d) by the compiled functions, into memory that is not clean."""
    rows, fan_in, fan_out = *x.shape, w.shape[1]
    z, da, dw, scratch = (np.full(shape, np.nan, x.dtype) for shape in ((rows, fan_out), (rows, fan_in), (fan_in, fan_out), fan_in * fan_out))
    call(matmul.product, x, w, z)
    call(matmul.product_with_transposed, d, w, da, scratch)
    call(matmul.transposed_product, x, d, dw)
    return z, da, dw


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "fan_in", "fan_out"), SHAPES)
def test_products_of_whole_numbers_are_exact(rows: int, fan_in: int, fan_out: int, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, w, d = (rng.integers(-9, 10, shape) for shape in ((rows, fan_in), (fan_in, fan_out), (rows, fan_out)))
    found = products(*(matrix.astype(dtype) for matrix in (x, w, d)))
    for result, expected in zip(found, (x @ w, d @ w.T, x.T @ d), strict=True):
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "fan_in", "fan_out"), SHAPES)
def test_products_are_within_rounding(rows: int, fan_in: int, fan_out: int, dtype: str) -> None:
    rng = np.random.default_rng(1)
    x, w, d = (rng.standard_normal(shape).astype(dtype) for shape in ((rows, fan_in), (fan_in, fan_out), (rows, fan_out)))
    found = products(x, w, d)
    for result, (left, right) in zip(found, ((x, w), (d, w.T), (x.T, d)), strict=True):
        size = np.abs(left).astype(float) @ np.abs(right)
        assert np.all(np.abs(result - left.astype(float) @ right) <= left.shape[1] * np.finfo(dtype).eps * size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nonfinite_elements_reach_every_result_they_take_part_in(bad: float, dtype: str) -> None:
    for position in range(9 * 17):
        w = np.ones((9, 17), dtype)
        w.ravel()[position] = bad
        z, da, _ = products(np.ones((2, 9), dtype), w, np.ones((2, 17), dtype))
        row, column = divmod(position, 17)
        assert np.flatnonzero(~np.isfinite(z[0])).tolist() == [column]
        assert np.flatnonzero(~np.isfinite(da[0])).tolist() == [row]
