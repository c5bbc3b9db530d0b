"""Compiled code counts no references: its views are NumPy's, and a net's memory goes when the
net goes.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
from numba import types
from small_nets import DTYPES, data_for, network

from dlprobe.nn.cache import compiled
from dlprobe.nn.kernels import PRECISIONS
from dlprobe.nn.views import scratch, window

Array = Any


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_window_is_a_part_of_its_array(dtype: str) -> None:
    """Of 0 … 19, 3 rows of 4 from number 5 on, transposed into another array; then the window
    is written to.
    """

    def turn(flat: Array, out: Array) -> None:
        part = window(flat, 5, 3, 4)
        for i in range(part.shape[0]):
            for j in range(part.shape[1]):
                out[j, i] = part[i, j]
        part[2] = 0

    of = PRECISIONS[dtype]
    flat, out = np.arange(20, dtype=dtype), np.zeros((4, 3), dtype)
    compiled(types.void(of.vector, of.matrix))(turn)(flat, out)
    np.testing.assert_array_equal(out, np.arange(5, 17).reshape(3, 4).T)
    np.testing.assert_array_equal(flat, [*range(13), 0, 0, 0, 0, 17, 18, 19])


def test_scratch_holds_what_is_put_there() -> None:
    memory = scratch(100)

    def reverse(values: Array) -> None:
        kept = memory(values)
        for i in range(len(values)):
            kept[i] = values[i]
        for i in range(len(values)):
            values[i] = kept[len(values) - 1 - i]

    values = np.arange(100, dtype=np.float32)
    compiled(types.void(PRECISIONS["float32"].vector))(reverse)(values)
    np.testing.assert_array_equal(values, np.arange(100)[::-1])


def test_memory_goes_with_its_net() -> None:
    """Training and evaluating leave no reference behind to any array they were given."""
    net = network(
        (7, 12, 4), loss="cross_entropy", output="softmax", norm=("batch", False), batch=16
    )
    data = data_for(net, 50)
    net.train(*data, 0, np.full(20, 0.1))
    net.evaluate(*data, dead=True)
    arrays = [weakref.ref(array) for array in (*net.memory, *data) if isinstance(array, np.ndarray)]
    del net, data
    gc.collect()
    assert [array() for array in arrays] == [None] * len(arrays)
