"""Matrix products, in the three forms that a dense layer needs. All arrays are 2-D, row-major, of one precision; the result is written into `out`.

BLAS takes transposed views as they are, without a copy. It is held to one thread for the whole process: with two, OpenBLAS gives other bits in a quarter
of all products, and two training threads that each call a two-thread BLAS take 25 times as long.

The product with Wᵀ is the slow form of OpenBLAS for small matrices, at half the rate of the others. There W is turned first, in registers, 8×8 numbers
at a time: 32×100 by 100×100 takes 5.7 instead of 8.0 µs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg.cython_blas  # noqa: F401  (numba's np.dot calls the BLAS that scipy brings)
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload
from threadpoolctl import threadpool_limits

from dlprobe.nn.cache import inlined

_one_thread = threadpool_limits(limits=1, user_api="blas")

TILE = 8
TURN_LARGEST = 2**16  # elements of W; beyond, BLAS turns it itself at full rate


def product(x: Any, w: Any, out: Any) -> None:
    """out (m, n) = x (m, k) @ w (k, n)."""
    np.dot(x, w, out)


def product_with_transposed(d: Any, w: Any, out: Any, scratch: Any) -> None:
    """out (m, k) = d (m, n) @ w (k, n)ᵀ; `scratch` has room for wᵀ, k·n numbers."""
    if w.size <= TURN_LARGEST and w.shape[0] >= TILE and w.shape[1] >= TILE:
        turned = scratch.reshape(w.shape[1], w.shape[0])
        transpose(w, turned)
        np.dot(d, turned, out)
    else:
        np.dot(d, w.T, out)


def transposed_product(x: Any, d: Any, out: Any) -> None:
    """out (k, n) = x (m, k)ᵀ @ d (m, n)."""
    np.dot(x.T, d, out)


def transpose(source: Any, target: Any) -> None:
    """target (n, m) = source (m, n)ᵀ; whole tiles in registers, the edges one by one."""
    rows, columns = source.shape
    whole_rows, whole_columns = rows - rows % TILE, columns - columns % TILE
    for i in range(0, whole_rows, TILE):
        for j in range(0, whole_columns, TILE):
            transpose_tile(source, target, i, j)
    for i in range(whole_rows):
        for j in range(whole_columns, columns):
            target[j, i] = source[i, j]
    for i in range(whole_rows, rows):
        for j in range(columns):
            target[j, i] = source[i, j]


def transpose_tile(source: Any, target: Any, i: int, j: int) -> None:
    """The TILE×TILE block at (i, j) of `source`, turned, at (j, i) of `target`."""
    target[j : j + TILE, i : i + TILE] = source[i : i + TILE, j : j + TILE].T


@overload(transpose_tile, strict=False)
def _transpose_tile(source: Any, target: Any, i: Any, j: Any) -> Any:
    if source.dtype == types.float32:
        return lambda source, target, i, j: transpose_tile_32(source, target, i * source.shape[1] + j, j * target.shape[1] + i)

    def plain(source: Any, target: Any, i: Any, j: Any) -> None:
        for q in range(TILE):
            for r in range(TILE):
                target[j + r, i + q] = source[i + q, j + r]

    return plain


def _at(context: Any, builder: Any, kind: Any, array: Any, offset: Any) -> Any:
    """Pointer to element `offset` of an array's data."""
    return builder.gep(context.make_array(kind)(context, builder, array).data, [offset])


@intrinsic
def transpose_tile_32(typing: Any, source: Any, target: Any, start: Any, to: Any) -> Any:
    """An 8×8 float32 block from offset `start` to offset `to`. Half rows k and k + 4 are loaded side by side, so that only 4×4 blocks are left to turn."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        half, lane = ir.VectorType(ir.FloatType(), 4), ir.IntType(32)
        step_in = builder.extract_value(context.make_array(source)(context, builder, arguments[0]).shape, 1)
        step_out = builder.extract_value(context.make_array(target)(context, builder, arguments[1]).shape, 1)

        def offset(base: Any, step: Any, k: int, more: int) -> Any:
            moved = builder.add(base, builder.mul(step, ir.Constant(ir.IntType(64), k)))
            return builder.add(moved, ir.Constant(ir.IntType(64), more))

        def load(k: int, column: int) -> Any:
            pointer = _at(context, builder, source, arguments[0], offset(arguments[2], step_in, k, column))
            loaded = builder.load(builder.bitcast(pointer, half.as_pointer()))
            loaded.align = 4
            return loaded

        def shuffle(a: Any, b: Any, order: list[int]) -> Any:
            return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(lane, len(order)), order))

        for column in (0, 4):
            r = [shuffle(load(k, column), load(k + 4, column), list(range(8))) for k in range(4)]
            low = [shuffle(r[k], r[k + 1], [0, 8, 1, 9, 4, 12, 5, 13]) for k in (0, 2)]
            high = [shuffle(r[k], r[k + 1], [2, 10, 3, 11, 6, 14, 7, 15]) for k in (0, 2)]
            for k, (pair, order) in enumerate((pair, order) for pair in (low, high) for order in ([0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15])):
                turned = shuffle(pair[0], pair[1], order)
                pointer = _at(context, builder, target, arguments[1], offset(arguments[3], step_out, column + k, 0))
                stored = builder.store(turned, builder.bitcast(pointer, turned.type.as_pointer()))
                stored.align = 4
        return context.get_dummy_value()

    return types.void(source, target, types.int64, types.int64), codegen


for _function in (product, product_with_transposed, transposed_product, transpose):
    inlined(_function)
