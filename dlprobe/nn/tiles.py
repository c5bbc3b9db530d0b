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
(DEPTH rows of 3 vectors, 24 kB) stays in the first-level cache while all rows of `a` pass by.

Every number of `out` is one chain of fused multiply-adds along the depth. How the arrays are
aligned, where its tile lies, and what other rows and columns there are change no bit of it; NaN and
infinity come through as in a plain loop.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import codegen, config
from numba.extending import intrinsic

from dlprobe.nn.cache import EXACT, inlined
from dlprobe.nn.shapes import Flag, Index, Matrix
from dlprobe.nn.views import scratch, window


def vector_bytes() -> int:
    """Size of the vector registers numba compiles for here; 0 where they are too few or there
    is no fused multiply-add.
    """
    found = (
        config.CPU_FEATURES if config.CPU_FEATURES is not None else codegen.get_host_cpu_features()
    )
    features = set(found.split(","))
    return 64 if "+avx512f" in features else 32 if {"+avx2", "+fma"} <= features else 0


VECTOR_BYTES = vector_bytes()
AVAILABLE = VECTOR_BYTES > 0
ROWS = 8 if VECTOR_BYTES == 64 else 4
VECTORS = 3
DEPTH = 128
# With so many rows of `out` it pays to copy b side by side first. As a share of MKL's time in the
# same run, without and with the copy: 1.08 and 0.98 for xᵀ @ d with 784 rows, 1.00 and 0.97 for 128
# rows, 0.98 and 1.31 for 32 rows.
COPY_ROWS = 128
TURN = 8
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
    copied = b_transposed or end_row - first_row >= COPY_ROWS
    panel = window(panel_memory(out), 0, DEPTH, VECTORS * lanes) if copied else b
    for k in range(0, whole_depth, DEPTH):
        depth = min(DEPTH, whole_depth - k)
        j = first_column
        while j < end_column:
            columns = min(end_column - j, VECTORS * lanes)
            # 4 vectors are left: 2 + 2 rather than 3 + 1, which has too few independent sums to
            # keep the units busy
            if columns < end_column - j <= columns + lanes:
                columns = 2 * lanes
            if b_transposed:
                turn_panel(b, j, k, panel, depth, columns)
            elif copied:
                copy_panel(b, k, j, panel, depth, columns)
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


@inlined(EXACT)
def copy_panel(
    source: Matrix,
    first_row: Index,
    first_column: Index,
    panel: Matrix,
    rows: Index,
    columns: Index,
) -> None:
    """panel (r, c) = source[first_row:, first_column:]."""
    for i in range(rows):
        row, target = source[first_row + i, first_column : first_column + columns], panel[i]
        for j in range(columns):
            target[j] = row[j]


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
    for i in range(0, rows, TURN):
        i = min(i, rows - TURN)
        for j in range(0, columns, TURN):
            j = min(j, columns - TURN)
            turn_block(
                source,
                panel,
                (first_row + j) * source.shape[1] + first_column + i,
                i * panel.shape[1] + j,
            )


I32, I64 = ir.IntType(32), ir.IntType(64)


def _vector(kind: Any, values: Any) -> Any:
    return ir.Constant(ir.VectorType(kind, len(values)), list(values))


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
        last = self.builder.sub(rows, I64(1))
        numbers = [
            self.builder.select(self.builder.icmp_signed("<", I64(r), last), I64(r), last)
            for r in range(ROWS)
        ]
        return [self.builder.gep(first, [self.builder.mul(number, step)]) for number in numbers]

    def mask(self, vectors: int) -> Any:
        """Which lanes of the last vector are columns that exist."""
        existing = self.builder.sub(self.columns, I64((vectors - 1) * self.lanes))
        return self.builder.icmp_signed(
            "<",
            _vector(I32, range(self.lanes)),
            self.spread(self.builder.trunc(existing, I32), I32),
        )

    def spread(self, number: Any, kind: Any) -> Any:
        """A vector with `number` in every lane."""
        empty = ir.Constant(ir.VectorType(kind, self.lanes), ir.Undefined)
        one = self.builder.insert_element(empty, number, I32(0))
        return self.builder.shuffle_vector(one, empty, _vector(I32, [0] * self.lanes))

    def intrinsic(self, name: str, result: Any, arguments: list[Any]) -> Any:
        kinds = [argument.type for argument in arguments]
        function = self.builder.module.declare_intrinsic(name, fnty=ir.FunctionType(result, kinds))
        return self.builder.call(function, arguments)

    def pointers(self, row: Any, vectors: int) -> list[Any]:
        return [
            self.builder.bitcast(
                self.builder.gep(row, [I64(q * self.lanes)]), self.vector.as_pointer()
            )
            for q in range(vectors)
        ]

    def load(self, row: Any, vectors: int, mask: Any) -> list[Any]:
        """The numbers of a row from its pointer on; lanes outside the mask are not touched in
        memory and are 0.
        """
        *whole, last = self.pointers(row, vectors)
        loaded = [self.builder.load(pointer, align=self.size) for pointer in whole]
        arguments = [last, I32(self.size), mask, ir.Constant(self.vector, None)]
        return [*loaded, self.intrinsic(f"llvm.masked.load.{self.name}.p0", self.vector, arguments)]

    def store(self, values: list[Any], row: Any, mask: Any) -> None:
        *whole, last = self.pointers(row, len(values))
        for value, pointer in zip(values, whole, strict=False):
            self.builder.store(value, pointer, align=self.size)
        self.intrinsic(
            f"llvm.masked.store.{self.name}.p0",
            ir.VoidType(),
            [values[-1], last, I32(self.size), mask],
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
        for r, row in enumerate(self.out_rows):
            self.store(new[r], row, mask)

    def row_of_b(self, row: Any, vectors: int, mask: Any) -> list[Any]:
        return self.load(row, vectors, mask)

    def add_row(self, row: Any, at: Any, b_row: list[Any], sums: list[Any]) -> list[Any]:
        """One number of `a` times the row of b, added to the sums of its row of `out`."""
        number = self.spread(self.builder.load(self.builder.gep(row, [at])), self.vector.element)
        return [
            self.intrinsic(f"llvm.fma.{self.name}", self.vector, [number, b, total])
            for b, total in zip(b_row, sums, strict=True)
        ]


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
            return builder.shuffle_vector(a, b, _vector(I32, order))

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
