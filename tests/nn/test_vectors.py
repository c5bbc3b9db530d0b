"""Vectors as variables: whole and partly filled ones give what NumPy gives, and touch nothing
outside.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import types
from small_nets import DTYPES

from dlprobe.nn.cache import compiled
from dlprobe.nn.kernels import PRECISIONS
from dlprobe.nn.vectors import (
    BYTES,
    all_lanes,
    count_above,
    count_below,
    lane_sum,
    load,
    row_totals,
    smaller_size,
    store,
)

Array = Any
LENGTHS = (1, 2, 3, 4)  # numbers in a vector that is not full; 4 of float64 may fill one


def partial(x: Array, y: Array, count: Any, out: Array, found: Array) -> None:
    """(x + y)·x − y of `count` numbers from the second one on; how many exceed 2; how many are
    smaller than 3 in size, the size cut at 5 and lanes that are not loaded 0; their sum.
    """
    a, b, zero = load(x, 1, count), load(y, 1, count), all_lanes(x.dtype.type(0))
    store((a + b) * a - b, out, 1, count)
    found[0] = lane_sum(count_above(zero, a, all_lanes(x.dtype.type(2))))
    found[1] = lane_sum(
        count_below(zero, smaller_size(all_lanes(x.dtype.type(5)), a), all_lanes(x.dtype.type(3)))
    )
    found[2] = lane_sum(a)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_vector_that_is_not_full_leaves_the_rest_alone(dtype: str) -> None:
    """Small whole numbers, so that every result is exact."""
    vector = PRECISIONS[dtype].vector
    kernel = compiled(types.void(vector, vector, types.int64, vector, types.float64[::1]))(partial)
    lanes = BYTES // np.dtype(dtype).itemsize
    x, y = np.array([9, -4, 3, 2, 5, 9], dtype), np.array([9, 2, 7, -1, 6, 9], dtype)
    for count in LENGTHS:
        out, found, part = np.full(6, 77, dtype), np.zeros(3), slice(1, 1 + count)
        kernel(x, y, count, out, found)
        np.testing.assert_array_equal(out[part], (x[part] + y[part]) * x[part] - y[part])
        assert out[0] == 77
        assert (out[1 + count :] == 77).all()
        assert found.tolist() == [
            (x[part] > 2).sum(),
            (abs(x[part]) < 3).sum() + lanes - count,
            x[part].sum(),
        ]


@pytest.mark.parametrize("dtype", DTYPES)
def test_four_rows_are_summed_each(dtype: str) -> None:
    """Rows that fill a vector, 0 … 4·lanes − 1: each row's sum by Gauss."""
    lanes = BYTES // np.dtype(dtype).itemsize

    def four(rows: Array, sums: Array) -> None:
        row_totals(
            load(rows, 0, lanes),
            load(rows, lanes, lanes),
            load(rows, 2 * lanes, lanes),
            load(rows, 3 * lanes, lanes),
            sums,
            1,
        )

    sums = np.zeros(6)
    kernel = compiled(types.void(PRECISIONS[dtype].vector, types.float64[::1]))(four)
    kernel(np.arange(4 * lanes, dtype=dtype), sums)
    assert sums.tolist() == [0, *(lanes * (lanes * k + (lanes - 1) / 2) for k in range(4)), 0]
