"""Kernels: the compiled form of each record, all kernels of a kind with one signature. The loop
calls them by address: it is compiled once for all, and they where used. T: float32 or float64.

operation forward   (x, y, learned, state, constants, counter, training)
                    fills y from x; both (samples, units) of T
operation backward  (x, y, dy, dx, learned, gradient, state, constants, counter, peak, slopes)
                    fills dx from dy, and the gradient of `learned`
loss                (z, a, target, d, scale, weights, constants) -> Σ w ℓ of the samples
                    fills d with scale·w·dℓ/da, or scale·w·dℓ/dz where fused
optimizer update    (w, g, state, offset, stride, coefficients, sums)
                    steps w in place, adds up the statistics of w, g and the update
optimizer prepare   (step, rate, values, coefficients)
                    the coefficients of one step from the parameters and, behind them in `values`,
                    the running numbers it takes on

`learned` are an operation's own parameters, `state` its memory, `constants` its hyperparameters,
`counter` is for random numbers.
`peak` (units,) receives a number for each unit, 0 only where all its slopes on the batch were 0.
What stands where in `counter`, `slopes` and `sums` says `positions`.
These signatures are wide enough for row-wise, gated, learned and random operations; an elementwise
record is wrapped into them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import types
from numba.np.unsafe.ndarray import to_fixed_tuple

from dlprobe.dataclass import dataclass
from dlprobe.nn.activation_loops import (
    gated_loops,
    learned_loops,
    random_loops,
    row_loops,
    turned_loop,
    unused_backward,
)
from dlprobe.nn.cache import EXACT, SUMS, inlined, inlined_with_helpers
from dlprobe.nn.calling import kernel, whole_registers
from dlprobe.nn.positions import DEFINED, FLAT_ELEMENTS, SUM_SLOPE_SQUARED
from dlprobe.nn.shapes import Counters, Flag, Floats, Matrix, Number, Value, Vector
from dlprobe.nn.updates import CHUNK, update_loop
from dlprobe.nn.views import flat, part
from dlprobe.parts.activations import (
    Activation,
    GatedActivation,
    LearnedActivation,
    RandomActivation,
    RowActivation,
)
from dlprobe.parts.losses import REDUCTION, ElementwiseLoss, Loss, RowLoss
from dlprobe.parts.normalizations import Normalization
from dlprobe.parts.optimizers import Optimizer
from dlprobe.parts.weight_transforms import WeightTransform


@dataclass(frozen=True)
class Types:
    """Numba types of one precision, and the function types of the kernels."""

    scalar: Any

    @property
    def vector(self) -> Any:
        return types.Array(self.scalar, 1, "C", aligned=True)

    @property
    def matrix(self) -> Any:
        return types.Array(self.scalar, 2, "C", aligned=True)

    @property
    def forward(self) -> Any:
        v, m = self.vector, self.matrix
        return types.void(m, m, v, v, v, types.uint64[::1], types.boolean)

    @property
    def backward(self) -> Any:
        v, m = self.vector, self.matrix
        return types.void(m, m, m, m, v, v, v, v, types.uint64[::1], v, types.float64[::1])

    @property
    def loss(self) -> Any:
        v, m = self.vector, self.matrix
        return types.float64(m, m, m, m, self.scalar, v, v)

    @property
    def update(self) -> Any:
        v = self.vector
        return types.void(v, v, v, types.int64, types.int64, v, types.float64[::1])

    @property
    def prepare(self) -> Any:
        return types.void(types.float64, types.float64, types.float64[::1], self.vector)


PRECISIONS = {"float32": Types(types.float32), "float64": Types(types.float64)}


@dataclass(frozen=True)
class KernelOperation:
    """A compiled forward and backward pair and the constants it is called with."""

    forward: Any
    backward: Any
    constants: tuple[float, ...]


def constants_of(parameters: Any, *more: float) -> tuple[float, ...]:
    """The numbers of a Spec's parameters in the record's order, and what else the kernel takes."""
    return (*(float(value) for value in parameters.values()), *more)


def activation(spec: Any, dtype: str, joined: bool = False) -> KernelOperation:
    """Compile the activation of a Spec for one precision; `joined`: with the loss."""
    record, parameters = spec.record, tuple(spec.parameters.values())
    forward, backward = activation_operation(record, dtype, joined)
    if isinstance(record, LearnedActivation):
        return KernelOperation(forward, backward, (record.flat_below(*parameters),))
    more: tuple[float, ...] = (
        (record.flat_below(*parameters),) if isinstance(record, Activation) else ()
    )
    if isinstance(record, Activation) and record.other_slope is not None:
        more = (*more, record.other_slope(*parameters))
    return KernelOperation(forward, backward, constants_of(spec.parameters, *more))


def normalization(spec: Any, dtype: str) -> KernelOperation:
    """Compile the normalization, or the weight transform, of a Spec for one precision."""
    forward, backward = normalization_operation(spec.record, dtype)
    return KernelOperation(
        forward, backward, tuple(spec.record.constants(*spec.parameters.values()))
    )


def _record(kind: str, name: str) -> Any:
    from dlprobe import registry

    return registry.get(kind, name)


@cache
def activation_operation(record: Any, dtype: str, joined: bool) -> tuple[Any, Any]:
    """(forward, backward) of a record, compiled."""
    forward, backward = activation_loops(record)
    if joined and isinstance(record, RowActivation):
        backward = unused_backward
    precision, of = PRECISIONS[dtype], f"activation_{record.name}"
    return kernel(precision.forward, of=of)(forward), kernel(precision.backward, of=of)(backward)


def activation_loops(record: Any) -> tuple[Any, Any]:
    """The loops around a record's functions, by its kind."""
    count = len(record.parameters)
    if isinstance(record, RowActivation):
        value = inlined_with_helpers(record.row_value)
        forward, backward = row_loops(value, inlined_with_helpers(record.row_backward), count)
        if record.columns_value is not None:
            forward = turned_loop(value, inlined_with_helpers(record.columns_value), count)
        return forward, backward
    if isinstance(record, GatedActivation):
        return gated_loops(
            inlined_with_helpers(record.value), inlined_with_helpers(record.slopes), count
        )
    value, slope = inlined_with_helpers(record.value), inlined_with_helpers(record.slope)
    if isinstance(record, LearnedActivation):
        return learned_loops(value, slope, inlined_with_helpers(record.learned_slope))
    if isinstance(record, RandomActivation):
        return random_loops(value, slope)
    return elementwise_loops(value, slope, count, record.other_slope is not None)


def elementwise_loops(
    value: Callable[..., float], slope: Callable[..., float], count: int, stepped: bool
) -> tuple[Any, Any]:
    """(forward, backward) loops around an elementwise record with `count` parameters; the constants
    after them are the flat threshold and, if `stepped`, the other slope.

    They run over all elements of the block as if it were one row. Dead-unit detection alone scans
    rows, until every unit has shown a non-zero slope.
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
        whole_registers()
        p = to_fixed_tuple(constants, count)
        values, out = flat(x), flat(y)
        for j in range(len(values)):
            out[j] = value(values[j], *p)

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
        whole_registers()
        p = to_fixed_tuple(constants, count)
        threshold = constants[count]
        zero, one = peak.dtype.type(0), peak.dtype.type(1)
        squares = few = 0.0
        for start in range(0, x.size, CHUNK):
            end = min(start + CHUNK, x.size)
            row, out, d, e = (
                part(x, start, end),
                part(y, start, end),
                part(dy, start, end),
                part(dx, start, end),
            )
            of_chunk = few_of_chunk = zero
            for j in range(len(row)):
                s = slope(row[j], out[j], *p)
                e[j] = d[j] * s
                of_chunk += (one if s == one else zero) if stepped else s * s
                if not stepped:
                    few_of_chunk += one if abs(s) < threshold else zero
            squares += of_chunk
            few += few_of_chunk
        if stepped:
            other, steep, rest = constants[count + 1], squares, x.size - squares
            squares = steep + rest * other * other
            few = (steep if one < threshold else 0.0) + (rest if abs(other) < threshold else 0.0)
        note_slopes(slope, p, x, y, peak)
        slopes[SUM_SLOPE_SQUARED] = squares
        slopes[FLAT_ELEMENTS] = few
        slopes[DEFINED] = 1.0

    return forward, backward


@inlined(SUMS)
def note_slopes(slope: Any, p: tuple[Any, ...], x: Matrix, y: Matrix, peak: Vector) -> None:
    """peak (units,) ← 1, or 0 where a unit's slopes are 0 in all rows. Four rows at a time, and
    no more than it takes.
    """
    whole_registers()
    zero, one = peak.dtype.type(0), peak.dtype.type(1)
    for j in range(len(peak)):
        peak[j] = zero
    done, last, alive = 0, len(x) - 1, zero
    while done <= last and alive < len(peak):
        n1, n2, n3 = min(done + 1, last), min(done + 2, last), min(done + 3, last)
        x0, x1, x2, x3, y0, y1, y2, y3 = x[done], x[n1], x[n2], x[n3], y[done], y[n1], y[n2], y[n3]
        alive = zero
        for j in range(len(peak)):
            some = (slope(x0[j], y0[j], *p) != zero) | (slope(x1[j], y1[j], *p) != zero)
            more = (slope(x2[j], y2[j], *p) != zero) | (slope(x3[j], y3[j], *p) != zero)
            peak[j] = one if some | more | (peak[j] != zero) else zero
            alive += peak[j]
        done += 4


@cache
def normalization_operation(record: Normalization | WeightTransform, dtype: str) -> tuple[Any, Any]:
    precision = PRECISIONS[dtype]
    return kernel(precision.forward, of=record.name)(record.forward), kernel(
        precision.backward, of=record.name
    )(record.backward)


def loss(name: str, fused: bool, dtype: str) -> Any:
    """Compile a loss; `fused` takes its joint form with the output activation. Its constants
    are those of `loss_constants`.
    """
    return loss_of(_record("loss", name), fused, dtype)


@cache
def loss_of(record: Loss, fused: bool, dtype: str) -> Any:
    """Compile the loss of a record, as `loss` does by name."""
    count = sum(parameter is not REDUCTION for parameter in record.parameters)
    if fused and record.fused_row:
        loops = fused_loss_loop(inlined_with_helpers(record.fused_row), count)
    elif isinstance(record, RowLoss):
        loops = row_loss_loop(inlined_with_helpers(record.row), count)
    elif isinstance(record, ElementwiseLoss):
        loops = elementwise_loss_loop(
            inlined_with_helpers(record.value), inlined_with_helpers(record.slope), count
        )
    return kernel(PRECISIONS[dtype].loss, EXACT, of=f"loss_{record.name}")(loops)


def loss_constants(spec: Any, outputs: int) -> tuple[float, ...]:
    """The numbers of a loss's Spec, and what the sum over `outputs` is multiplied by."""
    return (*spec.record.numbers(spec.parameters), spec.record.share(spec.parameters, outputs))


def elementwise_loss_loop(
    value: Callable[..., float], slope: Callable[..., float], count: int
) -> Any:
    def batch_loss(
        z: Matrix,
        a: Matrix,
        target: Matrix,
        d: Matrix,
        scale: Value,
        weights: Vector,
        constants: Vector,
    ) -> Number:
        p = to_fixed_tuple(constants, count)
        total = 0.0
        for i in range(a.shape[0]):
            weight = weights[i] * constants[count]
            factor = scale * weight
            for j in range(a.shape[1]):
                total += np.float64(weight) * np.float64(value(a[i, j], target[i, j], *p))
                d[i, j] = factor * slope(a[i, j], target[i, j], *p)
        return total

    return batch_loss


def row_loss_loop(row: Callable[..., float], count: int) -> Any:
    def batch_loss(
        z: Matrix,
        a: Matrix,
        target: Matrix,
        d: Matrix,
        scale: Value,
        weights: Vector,
        constants: Vector,
    ) -> Number:
        p = to_fixed_tuple(constants, count)
        total = 0.0
        for i in range(a.shape[0]):
            weight = weights[i] * constants[count]
            total += np.float64(weight) * np.float64(row(a[i], target[i], d[i], *p))
            factor = scale * weight
            for j in range(d.shape[1]):
                d[i, j] *= factor
        return total

    return batch_loss


def fused_loss_loop(fused_row: Callable[..., float], count: int) -> Any:
    def batch_loss(
        z: Matrix,
        a: Matrix,
        target: Matrix,
        d: Matrix,
        scale: Value,
        weights: Vector,
        constants: Vector,
    ) -> Number:
        p = to_fixed_tuple(constants, count)
        total = 0.0
        for i in range(z.shape[0]):
            weight = weights[i] * constants[count]
            total += np.float64(weight) * np.float64(fused_row(z[i], a[i], target[i], d[i], *p))
            factor = scale * weight
            for j in range(d.shape[1]):
                d[i, j] *= factor
        return total

    return batch_loss


def optimizer(name: str, dtype: str) -> tuple[Any, Any]:
    """Compile an optimizer's (update, prepare)."""
    return optimizer_of(_record("optimizer", name), dtype)


@cache
def optimizer_of(record: Optimizer, dtype: str) -> tuple[Any, Any]:
    """Compile the optimizer of a record, as `optimizer` does by name."""
    step = inlined_with_helpers(record.update)
    count = record.update.__code__.co_argcount - 2 - record.states
    loop = update_loop(step, count, record.states)
    coefficients, running = inlined_with_helpers(record.coefficients), len(record.parameters)
    numbers = running + len(record.running)

    def prepare(step: Number, rate: Number, values: Floats, out: Vector) -> None:
        for k, c in enumerate(coefficients(step, rate, *to_fixed_tuple(values, numbers))):
            if k < count:
                out[k] = c
            else:
                values[running + k - count] = c

    precision, of = PRECISIONS[dtype], f"optimizer_{record.name}"
    return kernel(precision.update, of=of)(loop), kernel(precision.prepare, EXACT, of=of)(prepare)
