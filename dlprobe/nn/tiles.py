"""A matrix product of our own for the sizes that networks have: out = a @ b, `a` and `b` each as
they are or transposed.

`tile` computes a few rows × columns of `out`, all of them held in vector registers, while it walks
along the depth, the dimension summed over:

                      columns
                 b    ▒▒▒▒▒▒▒▒▒▒▒▒      at each depth: load up to VECTORS vectors of one row of b;
         a                              for each of ROWS rows, spread one number of `a`,
    rows ▒       out  ████████████      and multiply-add it with them onto the sums of that row
         ▒            ████████████

AVX-512 has 32 registers of 64 bytes: 8 rows × 3 vectors of sums, 3 for b, 1 for `a`. AVX2 has 16 of
32 bytes: 4 × 3, 3, 1. So the 3 + 8 loads of a depth, two a cycle, hide behind 24 multiply-adds, two
a cycle. `multiply` cuts the product into tiles such that the part of b below one column of tiles
(DEPTH rows of 3 vectors at most, 18 or 36 kB) stays in cache while all rows of `a` pass by.

Every number of `out` is one chain of fused multiply-adds along the depth. How the arrays are
aligned, where its tile lies, and what other rows and columns there are change no bit of it; NaN and
infinity come through as in a plain loop.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from dlprobe.nn.cache import EXACT, inlined
from dlprobe.nn.panels import copy_panel, turn_panel
from dlprobe.nn.shapes import Flag, Index, Matrix
from dlprobe.nn.vectors import I32, I64, VECTOR_BYTES, call_intrinsic, first_lanes, spread
from dlprobe.nn.views import scratch, window

AVAILABLE = VECTOR_BYTES > 0
ROWS = 8 if VECTOR_BYTES == 64 else 4
VECTORS = 3
DEPTH = 192
# AVX2 has no register for masks to spare, and stores under one in 12 cycles: only what is less than
# a vector is stored so, and columns of b that do not fill one are copied before they are loaded
SPARES_MASKS = VECTOR_BYTES == 32
# With so many rows of `out`, or so many bytes in one of b, it pays to copy b side by side first:
# its rows are not in a page each then, nor in one set of the cache. GFLOP/s of 128×256×256, x @ w
# and xᵀ @ d, without and with the copy: AVX2 95 and 106, 84 and 109; AVX-512 111 and 107, 113 and
# 112.
COPY_ROWS = 512 if VECTOR_BYTES == 64 else 128
COPY_BYTES = 4096
# numbers, of which there are most where they are smallest
panel_memory = scratch(DEPTH * VECTORS * VECTOR_BYTES // 4)


@inlined(EXACT)
def multiply(a: Matrix, a_transposed: Flag, b: Matrix, b_transposed: Flag, out: Matrix) -> None:
    """out (m, n) = a (m, depth) @ b (depth, n), where `a` is stored as (depth, m) if a_transposed,
    and b as (n, depth) if b_transposed; depth ≥ 1.

    All arrays are row-major and of one precision; `out` shares no memory with the others.
    Transposed b is turned part by part, just before it is used.
    """
    multiply_part(a, a_transposed, b, b_transposed, out, 0, out.shape[0], 0, out.shape[1])


@inlined(EXACT)
def multiply_part(
    a: Matrix,
    a_transposed: Flag,
    b: Matrix,
    b_transposed: Flag,
    out: Matrix,
    first_row: Index,
    end_row: Index,
    first_column: Index,
    end_column: Index,
) -> None:
    """Of `multiply` the rows and columns from the first to the end; all of them are the same bits
    as the whole.
    """
    m, n = out.shape
    row_step, depth_step = (1, m) if a_transposed else (a.shape[1], 1)
    whole_depth = b.shape[1] if b_transposed else b.shape[0]
    lanes = VECTOR_BYTES // out.itemsize
    side_by_side = window(panel_memory(out), 0, DEPTH, VECTORS * lanes)
    always = b_transposed or end_row - first_row >= COPY_ROWS or n * out.itemsize > COPY_BYTES
    steps = (whole_depth + DEPTH - 1) // DEPTH
    length = (whole_depth + steps - 1) // steps
    for k in range(0, whole_depth, length):
        depth = min(length, whole_depth - k)
        j = first_column
        while j < end_column:
            columns = min(end_column - j, VECTORS * lanes)
            # 4 vectors are left: 2 + 2 rather than 3 + 1, which has too few independent sums to
            # keep the units busy
            if columns < end_column - j <= columns + lanes:
                columns = 2 * lanes
            copied = always or (SPARES_MASKS and columns % lanes != 0)
            panel = side_by_side if copied else b
            if b_transposed:
                turn_panel(b, j, k, panel, depth, columns)
            elif copied:
                copy_panel(b, k * n + j, panel, depth, columns)
            start = 0 if copied else k * n + j
            for i in range(first_row, end_row, ROWS):
                at = i * row_step + k * depth_step
                tile(
                    a,
                    at,
                    row_step,
                    depth_step,
                    panel,
                    start,
                    out,
                    i * n + j,
                    min(ROWS, end_row - i),
                    columns,
                    depth,
                    k > 0,
                )
            j += columns


class TileCode:
    """Emits the LLVM code of one `tile` call."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.builder = builder
        (
            a,
            a_start,
            row_step,
            self.depth_step,
            b,
            b_start,
            out,
            out_start,
            rows,
            self.columns,
            self.depth,
            self.more,
        ) = arguments
        kinds = signature.args
        self.size = kinds[0].dtype.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.size
        self.vector = ir.VectorType(context.get_data_type(kinds[0].dtype), self.lanes)
        self.name = f"v{self.lanes}f{8 * self.size}"
        arrays = [
            context.make_array(kind)(context, builder, array)
            for kind, array in ((kinds[0], a), (kinds[4], b), (kinds[6], out))
        ]
        self.b_step = builder.extract_value(arrays[1].shape, 1)
        self.b = builder.gep(arrays[1].data, [b_start])
        self.a_rows = self.row_pointers(builder.gep(arrays[0].data, [a_start]), row_step, rows)
        self.out_rows = self.row_pointers(
            builder.gep(arrays[2].data, [out_start]),
            builder.extract_value(arrays[2].shape, 1),
            rows,
        )

    def row_pointers(self, first: Any, step: Any, rows: Any) -> list[Any]:
        """Pointers to ROWS rows. Rows that are not there stand for the last one: it is computed
        and stored several times, and no row needs a condition.
        """
        pointers = [first]
        for r in range(1, ROWS):
            there = self.builder.icmp_signed("<", I64(r), rows)
            further = self.builder.select(there, step, I64(0))
            pointers.append(self.builder.gep(pointers[-1], [further]))
        return pointers

    def mask(self, vectors: int) -> Any:
        """Which lanes of the last vector are columns that exist."""
        existing = self.builder.sub(self.columns, I64((vectors - 1) * self.lanes))
        return first_lanes(self.builder, existing, self.lanes)

    def multiplied_and_added(self, one: Any, row: list[Any], sums: list[Any]) -> list[Any]:
        return [
            call_intrinsic(self.builder, f"llvm.fma.{self.name}", self.vector, [one, b, total])
            for b, total in zip(row, sums, strict=True)
        ]

    def pointers(self, row: Any, vectors: int) -> list[Any]:
        return [
            self.builder.bitcast(
                self.builder.gep(row, [I64(q * self.lanes)]), self.vector.as_pointer()
            )
            for q in range(vectors)
        ]

    def load(self, row: Any, vectors: int, mask: Any = None) -> list[Any]:
        """The numbers of a row from its pointer on; lanes outside a mask are not touched in
        memory and are 0.
        """
        if mask is None:
            return [
                self.builder.load(pointer, align=self.size)
                for pointer in self.pointers(row, vectors)
            ]
        *_, last = self.pointers(row, vectors)
        arguments = [last, I32(self.size), mask, ir.Constant(self.vector, None)]
        return [
            *self.load(row, vectors - 1),
            call_intrinsic(
                self.builder, f"llvm.masked.load.{self.name}.p0", self.vector, arguments
            ),
        ]

    def store(self, values: list[Any], row: Any, mask: Any = None) -> None:
        """Numbers to a row from its pointer on; lanes outside a mask are not touched."""
        pointers = self.pointers(row, len(values))
        for value, pointer in zip(values[: None if mask is None else -1], pointers, strict=False):
            self.builder.store(value, pointer, align=self.size)
        if mask is not None:
            call_intrinsic(
                self.builder,
                f"llvm.masked.store.{self.name}.p0",
                ir.VoidType(),
                [values[-1], pointers[-1], I32(self.size), mask],
            )

    def emit(self, vectors: int) -> None:
        """The whole tile for columns that fill `vectors` vectors, the last one perhaps in part."""
        builder, mask = self.builder, self.mask(vectors)
        before, resume, loop, after = (
            builder.block,
            *(builder.append_basic_block(name) for name in ("resume", "loop", "after")),
        )
        builder.cbranch(self.more, resume, loop)
        builder.position_at_end(resume)
        earlier = [self.load(row, vectors, mask) for row in self.out_rows]
        builder.branch(loop)
        builder.position_at_end(loop)
        k, a_at, b_at = (builder.phi(I64) for _ in range(3))
        sums = [[builder.phi(self.vector) for _ in range(vectors)] for _ in range(ROWS)]
        b_row = self.row_of_b(builder.gep(self.b, [b_at]), vectors, mask)
        new = [self.add_row(row, a_at, b_row, sums[r]) for r, row in enumerate(self.a_rows)]
        for counter, step in ((k, I64(1)), (a_at, self.depth_step), (b_at, self.b_step)):
            counter.add_incoming(I64(0), before)
            counter.add_incoming(I64(0), resume)
            counter.add_incoming(builder.add(counter, step), loop)
        for r in range(ROWS):
            for q in range(vectors):
                sums[r][q].add_incoming(ir.Constant(self.vector, None), before)
                sums[r][q].add_incoming(earlier[r][q], resume)
                sums[r][q].add_incoming(new[r][q], loop)
        builder.cbranch(builder.icmp_signed("<", builder.add(k, I64(1)), self.depth), loop, after)
        builder.position_at_end(after)
        if mask is None or not SPARES_MASKS:
            self.store_rows(new, mask)
            return
        full = builder.icmp_signed("==", self.columns, I64(vectors * self.lanes))
        with builder.if_else(full, likely=True) as (whole, partly):
            with whole:
                self.store_rows(new)
            with partly:
                self.store_rows(new, mask)

    def store_rows(self, sums: list[list[Any]], mask: Any = None) -> None:
        for of_row, row in zip(sums, self.out_rows, strict=True):
            self.store(of_row, row, mask)

    def row_of_b(self, row: Any, vectors: int, mask: Any) -> list[Any]:
        return self.load(row, vectors, None if SPARES_MASKS else mask)

    def add_row(self, row: Any, at: Any, b_row: list[Any], sums: list[Any]) -> list[Any]:
        """One number of `a` times the row of b, added to the sums of its row of `out`."""
        number = self.builder.load(self.builder.gep(row, [at]))
        return self.multiplied_and_added(spread(self.builder, number, self.lanes), b_row, sums)


@intrinsic
def tile(
    typing: Any,
    a: Any,
    a_start: Any,
    row_step: Any,
    depth_step: Any,
    b: Any,
    b_start: Any,
    out: Any,
    out_start: Any,
    rows: Any,
    columns: Any,
    depth: Any,
    more: Any,
) -> Any:
    """One tile of `out`: `rows` ≤ ROWS by `columns` ≤ VECTORS vectors, summed over `depth` ≥ 1,
    added to what is there if `more`.

    Starts are offsets of the first element used. `a` goes on by row_step and depth_step elements,
    so it may be transposed; b and `out` by their rows.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emitter = TileCode(context, builder, signature, arguments)
        full = builder.sdiv(
            builder.add(emitter.columns, I64(emitter.lanes - 1)), I64(emitter.lanes)
        )
        for vectors in range(1, VECTORS + 1):
            with builder.if_then(builder.icmp_signed("==", full, I64(vectors))):
                emitter.emit(vectors)
        return context.get_dummy_value()

    integer = types.int64
    return types.void(
        a,
        integer,
        integer,
        integer,
        b,
        integer,
        out,
        integer,
        integer,
        integer,
        integer,
        types.boolean,
    ), code
