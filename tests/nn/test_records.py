"""A record that compiled code gets by its address has the fields of its named tuple."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from numba import types

from dlprobe.nn.cache import compiled
from dlprobe.nn.records import Reference, taking_records
from dlprobe.nn.shapes import Flag, Index, IntegerTable, Key, Vector, record_type


class Things(NamedTuple):
    vector: Vector
    matrix: IntegerTable
    below: Index
    large: Key
    yes: Flag
    no: Flag


KIND = record_type(Things, types.float32)


def read(things: Any, out: Any) -> None:
    out[0], out[1], out[2] = len(things.vector), things.matrix.shape[0], things.matrix.shape[1]
    out[3], out[4] = things.vector[2], things.matrix[1, 2]
    out[5], out[6] = things.below, np.int64(things.large >> np.uint64(60))
    out[7], out[8] = 10 if things.yes else 20, 10 if things.no else 20
    things.vector[0] = 5


def test_every_field_arrives() -> None:
    """Shapes, elements, a negative and a large number (15·2⁶⁰), both truth values; and arrays
    are the caller's own.
    """
    things = Things(
        np.arange(4, dtype=np.float32) + 1,
        np.arange(6).reshape(2, 3),
        -7,
        np.uint64(15 << 60),
        True,
        False,
    )
    out = np.zeros(9)
    taking_records(compiled(types.void(KIND, types.float64[::1]))(read))(
        Reference(things, KIND), out
    )
    assert out.tolist() == [4, 2, 3, 3, 5, -7, 15, 10, 20]
    assert things.vector.tolist() == [5, 2, 3, 4]


@pytest.mark.parametrize(
    "matrix",
    [
        np.arange(6).reshape(3, 2).T,
        np.arange(6.0).reshape(2, 3),
        np.arange(12).reshape(2, 6)[:, ::2],
    ],
)
def test_memory_that_would_be_misread_is_refused(matrix: Any) -> None:
    """Columns before rows, numbers of another type, gaps between elements."""
    with pytest.raises(TypeError, match="matrix: expected a row-major array of int64"):
        Reference(Things(np.zeros(4, np.float32), matrix, 0, 0, True, False), KIND)
