"""The passes that measure a layer on the way forward: z with its bias added, and a.

Variances are E x² − (E x)², which of .5 ± 1e-5 comes out negative in float32: where little is left
of E x², the pass is done again on x − shift.
"""

from __future__ import annotations

import numpy as np

from dlprobe.nn.cache import SUMS, inlined
from dlprobe.nn.calling import whole_registers
from dlprobe.nn.observe import (
    ACTIVATION_MEAN,
    ACTIVATION_SAMPLE_VARIANCE,
    ACTIVATION_VARIANCE,
    ACTIVE_FRACTION,
    NONFINITE_FORWARD,
    PREACTIVATION_MEAN,
    PREACTIVATION_MEAN_SQUARE,
    PREACTIVATION_VARIANCE,
    add_four,
    add_squares,
    added,
    cancels,
    count_nonfinite,
    deviations,
    sums_hold,
)
from dlprobe.nn.scalar import is_finite
from dlprobe.nn.shapes import Floats, FourRegisters, Index, Matrix, Number, Register, Vector
from dlprobe.nn.vectors import all_lanes, count_above, lane_sum, lanes_of, load, row_totals, store
from dlprobe.nn.views import part, scratch, window

FIRST_UNIT = 0
# Narrow rows are taken several together: a store of less than a vector holds up the next load.
MOST_TOGETHER = 16
repeated_memory = scratch(MOST_TOGETHER)
NARROW_ROWS = 64  # rows whose sums per unit run in T
NARROW_NUMBERS = 4096  # numbers whose sum runs in T, in as many parts as a vector has lanes


@inlined(SUMS)
def narrow_rows(units: Index) -> Index:
    """Over how many rows, a multiple of 4, one sum of all their numbers may run in T."""
    return min(max(NARROW_NUMBERS // (4 * units), 1) * 4, NARROW_ROWS)


def add_bias(z: Matrix, bias: Vector, statistics: Vector) -> None:
    """z (rows, units) += bias (units,), and the preactivation statistics of the result."""
    rows, units = z.shape
    count = rows * units
    several, repeated, together = z, bias, min(lanes_of(z), MOST_TOGETHER) // units
    if together > 1 and rows % together == 0:
        width = together * units
        several, repeated = (
            window(z, 0, rows // together, width),
            part(repeated_memory(z), 0, width),
        )
        for j in range(width):
            repeated[j] = bias[j % units]
    total, square = biased_sums(several, repeated)
    shift = z.dtype.type(0)
    if not sums_hold(square) or cancels(square - total * total / count, square):
        shift = z[0, 0]
        total, square = deviations(z, shift)
    mean = total / count
    variance = max(square / count - mean * mean, 0.0)
    mean += shift
    statistics[PREACTIVATION_MEAN] = mean
    statistics[PREACTIVATION_VARIANCE] = variance if rows > 1 else np.nan
    statistics[PREACTIVATION_MEAN_SQUARE] = variance + mean * mean
    statistics[NONFINITE_FORWARD] = 0 if is_finite(square) else count_nonfinite(z)


def add_bias_only(z: Matrix, bias: Vector, statistics: Vector) -> None:
    """z (rows, units) += bias (units,): stands in the place of `add_bias` where nobody reads
    statistics.
    """
    for i in range(len(z)):
        row = z[i]
        for j in range(len(bias)):
            row[j] += bias[j]


def observe_nothing(
    a: Matrix, row_square: Floats, narrow: Vector, wide: Floats, statistics: Vector
) -> None:
    """What stands in the place of `observe_activation` where nobody reads statistics."""


@inlined(SUMS)
def biased_sums(z: Matrix, bias: Vector) -> tuple[Number, Number]:
    """z (rows, units) += bias (units,); returns Σ z and Σ z²."""
    units, lanes, zero = len(bias), lanes_of(z), all_lanes(z.dtype.type(0))
    whole, four, block = units - units % lanes, len(z) - len(z) % 4, narrow_rows(units)
    total = square = 0.0
    for start in range(0, four, block):
        of_block, squares = zero, (zero, zero, zero, zero)
        for i in range(start, min(start + block, four), 4):
            for j in range(0, whole, lanes):
                of_block, squares = add_to_rows(z, bias, i * units + j, j, lanes, of_block, squares)
            if whole < units:
                of_block, squares = add_to_rows(
                    z, bias, i * units + whole, whole, units - whole, of_block, squares
                )
        total += lane_sum(of_block)
        square += lane_sum(added(squares))
    for i in range(four, len(z)):
        row = z[i]
        for j in range(units):
            row[j] += bias[j]
            wide = np.float64(row[j])
            total += wide
            square += wide * wide
    return total, square


@inlined(SUMS)
def add_to_rows(
    z: Matrix,
    bias: Vector,
    start: Index,
    column: Index,
    count: Index,
    total: Register,
    squares: FourRegisters,
) -> tuple[Register, FourRegisters]:
    """A vector of the bias to that of four rows of z from element `start` on; adds the results,
    and their squares.
    """
    units, b = z.shape[1], load(bias, column, count)
    v0, v1 = load(z, start, count) + b, load(z, start + units, count) + b
    v2, v3 = load(z, start + 2 * units, count) + b, load(z, start + 3 * units, count) + b
    store(v0, z, start, count)
    store(v1, z, start + units, count)
    store(v2, z, start + 2 * units, count)
    store(v3, z, start + 3 * units, count)
    return total + ((v0 + v1) + (v2 + v3)), add_squares(squares, v0, v1, v2, v3)


def observe_activation(
    a: Matrix, row_square: Floats, narrow: Vector, wide: Floats, statistics: Vector
) -> None:
    """Activation statistics of a (rows, units). Fills row_square (rows,) with each sample's Σ a².

    `narrow` of T and `wide` of float64, both (widest,), are scratch for each unit's sum.
    """
    rows, units = a.shape
    of_units, sums, whole = part(narrow, 0, units), part(wide, 0, units), rows - rows % 4
    active, square, deviation = sums_of_rows(a, None, whole, row_square, of_units, sums)
    within, between, mean = variances(None, sums, deviation, rows)
    if rows > 1 and (not sums_hold(square) or cancels(within, square / (rows * units))):
        first = a[0]
        active, square, deviation = sums_of_rows(
            a, first, whole if sums_hold(square) else 0, row_square, of_units, sums
        )
        within, between, mean = variances(first, sums, deviation, rows)
    statistics[ACTIVATION_MEAN] = mean
    statistics[ACTIVATION_VARIANCE] = within + between if rows > 1 else np.nan
    statistics[ACTIVATION_SAMPLE_VARIANCE] = within if rows > 1 else np.nan
    statistics[ACTIVE_FRACTION] = active / (rows * units)
    if not is_finite(square):
        statistics[NONFINITE_FORWARD] += count_nonfinite(a)


@inlined(SUMS)
def sums_of_rows(
    a: Matrix, first: Vector | None, whole: Index, row_square: Floats, narrow: Vector, sums: Floats
) -> tuple[Number, Number, Number]:
    """Walk a (rows, units): fills each unit's Σ (a − first) and each row's Σ a²; returns how many a
    > 0, Σ a² and Σ (a − first)².

    `first` (units,), or None for 0. The sums of the first `whole` rows, a multiple of 4, run in T
    over NARROW_ROWS at a time, those of the others in float64.
    """
    active = square = deviation = 0.0
    for start in range(0, whole, NARROW_ROWS):
        end = min(start + NARROW_ROWS, whole)
        positive, squares, deviations_of = unit_sums(
            window(a, start * len(sums), end - start, len(sums)),
            first,
            part(row_square, start, end),
            narrow,
        )
        active, square, deviation = active + positive, square + squares, deviation + deviations_of
        for j in range(len(sums)):
            sums[j] = np.float64(narrow[j]) + (sums[j] if start > 0 else 0.0)
    if whole == 0:
        for j in range(len(sums)):
            sums[j] = 0.0
    if whole < len(a):
        positive, squares, deviations_of = widened_sums(a, whole, first, row_square, sums)
        active, square, deviation = active + positive, square + squares, deviation + deviations_of
    return active, square, square if first is None else deviation


@inlined(SUMS)
def unit_sums(
    a: Matrix, first: Vector | None, row_square: Floats, sums: Vector
) -> tuple[Number, Number, Number]:
    """Walk a (rows, units) four rows at a time: fills each unit's Σ (a − first) and each row's Σ
    a²; returns how many a > 0, Σ a² and Σ (a − first)².
    """
    units, lanes, zero = len(sums), lanes_of(a), all_lanes(a.dtype.type(0))
    whole, none = units - units % lanes, (zero, zero, zero, zero)
    for j in range(units):
        sums[j] = 0
    active, square, deviation = none, zero, none
    for i in range(0, len(a), 4):
        squares = none
        for j in range(0, whole, lanes):
            active, squares, deviation = add_four_rows(
                a, first, sums, i * units + j, j, lanes, active, squares, deviation
            )
        if whole < units:
            active, squares, deviation = add_four_rows(
                a, first, sums, i * units + whole, whole, units - whole, active, squares, deviation
            )
        q0, q1, q2, q3 = squares
        row_totals(q0, q1, q2, q3, row_square, i)
        square = square + added(squares)
    return lane_sum(added(active)), lane_sum(square), lane_sum(added(deviation))


@inlined(SUMS)
def add_four_rows(
    a: Matrix,
    first: Vector | None,
    sums: Vector,
    start: Index,
    column: Index,
    count: Index,
    active: FourRegisters,
    squares: FourRegisters,
    deviation: FourRegisters,
) -> tuple[FourRegisters, FourRegisters, FourRegisters]:
    """A vector of each of four rows of `a` from element `start` on: to the units' sums, to how
    many a > 0, the rows' Σ a², and Σ (a − first)².
    """
    units, zero = a.shape[1], all_lanes(a.dtype.type(0))
    v0, v1 = load(a, start, count), load(a, start + units, count)
    v2, v3 = load(a, start + 2 * units, count), load(a, start + 3 * units, count)
    n0, n1, n2, n3 = active
    active = (
        count_above(n0, v0, zero),
        count_above(n1, v1, zero),
        count_above(n2, v2, zero),
        count_above(n3, v3, zero),
    )
    squares = add_squares(squares, v0, v1, v2, v3)
    if first is not None:
        shift = load(first, column, count)
        v0, v1, v2, v3 = v0 - shift, v1 - shift, v2 - shift, v3 - shift
        deviation = add_squares(deviation, v0, v1, v2, v3)
    store(add_four(load(sums, column, count), v0, v1, v2, v3), sums, column, count)
    return active, squares, deviation


@inlined(SUMS)
def widened_sums(
    a: Matrix, start: Index, first: Vector | None, row_square: Floats, sums: Floats
) -> tuple[Number, Number, Number]:
    """Add the rows from `start` on to each unit's sums, every number widened to float64 first;
    returns how many a > 0, Σ a² and Σ (a − first)².
    """
    active = total = deviations_of = 0.0
    for i in range(start, a.shape[0]):
        row = a[i]
        square = 0.0
        for j in range(len(row)):
            value = np.float64(row[j])
            deviation = value if first is None else value - np.float64(first[j])
            sums[j] += deviation
            deviations_of += deviation * deviation
            square += value * value
            active += 1.0 if value > 0.0 else 0.0
        row_square[i] = square
        total += square
    return active, total, deviations_of


@inlined(SUMS)
def variances(
    first: Vector | None, sums: Floats, deviation: Number, rows: Index
) -> tuple[Number, Number, Number]:
    """From each unit's Σ (a − first) and the Σ (a − first)² of all: the mean variance within units,
    the variance between the units' means, and the mean. Their sum is the pooled variance.
    """
    units = len(sums)
    offsets, total, spread, shift = unit_means(first, sums, 1.0 / rows)
    mean = total / units
    return (
        max((deviation / rows - offsets) / units, 0.0),
        max(spread / units - mean * mean, 0.0),
        mean + shift,
    )


@inlined(SUMS)
def unit_means(
    first: Vector | None, sums: Floats, share: Number
) -> tuple[Number, Number, Number, Number]:
    """Over the units, with o = mean of a − first and m = mean of a − shift: Σ o², Σ m, Σ m² and
    the shift, the first unit's mean.
    """
    whole_registers()
    shift = (
        sums[FIRST_UNIT] * share
        if first is None
        else np.float64(first[FIRST_UNIT]) + sums[FIRST_UNIT] * share
    )
    squares = total = spread = 0.0
    for j in range(len(sums)):
        offset = sums[j] * share
        mean = (offset if first is None else np.float64(first[j]) + offset) - shift
        squares += offset * offset
        total += mean
        spread += mean * mean
    return squares, total, spread, shift
