"""Compiled sums over what layers gave in a step: every number is read once or twice, widened to
float64 and summed there, so nothing under- or overflows and little cancels.

One call serves all layers, for a call from Python costs as much as the sums of a small layer: a row
of a table says where each layer's arrays are, 0 for one that is not there. Each layer fills its row
of `values`: the statistics in the order of their records, then OTHERS. T is the type of all arrays
of numbers, float32 or float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import from_dtype, types
from numba.extending import intrinsic

from dlprobe.nn.cache import SUMS, compiled, inlined
from dlprobe.nn.calling import whole_registers
from dlprobe.nn.observe import (
    ACTIVATION_MEAN,
    ACTIVATION_SAMPLE_VARIANCE,
    ACTIVATION_VARIANCE,
    ACTIVE_FRACTION,
    BIAS_RMS,
    DEAD_FRACTION,
    ERROR_SIGNAL_RMS,
    FLAT_FRACTION,
    GRADIENT_SAMPLE_RMS,
    NONFINITE_BACKWARD,
    NONFINITE_FORWARD,
    PREACTIVATION_MEAN,
    PREACTIVATION_MEAN_SQUARE,
    PREACTIVATION_VARIANCE,
    SLOPE_MEAN_SQUARE,
    STATISTICS,
    UNDERFLOW_COUNT,
    count_nonfinite,
    finish_gradient,
    finish_weights,
    root_mean_square,
)
from dlprobe.nn.positions import MAX_ABS_W, SUM_CHANGE_SQUARED, SUM_W_SQUARED, ZERO_WEIGHTS
from dlprobe.nn.records import taking_records
from dlprobe.nn.scalar import from_bits, is_finite, size_bits
from dlprobe.nn.shapes import (
    Flag,
    Floats,
    FloatTable,
    Index,
    IntegerTable,
    Matrix,
    Number,
    Value,
    Vector,
    signature_of,
)
from dlprobe.nn.views import view

OTHERS = len(STATISTICS)  # Σ g² of the layer's bias, or of parameters that are no layer's
COLUMNS = OTHERS + 1
# columns of the tables, int64: the row of `values`, addresses of arrays, and their sizes. Σ x² of
# each row of the input, Σ a² of each row, scratch and woken (units,) are float64; FOLLOWING is
# dL/dz of the layer that gave RETURNED, (rows, FOLLOWING_UNITS).
(PLACE, ROWS, UNITS, FOLLOWING_UNITS, Z, A, SLOPES_GIVEN, SIGNAL, RETURNED, FOLLOWING) = range(10)
INPUT_SQUARE, ROW_SQUARE, SCRATCH, WOKEN, CALL_COLUMNS = range(10, 15)
(GRADIENT, WEIGHT, COPY, SIZE, BIAS, BIAS_GRADIENT, BIAS_SIZE, PARAMETER_COLUMNS) = range(1, 9)
# `settings`, float64. FLOOR: a is max(given, FLOOR), 0 of a ReLU and −∞ of others. SLOPES: where
# slopes come from. CONSTANT, LINEAR, SQUARE: coefficients of a slope that is a polynomial of a.
# TINY: the smallest normal number of dL/da's type. FACTOR: what makes dL/dz of a sample's own loss;
# SAMPLE_SIZE: samples × size of W.
(FLOOR, SLOPES, CONSTANT, LINEAR, SQUARE, FLAT_BELOW, TINY, FACTOR, SAMPLE_SIZE, SETTINGS) = range(
    10
)
# Nowhere; where a > 0; a polynomial of a; in an array of their own.
NO_SLOPES, OF_RELU, OF_A, GIVEN = range(4)


@intrinsic
def block_at(typing: Any, like: Any, address: Any, rows: Any, width: Any) -> Any:
    """The row-major (rows, width) array of the type of `like` at an address."""
    kind, integer = types.Array(like.dtype, 2, "C", aligned=True), types.int64

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = context.get_data_type(like.dtype).as_pointer()
        return view(context, builder, kind, builder.inttoptr(values[1], pointer), list(values[2:]))

    return kind(like, integer, integer, integer), codegen


@intrinsic
def vector_at(typing: Any, like: Any, address: Any, length: Any) -> Any:
    """The (length,) array of the type of `like` at an address."""
    kind, integer = types.Array(like.dtype, 1, "C", aligned=True), types.int64

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = context.get_data_type(like.dtype).as_pointer()
        return view(context, builder, kind, builder.inttoptr(values[1], pointer), [values[2]])

    return kind(like, integer, integer), codegen


def observe_gradients(table: IntegerTable, values: FloatTable, like: Vector) -> None:
    """Statistics of dL/dW, of b and dL/db; W is copied. Rows of `values` may be of several."""
    whole_registers()
    for i in range(len(table)):
        values[table[i, PLACE], OTHERS] = 0.0
    for i in range(len(table)):
        words = table[i]
        row, size, length = values[words[PLACE]], words[SIZE], words[BIAS_SIZE]
        if words[GRADIENT]:
            observe_gradient(vector_at(like, words[GRADIENT], size), row)
        if words[WEIGHT]:
            copy(vector_at(like, words[WEIGHT], size), vector_at(like, words[COPY], size))
        if words[BIAS]:
            row[BIAS_RMS] = root_mean_square(vector_at(like, words[BIAS], length))
        if words[BIAS_GRADIENT]:
            row[OTHERS] += sum_of_squares(vector_at(like, words[BIAS_GRADIENT], length))


def observe_updates(table: IntegerTable, sums: Floats, values: FloatTable, like: Vector) -> None:
    """Statistics of W before the update, its copy, and of the update; sums: scratch."""
    whole_registers()
    for i in range(len(table)):
        words = table[i]
        size = words[SIZE]
        observe_weights(
            vector_at(like, words[COPY], size),
            vector_at(like, words[WEIGHT], size),
            sums,
            values[words[PLACE]],
        )


def observe_calls(
    table: IntegerTable, settings: FloatTable, values: FloatTable, like: Vector
) -> None:
    """Forward and backward statistics of layers; rows are samples × positions.

    A: (rows, units), what the activation gave, or of a ReLU its argument. Fills each layer's
    ROW_SQUARE with Σ a² of its rows, which may be another's INPUT_SQUARE, and WOKEN with the larger
    of what it holds and a size that is 0 only where all slopes of the unit are.
    """
    whole_registers()
    for i in range(len(table)):
        words, setting = table[i], settings[i]
        row, rows, units = values[words[PLACE]], words[ROWS], words[UNITS]
        observe_preactivation(block_at(like, words[Z], rows, units), row)
        if words[A]:
            a = block_at(like, words[A], rows, units)
            columns = vector_at(setting, words[SCRATCH], units)
            row_square = vector_at(setting, words[ROW_SQUARE], rows)
            observe_activation(a, setting, columns, row_square, row)
            if setting[SLOPES] != NO_SLOPES:
                given = words[SLOPES_GIVEN] if words[SLOPES_GIVEN] else words[A]
                slopes = block_at(like, given, rows, units)
                woken = vector_at(setting, words[WOKEN], units)
                observe_slopes(slopes, setting, columns, woken, row)
        if words[SIGNAL]:
            known = rows if words[INPUT_SQUARE] else 0
            input_square = vector_at(setting, words[INPUT_SQUARE], known)
            signal = block_at(like, words[SIGNAL], rows, units)
            observe_signal(signal, input_square, setting, row)
        if words[RETURNED]:
            returned = block_at(like, words[RETURNED], rows, units)
            following = block_at(like, words[FOLLOWING], rows, words[FOLLOWING_UNITS])
            row[UNDERFLOW_COUNT] = count_lost(returned, following, setting[TINY])


@inlined(SUMS)
def observe_gradient(g: Vector, row: Floats) -> None:
    total = absolute = square = 0.0
    for i in range(len(g)):
        value = np.float64(g[i])
        total += value
        absolute += abs(value)
        square += value * value
    finish_gradient(g, total, absolute, square, row)
    row[NONFINITE_BACKWARD] = 0.0 if is_finite(square) else count_in_vector(g)


@inlined(SUMS)
def copy(values: Vector, out: Vector) -> None:
    for i in range(len(values)):
        out[i] = values[i]


@inlined(SUMS)
def observe_weights(before: Vector, after: Vector, sums: Floats, row: Floats) -> None:
    square = moved = 0.0
    largest = size_bits(before.dtype.type(0))
    zeros = 0
    for i in range(len(before)):
        value = np.float64(before[i])
        change = np.float64(after[i]) - value
        square += value * value
        moved += change * change
        largest = max(largest, size_bits(before[i]))
        zeros += 1 if before[i] == 0 else 0
    sums[SUM_W_SQUARED], sums[MAX_ABS_W] = square, np.float64(from_bits(largest))
    sums[ZERO_WEIGHTS], sums[SUM_CHANGE_SQUARED] = zeros, moved
    finish_weights(sums, len(before), row)


@inlined(SUMS)
def observe_preactivation(z: Matrix, row: Floats) -> None:
    total, square = sums_of(z)
    mean = total / z.size
    row[PREACTIVATION_MEAN] = mean
    row[PREACTIVATION_VARIANCE] = spread_around(z, mean) / z.size if len(z) > 1 else np.nan
    row[PREACTIVATION_MEAN_SQUARE] = square / z.size
    row[NONFINITE_FORWARD] = 0.0 if is_finite(square) else count_nonfinite(z)


@inlined(SUMS)
def observe_activation(
    a: Matrix, settings: Floats, columns: Floats, row_square: Floats, row: Floats
) -> None:
    """Leaves each unit's mean in `columns`."""
    rows, units = a.shape
    floor, size = settings[FLOOR], a.size
    active = square = 0.0
    for j in range(units):
        columns[j] = 0.0
    for i in range(rows):
        numbers = a[i]
        own = 0.0
        for j in range(units):
            value = at_least(numbers[j], floor)
            columns[j] += value
            own += value * value
            active += 1.0 if value > 0.0 else 0.0
        row_square[i] = own
        square += own
    mean = 0.0
    for j in range(units):
        columns[j] /= rows
        mean += columns[j]
    mean /= units
    between = within = 0.0
    for j in range(units):
        deviation = columns[j] - mean
        between += deviation * deviation
    for i in range(rows):
        numbers = a[i]
        for j in range(units):
            deviation = at_least(numbers[j], floor) - columns[j]
            within += deviation * deviation
    row[ACTIVATION_MEAN] = mean
    row[ACTIVATION_VARIANCE] = within / size + between / units if rows > 1 else np.nan
    row[ACTIVATION_SAMPLE_VARIANCE] = within / size if rows > 1 else np.nan
    row[ACTIVE_FRACTION] = active / size
    if not is_finite(square):
        row[NONFINITE_FORWARD] += count_nonfinite(a)


@inlined(SUMS)
def observe_slopes(
    values: Matrix, settings: Floats, columns: Floats, woken: Floats, row: Floats
) -> None:
    """From slopes, or from the a that they are a polynomial of; of a ReLU from what
    `observe_activation` found.
    """
    kind, size, units = settings[SLOPES], values.size, values.shape[1]
    if kind == OF_RELU:
        row[SLOPE_MEAN_SQUARE] = row[ACTIVE_FRACTION]
        row[FLAT_FRACTION] = 1.0 - row[ACTIVE_FRACTION]
    else:
        square = flat = 0.0
        constant, linear, factor = settings[CONSTANT], settings[LINEAR], settings[SQUARE]
        # of a slope's own precision: a leaky ReLU's .01 is 1 % of 1
        bound = np.float64(values.dtype.type(settings[FLAT_BELOW]))
        given = kind == GIVEN
        for j in range(units):
            columns[j] = 0.0
        for i in range(len(values)):
            numbers = values[i]
            for j in range(units):
                value = np.float64(numbers[j])
                slope = abs(value if given else constant + value * (linear + factor * value))
                square += slope * slope
                flat += 1.0 if slope < bound else 0.0
                columns[j] = columns[j] if slope <= columns[j] else slope
        row[SLOPE_MEAN_SQUARE] = square / size
        row[FLAT_FRACTION] = flat / size
    dead = 0
    for j in range(units):
        dead += 1 if columns[j] == 0.0 else 0
        woken[j] = woken[j] if columns[j] <= woken[j] else columns[j]
    row[DEAD_FRACTION] = dead / units


@inlined(SUMS)
def observe_signal(signal: Matrix, input_square: Floats, settings: Floats, row: Floats) -> None:
    """The size of dL/dz, and of samples' own gradients ‖x_i‖²‖δ_i‖² where inputs are known."""
    total = product = 0.0
    known = len(input_square) == len(signal)
    for i in range(len(signal)):
        own = sum_of_squares(signal[i])
        total += own
        product += own * (input_square[i] if known else 0.0)
    row[ERROR_SIGNAL_RMS] = settings[FACTOR] * math.sqrt(total / signal.size)
    nonfinite = row[NONFINITE_BACKWARD] if row[NONFINITE_BACKWARD] >= 0.0 else 0.0
    row[NONFINITE_BACKWARD] = nonfinite + (0.0 if is_finite(total) else count_nonfinite(signal))
    if known:
        row[GRADIENT_SAMPLE_RMS] = settings[FACTOR] * math.sqrt(product / settings[SAMPLE_SIZE])


@inlined(SUMS)
def count_lost(returned: Matrix, following: Matrix, tiny: Number) -> Number:
    """Zeros and subnormals of dL/da in rows where the following layer's dL/dz is not all 0."""
    lost = 0.0
    for i in range(len(returned)):
        lost += count_below(returned[i], tiny)
    if lost == 0.0:
        return lost
    lost = 0.0
    for i in range(len(returned)):
        if reaches(following[i]):
            lost += count_below(returned[i], tiny)
    return lost


@inlined(SUMS)
def count_below(values: Vector, tiny: Number) -> Number:
    below = 0.0
    for j in range(len(values)):
        below += 1.0 if abs(np.float64(values[j])) < tiny else 0.0
    return below


@inlined(SUMS)
def reaches(values: Vector) -> Flag:
    """Whether not all are 0."""
    nonzero = 0
    for j in range(len(values)):
        nonzero += 1 if values[j] != 0 else 0
    return nonzero > 0


@inlined(SUMS)
def at_least(value: Value, floor: Number) -> Number:
    """The larger of both; NaN stays NaN."""
    wide = np.float64(value)
    return floor if wide < floor else wide


@inlined(SUMS)
def sums_of(block: Matrix) -> tuple[Number, Number]:
    """Σ x and Σ x²."""
    total = square = 0.0
    for i in range(len(block)):
        values = block[i]
        for j in range(len(values)):
            value = np.float64(values[j])
            total += value
            square += value * value
    return total, square


@inlined(SUMS)
def spread_around(block: Matrix, mean: Number) -> Number:
    """Σ (x − mean)²."""
    square = 0.0
    for i in range(len(block)):
        values = block[i]
        for j in range(len(values)):
            deviation = np.float64(values[j]) - mean
            square += deviation * deviation
    return square


@inlined(SUMS)
def sum_of_squares(values: Vector) -> Number:
    square = 0.0
    for i in range(len(values)):
        value = np.float64(values[i])
        square += value * value
    return square


@inlined(SUMS)
def count_in_vector(values: Vector) -> Index:
    """How many are NaN or infinite."""
    nonfinite = 0
    for i in range(len(values)):
        nonfinite += 0 if is_finite(values[i]) else 1
    return nonfinite


def square_rows(address: Index, out: Floats, width: Index, like: Vector) -> None:
    """out (rows,) ← Σ x² of each row of what is at the address."""
    whole_registers()
    block = block_at(like, address, len(out), width)
    for i in range(len(block)):
        out[i] = sum_of_squares(block[i])


@cache
def kernel(function: Callable[..., None], dtype: Any) -> Any:
    """One of the functions above, compiled for T; it looks at no argument."""
    signature = signature_of(function, from_dtype(np.dtype(dtype)))
    return taking_records(compiled(signature, no_cfunc_wrapper=True)(function))
