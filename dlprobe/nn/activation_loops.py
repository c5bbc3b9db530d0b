"""The loops around activation records that need more than a number: a row, a gate, a learned
number, a random one. Signatures as in `kernels`.

Each factory takes a record's functions, already made callable from compiled code, and returns
(forward, backward).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.np.unsafe.ndarray import to_fixed_tuple

from dlprobe.nn.cache import EXACT, inlined
from dlprobe.nn.positions import DEFINED, FLAT_ELEMENTS, SUM_SLOPE_SQUARED, TRAINING
from dlprobe.nn.random import SLOPES, operation_key, share
from dlprobe.nn.shapes import Counters, Flag, Floats, Matrix, Value, Vector
from dlprobe.nn.views import scratch, window

THRESHOLD = 0  # constants of a LearnedActivation
LOWER, UPPER, RANDOM_THRESHOLD = range(3)  # constants of a RandomActivation
SHARED = 0  # where the number is that all units share
NARROW, TURNED_ROWS = 16, 64  # units of rows that are turned into columns; rows at a time
columns_of_x, columns_of_y = scratch(NARROW * TURNED_ROWS), scratch(NARROW * TURNED_ROWS)
column_scratch = scratch(2 * TURNED_ROWS)


def row_loops(
    row_value: Callable[..., None], row_backward: Callable[..., None], count: int
) -> tuple[Any, Any]:
    """The loops around a row-wise record with `count` parameters."""

    def forward(
        x: Matrix,
        y: Matrix,
        learned: Vector,
        state: Vector,
        constants: Vector,
        counter: Counters,
        training: Flag,
    ) -> None:
        p = to_fixed_tuple(constants, count)
        for i in range(x.shape[0]):
            row_value(x[i], y[i], *p)

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
        p = to_fixed_tuple(constants, count)
        for i in range(x.shape[0]):
            row_backward(y[i], dy[i], dx[i], *p)
        slopes[DEFINED] = 0.0

    return forward, backward


def unused_backward(
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
    """Backward pass of an activation that the loss was joined with: dL/dz is known already, and a
    whole row has no slopes to tell of.
    """
    slopes[DEFINED] = 0.0


def turned_loop(
    row_value: Callable[..., None], columns_value: Callable[..., None], count: int
) -> Callable[..., None]:
    """The forward loop around a row-wise record that has a form for columns: narrow rows are turned
    into columns, so that each operation fills a vector with samples.
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
        p = to_fixed_tuple(constants, count)
        rows, units = x.shape
        if units > NARROW:
            for i in range(rows):
                row_value(x[i], y[i], *p)
            return
        for start in range(0, rows, TURNED_ROWS):
            n = min(TURNED_ROWS, rows - start)
            columns = window(columns_of_x(x), 0, units, n)
            results = window(columns_of_y(x), 0, units, n)
            for i in range(n):
                for j in range(units):
                    columns[j, i] = x[start + i, j]
            columns_value(columns, results, window(column_scratch(x), 0, 2, n), *p)
            for i in range(n):
                for j in range(units):
                    y[start + i, j] = results[j, i]

    return forward


def gated_loops(
    value: Callable[..., float], slopes_of: Callable[..., tuple[float, float]], count: int
) -> tuple[Any, Any]:
    """(forward, backward) of a GatedActivation with `count` parameters: x (samples, 2m), y
    (samples, m).
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
        p = to_fixed_tuple(constants, count)
        units = y.shape[1]
        for i in range(x.shape[0]):
            first, gate, out = x[i, :units], x[i, units:], y[i]
            for j in range(units):
                out[j] = value(first[j], gate[j], *p)

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
        p = to_fixed_tuple(constants, count)
        units = y.shape[1]
        for i in range(x.shape[0]):
            first, gate, d, d_first, d_gate = (
                x[i, :units],
                x[i, units:],
                dy[i],
                dx[i, :units],
                dx[i, units:],
            )
            for j in range(units):
                of_first, of_gate = slopes_of(first[j], gate[j], *p)
                d_first[j] = d[j] * of_first
                d_gate[j] = d[j] * of_gate
        slopes[DEFINED] = 0.0

    return forward, backward


def learned_loops(
    value: Callable[..., float], slope: Callable[..., float], learned_slope: Callable[..., float]
) -> tuple[Any, Any]:
    """(forward, backward) of a LearnedActivation: one number per unit, or one in all; the constant
    is the flat threshold.

    `state` (2·units,) is scratch: the numbers spread over the units, so that one loop serves both,
    and their gradients before they are collected.
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
        units = x.shape[1]
        numbers = state[:units]
        spread(learned, numbers)
        for i in range(x.shape[0]):
            row, out = x[i], y[i]
            for j in range(units):
                out[j] = value(row[j], numbers[j])

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
        units = x.shape[1]
        numbers, sums = state[:units], state[units : 2 * units]
        spread(learned, numbers)
        zero, one = peak.dtype.type(0), peak.dtype.type(1)
        threshold = constants[THRESHOLD]
        squares = flat = 0.0
        for j in range(units):
            peak[j] = sums[j] = zero
        for i in range(x.shape[0]):
            row, out, d, e = x[i], y[i], dy[i], dx[i]
            of_row = flat_of_row = zero
            for j in range(units):
                s = slope(row[j], out[j], numbers[j])
                size = abs(s)
                e[j] = d[j] * s
                sums[j] += d[j] * learned_slope(row[j], numbers[j])
                peak[j] = size if size > peak[j] else peak[j]
                of_row += s * s
                flat_of_row += one if size < threshold else zero
            squares += of_row
            flat += flat_of_row
        collect(sums, gradient)
        slopes[SUM_SLOPE_SQUARED] = squares
        slopes[FLAT_ELEMENTS] = flat
        slopes[DEFINED] = 1.0

    return forward, backward


@inlined(EXACT)
def spread(learned: Vector, numbers: Vector) -> None:
    """The learned number of every unit, one of each or the same for all."""
    shared = len(learned) == 1
    for j in range(len(numbers)):
        numbers[j] = learned[SHARED if shared else j]


@inlined(EXACT)
def collect(sums: Vector, gradient: Vector) -> None:
    """The gradient from each unit's sum: the same, or their total where the number is shared."""
    if len(gradient) == 1:
        gradient[SHARED] = sums[SHARED]
        for j in range(1, len(sums)):
            gradient[SHARED] += sums[j]
        return
    for j in range(len(sums)):
        gradient[j] = sums[j]


def random_loops(value: Callable[..., float], slope: Callable[..., float]) -> tuple[Any, Any]:
    """(forward, backward) of a RandomActivation: constants are lower, upper and the flat threshold.
    The backward pass draws the same numbers again.
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
        lower, width, fixed = interval(constants, counter)
        key = operation_key(counter, SLOPES)
        units = x.shape[1]
        for i in range(x.shape[0]):
            row, out = x[i], y[i]
            for j in range(units):
                s = lower + width * (fixed if fixed > 0 else share(row[j], key, i * units + j))
                out[j] = value(row[j], s)

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
        lower, width, fixed = interval(constants, counter)
        key = operation_key(counter, SLOPES)
        units = x.shape[1]
        threshold = constants[RANDOM_THRESHOLD]
        zero, one = peak.dtype.type(0), peak.dtype.type(1)
        squares = flat = 0.0
        for j in range(units):
            peak[j] = zero
        for i in range(x.shape[0]):
            row, out, d, e = x[i], y[i], dy[i], dx[i]
            of_row = flat_of_row = zero
            for j in range(units):
                s = slope(
                    row[j],
                    out[j],
                    lower + width * (fixed if fixed > 0 else share(row[j], key, i * units + j)),
                )
                size = abs(s)
                e[j] = d[j] * s
                peak[j] = size if size > peak[j] else peak[j]
                of_row += s * s
                flat_of_row += one if size < threshold else zero
            squares += of_row
            flat += flat_of_row
        slopes[SUM_SLOPE_SQUARED] = squares
        slopes[FLAT_ELEMENTS] = flat
        slopes[DEFINED] = 1.0

    return forward, backward


@inlined(EXACT)
def interval(constants: Vector, counter: Counters) -> tuple[Value, Value, Value]:
    """(lower, upper − lower, share of it): the share is ½ in evaluation, and 0, which stands
    for a draw, in training.
    """
    kind = constants.dtype.type
    return (
        constants[LOWER],
        constants[UPPER] - constants[LOWER],
        kind(0) if counter[TRAINING] == np.uint64(1) else kind(0.5),
    )
