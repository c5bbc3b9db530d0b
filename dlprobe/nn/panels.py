"""Parts of a matrix brought into the order in which the tiles of a product read them: rows of a few
vectors side by side.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from dlprobe.nn.cache import EXACT, inlined
from dlprobe.nn.shapes import Index, Matrix
from dlprobe.nn.vectors import I32, I64, constant, lanes_of, load, store

TURN = 8


@inlined(EXACT)
def copy_panel(source: Matrix, start: Index, panel: Matrix, rows: Index, columns: Index) -> None:
    """panel (r, c) = source from element `start` on, with zeros up to whole vectors."""
    lanes = lanes_of(panel)
    for i in range(rows):
        at, to = start + i * source.shape[1], i * panel.shape[1]
        store(load(source, at, columns), panel, to, lanes)
        store(load(source, at + lanes, columns - lanes), panel, to + lanes, lanes)
        store(load(source, at + 2 * lanes, columns - 2 * lanes), panel, to + 2 * lanes, lanes)


@inlined(EXACT)
def turn_panel(
    source: Matrix,
    first_row: Index,
    first_column: Index,
    panel: Matrix,
    rows: Index,
    columns: Index,
) -> None:
    """panel (r, c) = source[first_row:, first_column:]ᵀ, TURN×TURN numbers at a time; the last
    ones overlap their neighbours instead of leaving a rest.
    """
    if rows < TURN or columns < TURN:
        for j in range(columns):
            for i in range(rows):
                panel[i, j] = source[first_row + j, first_column + i]
        return
    for j in range(0, columns, TURN):
        j = min(j, columns - TURN)
        for i in range(0, rows, TURN):
            i = min(i, rows - TURN)
            turn_block(
                source,
                panel,
                (first_row + j) * source.shape[1] + first_column + i,
                i * panel.shape[1] + j,
            )


@intrinsic
def turn_block(typing: Any, source: Any, target: Any, start: Any, to: Any) -> Any:
    """An 8×8 block of `source` at offset `start` to offset `to`. Half rows k and k + 4 are
    loaded side by side, so that only 4×4 blocks are left to turn.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        half, size = (
            ir.VectorType(context.get_data_type(source.dtype), 4),
            source.dtype.bitwidth // 8,
        )
        arrays = [
            context.make_array(kind)(context, builder, array)
            for kind, array in ((source, arguments[0]), (target, arguments[1]))
        ]
        steps = [builder.extract_value(array.shape, 1) for array in arrays]

        def pointer(which: int, row: int, column: int, kind: Any) -> Any:
            offset = builder.add(
                builder.add(arguments[2 + which], builder.mul(steps[which], I64(row))), I64(column)
            )
            return builder.bitcast(builder.gep(arrays[which].data, [offset]), kind.as_pointer())

        def shuffle(a: Any, b: Any, order: Any) -> Any:
            return builder.shuffle_vector(a, b, constant(I32, order))

        for column in (0, 4):
            halves = [builder.load(pointer(0, k, column, half), align=size) for k in range(8)]
            r = [shuffle(halves[k], halves[k + 4], range(8)) for k in range(4)]
            low = [shuffle(r[k], r[k + 1], [0, 8, 1, 9, 4, 12, 5, 13]) for k in (0, 2)]
            high = [shuffle(r[k], r[k + 1], [2, 10, 3, 11, 6, 14, 7, 15]) for k in (0, 2)]
            first, second = [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]
            for k, (pair, order) in enumerate(
                (pair, order) for pair in (low, high) for order in (first, second)
            ):
                turned = shuffle(pair[0], pair[1], order)
                builder.store(turned, pointer(1, column + k, 0, turned.type), align=size)
        return context.get_dummy_value()

    return types.void(source, target, types.int64, types.int64), code
