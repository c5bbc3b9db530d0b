"""The three matrix products, and the tiles behind them, against NumPy in whole numbers, where
every precision must be exact, and in ordinary ones.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_nets import DTYPES, Array

from dlprobe.nn import matmul, tiles
from dlprobe.nn.cache import compiled

# (rows, fan_in, fan_out): one of everything, tiles with and without edges, several panels in every
# direction, larger than what tiles are used for
SHAPES = [
    *(
        (1, 1, 1),
        (1, 7, 1),
        (3, 1, 5),
        (5, 8, 8),
        (6, 9, 17),
        (4, 7, 64),
        (32, 64, 100),
        (10, 100, 10),
        (33, 31, 33),
        (2, 300, 260),
    ),
    *((32, 100, 100), (128, 300, 100), (130, 784, 300), (9, 1100, 1000)),
]


@cache
def of_types(function: Callable[..., Any], *types: Any) -> Any:
    return compiled(types)(function)


def call(function: Callable[..., Any], *arrays: Array) -> None:
    of_types(function, *map(numba.typeof, arrays))(*arrays)


def products(x: Array, w: Array, d: Array) -> tuple[Array, Array, Array]:
    """(x w, d wᵀ, xᵀ d) by the compiled functions, into memory that is not clean."""
    rows, fan_in, fan_out = *x.shape, w.shape[1]
    z, da, dw = (
        np.full(shape, np.nan, x.dtype)
        for shape in ((rows, fan_out), (rows, fan_in), (fan_in, fan_out))
    )
    call(matmul.product, x, w, z)
    call(matmul.product_with_transposed, d, w, da)
    call(matmul.transposed_product, x, d, dw)
    return z, da, dw


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "fan_in", "fan_out"), SHAPES)
def test_products_of_whole_numbers_are_exact(
    rows: int, fan_in: int, fan_out: int, dtype: str
) -> None:
    rng = np.random.default_rng(0)
    x, w, d = (
        rng.integers(-9, 10, shape)
        for shape in ((rows, fan_in), (fan_in, fan_out), (rows, fan_out))
    )
    found = products(*(matrix.astype(dtype) for matrix in (x, w, d)))
    for result, expected in zip(found, (x @ w, d @ w.T, x.T @ d), strict=True):
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "fan_in", "fan_out"), SHAPES)
def test_products_are_within_rounding(rows: int, fan_in: int, fan_out: int, dtype: str) -> None:
    rng = np.random.default_rng(1)
    x, w, d = (
        rng.standard_normal(shape).astype(dtype)
        for shape in ((rows, fan_in), (fan_in, fan_out), (rows, fan_out))
    )
    found = products(x, w, d)
    for result, (left, right) in zip(found, ((x, w), (d, w.T), (x.T, d)), strict=True):
        size = np.abs(left).astype(float) @ np.abs(right)
        assert np.all(
            np.abs(result - left.astype(float) @ right)
            <= left.shape[1] * np.finfo(dtype).eps * size
        )


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


needs_tiles = pytest.mark.skipif(
    not tiles.AVAILABLE, reason="this processor has no vector registers for tiles"
)
SIZES = st.integers(1, 40)


def tiled(a: Array, a_transposed: bool, b: Array, b_transposed: bool, out: Array) -> Array:
    tiles.multiply(a, a_transposed, b, b_transposed, out)
    return out


def by_tiles(a: Array, b: Array, a_transposed: bool, b_transposed: bool) -> Array:
    """a @ b by tiles, whatever the shapes, from operands stored as the flags say, into memory
    that is not clean.
    """
    stored_a, stored_b = (
        np.ascontiguousarray(a.T if a_transposed else a),
        np.ascontiguousarray(b.T if b_transposed else b),
    )
    out = np.full((len(a), b.shape[1]), np.nan, a.dtype)
    matrix, flag = numba.typeof(out), numba.boolean
    return np.asarray(
        of_types(tiled, matrix, flag, matrix, flag, matrix)(
            stored_a, a_transposed, stored_b, b_transposed, out
        )
    )


@needs_tiles
@pytest.mark.parametrize("dtype", DTYPES)
@settings(deadline=None, max_examples=150)
@given(
    rows=SIZES,
    depth=SIZES | st.integers(120, 140),
    columns=SIZES | st.integers(41, 130),
    turned=st.tuples(st.booleans(), st.booleans()),
)
def test_tiles_of_every_shape_are_exact_in_whole_numbers(
    rows: int, depth: int, columns: int, turned: tuple[bool, bool], dtype: str
) -> None:
    rng = np.random.default_rng((rows, depth, columns))
    a, b = rng.integers(-9, 10, (rows, depth)), rng.integers(-9, 10, (depth, columns))
    np.testing.assert_array_equal(by_tiles(a.astype(dtype), b.astype(dtype), *turned), a @ b)


@needs_tiles
@pytest.mark.parametrize("dtype", DTYPES)
def test_tiles_write_nothing_beside_the_result(dtype: str) -> None:
    matrix, flag = numba.typeof(np.zeros((1, 1), dtype)), numba.boolean
    for rows, columns in ((1, 1), (9, 17), (15, 49), (8, 100)):
        memory = np.full(rows * columns + 256, 7.0, dtype)
        out = memory[128:-128].reshape(rows, columns)
        of_types(tiled, matrix, flag, matrix, flag, matrix)(
            np.ones((rows, 3), dtype), False, np.ones((3, columns), dtype), False, out
        )
        assert np.all(out == 3)
        assert np.all(memory[:128] == 7)
        assert np.all(memory[-128:] == 7)


@needs_tiles
@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nonfinite_elements_come_through_tiles(bad: float, turned: tuple[bool, bool]) -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        a, b = (
            rng.standard_normal((19, 133)).astype("float32"),
            rng.standard_normal((133, 53)).astype("float32"),
        )
        row, depth, column = rng.integers(19), rng.integers(133), rng.integers(53)
        a[row, depth] = bad
        found = by_tiles(a, b, *turned)
        assert np.flatnonzero(~np.isfinite(found).all(axis=1)).tolist() == [row]
        assert not np.isfinite(found[row]).any()
        a[row, depth], b[depth, column] = 1, bad
        found = by_tiles(a, b, *turned)
        assert np.flatnonzero(~np.isfinite(found).all(axis=0)).tolist() == [column]
        assert not np.isfinite(found[:, column]).any()


def shifted(matrix: Array, by: int) -> Array:
    """The same numbers, `by` elements beyond an address that is a multiple of 64."""
    memory = np.zeros(matrix.size + 64, matrix.dtype)
    start = (-memory.ctypes.data % 64) // matrix.itemsize + by
    copy = memory[start : start + matrix.size].reshape(matrix.shape)
    copy[:] = matrix
    return copy


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("rows", "fan_in", "fan_out"), [(32, 100, 100), (128, 300, 100), (31, 77, 53), (8, 784, 300)]
)
def test_products_are_the_same_bits_wherever_the_arrays_lie(
    rows: int, fan_in: int, fan_out: int, dtype: str
) -> None:
    rng = np.random.default_rng(2)
    matrices = [
        rng.standard_normal(shape).astype(dtype)
        for shape in ((rows, fan_in), (fan_in, fan_out), (rows, fan_out))
    ]
    first = products(*matrices)
    for by in range(8):
        again = products(*(shifted(matrix, by * (k + 1) % 8) for k, matrix in enumerate(matrices)))
        assert all(
            one.tobytes() == other.tobytes() for one, other in zip(first, again, strict=True)
        )


@needs_tiles
def test_a_number_of_tiles_does_not_depend_on_the_other_rows_and_columns() -> None:
    rng = np.random.default_rng(3)
    # so many columns and rows that parts of b are copied in the whole product
    a, b = (
        rng.standard_normal((520, 300)).astype("float32"),
        rng.standard_normal((300, 1110)).astype("float32"),
    )
    whole = by_tiles(a, b, False, False)
    for rows, columns in ((1, 1), (7, 50), (60, 97), (129, 33), (517, 90)):
        assert (
            by_tiles(a[:rows], b[:, :columns], False, True).tobytes()
            == np.ascontiguousarray(whole[:rows, :columns]).tobytes()
        )
