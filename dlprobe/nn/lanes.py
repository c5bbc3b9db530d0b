"""The passes of a fleet that cannot take many nets for one wide net: gathering, the three products,
operations and losses of a sample's whole row.

Everything that is one number of every net lies side by side, one net per lane of a vector register:
number j of net l stands at j·lanes + l. Whatever works number by number or unit by unit (bias, most
activations, batch norm, the optimizer, penalties) therefore runs as it is; only what joins
different units of a net has to know how the numbers lie. A product multiplies lane by lane, so
small nets fill the registers that their own few units could not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numba.np.unsafe.ndarray import to_fixed_tuple

from dlprobe.nn import observe
from dlprobe.nn import program as p
from dlprobe.nn.activation_loops import unused_backward
from dlprobe.nn.cache import EXACT, inlined, inlined_with_helpers
from dlprobe.nn.calling import kernel, whole_registers
from dlprobe.nn.kernels import PRECISIONS
from dlprobe.nn.model import Net, Work
from dlprobe.nn.positions import DEFINED
from dlprobe.nn.scalar import is_finite
from dlprobe.nn.shapes import Counters, Flag, Floats, Index, Matrix, Number, Value, Vector
from dlprobe.nn.tiles import DEPTH, ROWS, VECTORS, TileCode
from dlprobe.nn.vectors import I64, VECTOR_BYTES
from dlprobe.nn.views import scratch, window

MOST_LANES = 16
activation_memory, loss_memory = scratch(2 * MOST_LANES), scratch(4 * MOST_LANES)


class LaneTileCode(TileCode):
    """Emits a tile in which each lane multiplies numbers of its own net: a vector of `a` where
    one number was spread over all lanes.
    """

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        *others, depth_step, self.b_vector_step = arguments
        super().__init__(context, builder, signature, others)
        self.b_step = depth_step

    def mask(self, vectors: int) -> None:
        """None: every vector is whole."""

    def row_of_b(self, row: Any, vectors: int, mask: Any) -> list[Any]:
        starts = [
            self.builder.gep(row, [self.builder.mul(I64(q), self.b_vector_step)])
            for q in range(vectors)
        ]
        return [
            self.builder.load(
                self.builder.bitcast(start, self.vector.as_pointer()), align=self.size
            )
            for start in starts
        ]

    def add_row(self, row: Any, at: Any, b_row: list[Any], sums: list[Any]) -> list[Any]:
        pointer = self.builder.bitcast(self.builder.gep(row, [at]), self.vector.as_pointer())
        numbers = self.builder.load(pointer, align=self.size)
        return self.multiplied_and_added(numbers, b_row, sums)


@intrinsic
def lane_tile(
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
    b_depth_step: Any,
    b_vector_step: Any,
) -> Any:
    """`tile` of `tiles` lane by lane; b goes on by two steps of its own, so it may be
    transposed. Starts and steps are multiples of the number of lanes.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emitter = LaneTileCode(context, builder, signature, arguments)
        full = builder.sdiv(emitter.columns, I64(emitter.lanes))
        for vectors in range(1, VECTORS + 1):
            with builder.if_then(builder.icmp_signed("==", full, I64(vectors))):
                emitter.emit(vectors)
        return context.get_dummy_value()

    integer = types.int64
    a_kinds, b_kinds, out_kinds = (a, integer, integer, integer), (b, integer), (out, integer)
    return types.void(
        *a_kinds, *b_kinds, *out_kinds, integer, integer, integer, types.boolean, integer, integer
    ), code


@inlined(EXACT)
def multiply(
    a: Matrix,
    row_step: Index,
    depth_step: Index,
    b: Matrix,
    b_depth_step: Index,
    b_vector_step: Index,
    whole_depth: Index,
    out: Matrix,
) -> None:
    """out (m, n·lanes) = a b of each net; `a` and b go on by their steps. Tile by tile as
    `multiply` of `tiles`, but nothing is copied first.
    """
    m, n = out.shape
    lanes = VECTOR_BYTES // out.itemsize
    for k in range(0, whole_depth, DEPTH):
        depth = min(DEPTH, whole_depth - k)
        j = 0
        while j < n:
            columns = min(n - j, VECTORS * lanes)
            if n - j == columns + lanes:  # 2 + 2 vectors rather than 3 + 1
                columns = 2 * lanes
            b_start = k * b_depth_step + j // lanes * b_vector_step
            for i in range(0, m, ROWS):
                at = i * row_step + k * depth_step
                lane_tile(
                    a,
                    at,
                    row_step,
                    depth_step,
                    b,
                    b_start,
                    out,
                    i * n + j,
                    min(ROWS, m - i),
                    columns,
                    depth,
                    k > 0,
                    b_depth_step,
                    b_vector_step,
                )
            j += columns


def product(x: Matrix, w: Matrix, out: Matrix) -> None:
    """out (m, n) = x (m, k) @ w (k, n) of each net."""
    lanes = VECTOR_BYTES // out.itemsize
    multiply(x, x.shape[1], lanes, w, w.shape[1], lanes, len(w), out)


def product_with_transposed(d: Matrix, w: Matrix, out: Matrix) -> None:
    """out (m, k) = d (m, n) @ w (k, n)ᵀ of each net."""
    lanes = VECTOR_BYTES // out.itemsize
    multiply(d, d.shape[1], lanes, w, lanes, w.shape[1], d.shape[1] // lanes, out)


def transposed_product(x: Matrix, d: Matrix, out: Matrix) -> None:
    """out (k, n) = x (m, k)ᵀ @ d (m, n) of each net."""
    lanes = VECTOR_BYTES // out.itemsize
    multiply(x, lanes, x.shape[1], d, d.shape[1], lanes, len(d), out)


def gather(net: Net, work: Work, start: Index, rows: Index, counter: Counters) -> None:
    """The batch of every net, each in an order of its own; work.inputs (samples,
    features·lanes), work.targets (samples, outputs·lanes).
    """
    lanes, samples = len(work.seeds), len(work.inputs)
    features, outputs = work.inputs.shape[1], work.targets.shape[1]
    x = window(net.blocks, net.layers[0, p.SOURCE], rows, features)
    targets = window(net.targets, 0, rows, outputs)
    for i in range(rows):
        row, wanted = x[i], targets[i]
        square = 0.0
        for lane in range(lanes):
            sample = work.order[lane * samples + start + i]
            source, label = work.inputs[sample], work.targets[sample]
            for j in range(lane, features, lanes):
                row[j] = source[j]
                square += np.float64(source[j]) * np.float64(source[j])
            for j in range(lane, outputs, lanes):
                wanted[j] = label[j]
        net.input_square[i] = square
        net.row_weight[i] = net.row_weight.dtype.type(1)


# Statistics of all nets together would say nothing, so these passes leave of them what tells that a
# number was lost.


def add_bias(z: Matrix, bias: Vector, statistics: Vector) -> None:
    """z (rows, units) += bias (units,); records whether all of it is finite."""
    whole_registers()
    found = z.dtype.type(0)
    for i in range(len(z)):
        row = z[i]
        for j in range(len(bias)):
            value = row[j] + bias[j]
            row[j] = value
            found += value * z.dtype.type(0)  # NaN from NaN and infinity
    statistics[observe.NONFINITE_FORWARD] = 0 if is_finite(found) else 1


def observe_activation(
    a: Matrix, row_square: Floats, narrow: Vector, wide: Floats, statistics: Vector
) -> None:
    """Nothing: a number lost here is met by the next layer's add_bias, or by the loss."""


def observe_error(d: Matrix, bias_gradient: Vector, row_square: Floats, statistics: Vector) -> None:
    """Sums d = dL/dz (rows, units) over samples into bias_gradient (units,)."""
    observe.sum_samples(d, bias_gradient, row_square)
    total = 0.0
    for i in range(len(d)):
        total += row_square[i]
        row_square[i] = 0.0  # nothing is to be counted where nothing came
    statistics[observe.NONFINITE_BACKWARD] = 0 if is_finite(total) else observe.count_nonfinite(d)


def row_loops(
    row_value: Callable[..., None], row_backward: Callable[..., None], count: int
) -> tuple[Any, Any]:
    """The loops around a row-wise record with `count` parameters; the constant after them is
    the number of lanes.
    """

    def forward(
        x: Matrix,
        y: Matrix,
        learned: Vector,
        state: Vector,
        constants: Vector,
        counter: Counters,
        training: Flag,
    ) -> None:
        parameters, lanes = to_fixed_tuple(constants, count), int(constants[count])
        for i in range(x.shape[0]):
            for lane in range(lanes):
                row_value(x[i, lane::lanes], y[i, lane::lanes], *parameters)

    def backward(
        x: Matrix,
        y: Matrix,
        dy: Matrix,
        dx: Matrix,
        learned: Vector,
        gradient: Vector,
        state: Vector,
        constants: Vector,
        counter: Counters,
        peak: Vector,
        slopes: Floats,
    ) -> None:
        parameters, lanes = to_fixed_tuple(constants, count), int(constants[count])
        for i in range(x.shape[0]):
            for lane in range(lanes):
                row_backward(y[i, lane::lanes], dy[i, lane::lanes], dx[i, lane::lanes], *parameters)
        slopes[DEFINED] = 0.0

    return forward, backward


def columns_loop(columns_value: Callable[..., None], count: int) -> Any:
    """The forward loop around a record that takes the rows of all nets at once."""

    def forward(
        x: Matrix,
        y: Matrix,
        learned: Vector,
        state: Vector,
        constants: Vector,
        counter: Counters,
        training: Flag,
    ) -> None:
        parameters, lanes = to_fixed_tuple(constants, count), int(constants[count])
        units, memory = x.shape[1] // lanes, window(activation_memory(x), 0, 2, lanes)
        for i in range(x.shape[0]):
            columns_value(
                window(x[i], 0, units, lanes), window(y[i], 0, units, lanes), memory, *parameters
            )

    return forward


@cache
def row_operation(record: Any, joined: bool, dtype: str) -> tuple[Any, Any]:
    """(forward, backward) of a row-wise activation, compiled; `joined`: with the loss."""
    precision, count = PRECISIONS[dtype], len(record.parameters)
    forward, backward = row_loops(
        inlined_with_helpers(record.row_value), inlined_with_helpers(record.row_backward), count
    )
    if record.columns_value is not None:
        forward = columns_loop(inlined_with_helpers(record.columns_value), count)
    of = f"activation_{record.name}"
    return kernel(precision.forward, of=of)(forward), kernel(precision.backward, of=of)(
        unused_backward if joined else backward
    )


def columns_loss_loop(columns: Callable[..., float], count: int) -> Any:
    """The loop around a joined loss that takes the samples of all nets at once; constants as
    for `loss_loop`.
    """

    def batch_loss(
        z: Matrix,
        a: Matrix,
        target: Matrix,
        d: Matrix,
        scale: Value,
        weights: Vector,
        constants: Vector,
    ) -> Number:
        numbers, lanes = to_fixed_tuple(constants, count), int(constants[count + 1])
        outputs, memory = a.shape[1] // lanes, window(loss_memory(a), 0, 4, lanes)
        factor, total = scale * constants[count], 0.0
        for i in range(a.shape[0]):
            of_z, of_a = window(z[i], 0, outputs, lanes), window(a[i], 0, outputs, lanes)
            wanted, of_d = window(target[i], 0, outputs, lanes), window(d[i], 0, outputs, lanes)
            total += np.float64(constants[count]) * np.float64(
                columns(of_z, of_a, wanted, of_d, memory, *numbers)
            )
            for j in range(d.shape[1]):
                d[i, j] *= factor
        return total

    return batch_loss


def loss_loop(row: Callable[..., float], count: int, joined: bool) -> Any:
    """The loop around a row-wise loss, `joined` with the output activation or not; constants
    are `count` numbers, the mean's share and the lanes.
    """

    def batch_loss(
        z: Matrix,
        a: Matrix,
        target: Matrix,
        d: Matrix,
        scale: Value,
        weights: Vector,
        constants: Vector,
    ) -> Number:
        numbers, lanes = to_fixed_tuple(constants, count), int(constants[count + 1])
        total = 0.0
        factor = scale * constants[count]
        for i in range(a.shape[0]):
            for lane in range(lanes):
                of_a, wanted, of_d = a[i, lane::lanes], target[i, lane::lanes], d[i, lane::lanes]
                if joined:
                    total += np.float64(constants[count]) * np.float64(
                        row(z[i, lane::lanes], of_a, wanted, of_d, *numbers)
                    )
                else:
                    total += np.float64(constants[count]) * np.float64(
                        row(of_a, wanted, of_d, *numbers)
                    )
            for j in range(d.shape[1]):
                d[i, j] *= factor
        return total

    return batch_loss


@cache
def loss(record: Any, joined: bool, count: int, dtype: str) -> Any:
    """A row-wise loss, compiled."""
    if joined and record.fused_columns is not None:
        loop = columns_loss_loop(inlined_with_helpers(record.fused_columns), count)
    else:
        loop = loss_loop(
            inlined_with_helpers(record.fused_row if joined else record.row), count, joined
        )
    return kernel(PRECISIONS[dtype].loss, EXACT, of=f"loss_{record.name}")(loop)
