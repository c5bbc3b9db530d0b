"""The passes that measure a layer while its numbers are in cache. Each fills one row of statistics, (STATISTICS,) of T, and touches nothing that training uses
except what it is named for (adding the bias, summing the bias gradient).

Sums run in T over a row or a chunk at most and in float64 from there on; where a sum of squares comes near under- or overflow of T, the pass is done
again with every number widened first (squares of 1e-24 are 0 in float32). Widening always would cost twice the time of all the passes.
Variances are E x² − (E x)², which of .5 ± 1e-5 comes out negative in float32: where little is left of E x², the pass is done again on x − shift.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dlprobe import registry
from dlprobe.nn.cache import EXACT, SUMS, inlined
from dlprobe.nn.calling import whole_registers
from dlprobe.nn.scalar import is_finite
from dlprobe.nn.vectors import all_lanes, count_above, count_below, lane_sum, lanes_of, load, row_totals, smaller_size, store

STATISTICS = tuple(registry.records("statistic"))
(ACTIVATION_MEAN, ACTIVATION_VARIANCE, ACTIVATION_SAMPLE_VARIANCE, ACTIVE_FRACTION) = map(
    STATISTICS.index, ("activation_mean", "activation_variance", "activation_sample_variance", "active_fraction")
)
(PREACTIVATION_MEAN, PREACTIVATION_VARIANCE, PREACTIVATION_MEAN_SQUARE, NONFINITE_FORWARD) = map(
    STATISTICS.index, ("preactivation_mean", "preactivation_variance", "preactivation_mean_square", "nonfinite_forward")
)
(ERROR_SIGNAL_RMS, SLOPE_MEAN_SQUARE, FLAT_FRACTION, DEAD_FRACTION, UNDERFLOW_COUNT, NONFINITE_BACKWARD) = map(
    STATISTICS.index, ("error_signal_rms", "slope_mean_square", "flat_fraction", "dead_fraction", "underflow_count", "nonfinite_backward")
)
(GRADIENT_RMS, GRADIENT_L2, GRADIENT_MEAN_ABS, GRADIENT_VARIANCE, GRADIENT_SAMPLE_RMS) = map(
    STATISTICS.index, ("gradient_rms", "gradient_l2", "gradient_mean_abs", "gradient_variance", "gradient_sample_rms")
)
(WEIGHT_RMS, WEIGHT_L2, WEIGHT_MAX_ABS, BIAS_RMS, ZERO_WEIGHT_FRACTION, UPDATE_RATIO, CLIPPED_GRADIENT_L2) = map(
    STATISTICS.index, ("weight_rms", "weight_l2", "weight_max_abs", "bias_rms", "zero_weight_fraction", "update_ratio", "clipped_gradient_l2")
)


LARGEST_LOSS = 16  # by how much rounding errors may grow where a variance is E x² − (E x)²
NARROW_ROWS = 64  # rows whose sums per unit run in T
NARROW_NUMBERS = 4096  # numbers whose sum runs in T, in as many parts as a vector has lanes


def narrow_rows(units: Any) -> Any:
    """Over how many rows, a multiple of 4, one sum of all their numbers may run in T."""
    return min(max(NARROW_NUMBERS // (4 * units), 1) * 4, NARROW_ROWS)


def clear(statistics: Any) -> None:
    """Before a step: nothing is known (NaN), and no non-finite number was met on the way back."""
    for index in range(statistics.shape[0]):
        for k in range(statistics.shape[1]):
            statistics[index, k] = 0 if k == NONFINITE_BACKWARD else np.nan


def count_nonfinite(block: Any) -> Any:
    """How many elements of a 2-D block are NaN or infinite."""
    found = 0
    for i in range(block.shape[0]):
        row = block[i]
        for j in range(len(row)):
            found += 0 if is_finite(row[j]) else 1
    return found


def sums_hold(square: Any) -> Any:
    """Whether a sum of squares taken in T lost nothing. Of n numbers whose squares underflow in float32, below (1e-19)², at most n · 1.2e-38 is lost: of a
    million 1e-7 of the bound."""
    return square > 1e-25 and square < 1e30


def cancels(variance: Any, mean_square: Any) -> Any:
    """Whether so little of E x² is left after taking (E x)² away that a sum in T does not tell how much: rounding errors have grown by the same factor."""
    return not variance * LARGEST_LOSS > mean_square


def add_bias(z: Any, bias: Any, statistics: Any) -> None:
    """z (rows, units) += bias (units,), and the preactivation statistics of the result."""
    rows, units = z.shape
    count = rows * units
    total, square = biased_sums(z, bias)
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


def biased_sums(z: Any, bias: Any) -> Any:
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
                of_block, squares = add_to_rows(z, bias, i * units + whole, whole, units - whole, of_block, squares)
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


def add_to_rows(z: Any, bias: Any, start: Any, column: Any, count: Any, total: Any, squares: Any) -> Any:
    """A vector of the bias to that of four rows of z from element `start` on; adds the results, and their squares."""
    units, b = z.shape[1], load(bias, column, count)
    v0, v1 = load(z, start, count) + b, load(z, start + units, count) + b
    v2, v3 = load(z, start + 2 * units, count) + b, load(z, start + 3 * units, count) + b
    store(v0, z, start, count)
    store(v1, z, start + units, count)
    store(v2, z, start + 2 * units, count)
    store(v3, z, start + 3 * units, count)
    return total + ((v0 + v1) + (v2 + v3)), add_squares(squares, v0, v1, v2, v3)


def add_squares(sums: Any, v0: Any, v1: Any, v2: Any, v3: Any) -> Any:
    """Four sums of squares side by side: one after the other would wait for each other."""
    return v0 * v0 + sums[0], v1 * v1 + sums[1], v2 * v2 + sums[2], v3 * v3 + sums[3]


def added(sums: Any) -> Any:
    return (sums[0] + sums[1]) + (sums[2] + sums[3])


def deviations(block: Any, shift: Any) -> Any:
    """Σ (x − shift) and Σ (x − shift)² of a 2-D block, every number widened to float64 first."""
    total = 0.0
    square = 0.0
    for i in range(block.shape[0]):
        row = block[i]
        for j in range(len(row)):
            deviation = np.float64(row[j]) - np.float64(shift)
            total += deviation
            square += deviation * deviation
    return total, square


def observe_activation(a: Any, row_square: Any, narrow: Any, wide: Any, statistics: Any) -> None:
    """Activation statistics of a (rows, units). Fills row_square (rows,) with each sample's Σ a².

    `narrow` of T and `wide` of float64, both (widest,), are scratch for each unit's sum.
    """
    rows, units = a.shape
    of_units, sums, whole = narrow[:units], wide[:units], rows - rows % 4
    active, square, deviation = sums_of_rows(a, None, whole, row_square, of_units, sums)
    found = variances(None, sums, deviation, rows)
    if rows > 1 and (not sums_hold(square) or cancels(found[0], square / (rows * units))):
        active, square, deviation = sums_of_rows(a, a[0], whole if sums_hold(square) else 0, row_square, of_units, sums)
        found = variances(a[0], sums, deviation, rows)
    within, between, mean = found
    statistics[ACTIVATION_MEAN] = mean
    statistics[ACTIVATION_VARIANCE] = within + between if rows > 1 else np.nan
    statistics[ACTIVATION_SAMPLE_VARIANCE] = within if rows > 1 else np.nan
    statistics[ACTIVE_FRACTION] = active / (rows * units)
    if not is_finite(square):
        statistics[NONFINITE_FORWARD] += count_nonfinite(a)


def sums_of_rows(a: Any, first: Any, whole: Any, row_square: Any, narrow: Any, sums: Any) -> Any:
    """Of a (rows, units): fills each unit's Σ (a − first) and each row's Σ a²; returns how many a > 0, Σ a² and Σ (a − first)².

    `first` (units,), or None for 0. The sums of the first `whole` rows, a multiple of 4, run in T over NARROW_ROWS at a time, those of the others in float64.
    """
    active = square = deviation = 0.0
    for start in range(0, whole, NARROW_ROWS):
        end = min(start + NARROW_ROWS, whole)
        found = unit_sums(a[start:end], first, row_square[start:end], narrow)
        active, square, deviation = active + found[0], square + found[1], deviation + found[2]
        for j in range(len(sums)):
            sums[j] = np.float64(narrow[j]) + (sums[j] if start > 0 else 0.0)
    if whole == 0:
        for j in range(len(sums)):
            sums[j] = 0.0
    if whole < len(a):
        found = widened_sums(a, whole, first, row_square, sums)
        active, square, deviation = active + found[0], square + found[1], deviation + found[2]
    return active, square, square if first is None else deviation


def unit_sums(a: Any, first: Any, row_square: Any, sums: Any) -> Any:
    """Of a (rows, units), four rows for four: fills each unit's Σ (a − first) and each row's Σ a²; returns how many a > 0, Σ a² and Σ (a − first)²."""
    units, lanes, zero = len(sums), lanes_of(a), all_lanes(a.dtype.type(0))
    whole, none = units - units % lanes, (zero, zero, zero, zero)
    for j in range(units):
        sums[j] = 0
    active, square, deviation = none, zero, none
    for i in range(0, len(a), 4):
        squares = none
        for j in range(0, whole, lanes):
            active, squares, deviation = add_four_rows(a, first, sums, i * units + j, j, lanes, active, squares, deviation)
        if whole < units:
            active, squares, deviation = add_four_rows(a, first, sums, i * units + whole, whole, units - whole, active, squares, deviation)
        row_totals(squares[0], squares[1], squares[2], squares[3], row_square, i)
        square = square + added(squares)
    return lane_sum(added(active)), lane_sum(square), lane_sum(added(deviation))


def add_four_rows(a: Any, first: Any, sums: Any, start: Any, column: Any, count: Any, active: Any, squares: Any, deviation: Any) -> Any:
    """A vector of each of four rows of `a` from element `start` on: to the units' sums, to how many a > 0, the rows' Σ a², and Σ (a − first)²."""
    units, zero = a.shape[1], all_lanes(a.dtype.type(0))
    v0, v1 = load(a, start, count), load(a, start + units, count)
    v2, v3 = load(a, start + 2 * units, count), load(a, start + 3 * units, count)
    n0, n1, n2, n3 = active
    active = count_above(n0, v0, zero), count_above(n1, v1, zero), count_above(n2, v2, zero), count_above(n3, v3, zero)
    squares = add_squares(squares, v0, v1, v2, v3)
    if first is not None:
        shift = load(first, column, count)
        v0, v1, v2, v3 = v0 - shift, v1 - shift, v2 - shift, v3 - shift
        deviation = add_squares(deviation, v0, v1, v2, v3)
    store(add_four(load(sums, column, count), v0, v1, v2, v3), sums, column, count)
    return active, squares, deviation


def widened_sums(a: Any, start: Any, first: Any, row_square: Any, sums: Any) -> Any:
    """Add the rows from `start` on to each unit's sums, every number widened to float64 first; returns how many a > 0, Σ a² and Σ (a − first)²."""
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


def variances(first: Any, sums: Any, deviation: Any, rows: Any) -> Any:
    """From each unit's Σ (a − first) and the Σ (a − first)² of all: the mean variance within units, the variance between the units' means, and the mean.
    Their sum is the pooled variance."""
    units = len(sums)
    offsets, total, spread, shift = unit_means(first, sums, 1.0 / rows)
    mean = total / units
    return max((deviation / rows - offsets) / units, 0.0), max(spread / units - mean * mean, 0.0), mean + shift


def unit_means(first: Any, sums: Any, share: Any) -> Any:
    """Over the units, with o = mean of a − first and m = mean of a − shift: Σ o², Σ m, Σ m² and the shift, the first unit's mean."""
    whole_registers()
    shift = sums[0] * share if first is None else np.float64(first[0]) + sums[0] * share
    squares = total = spread = 0.0
    for j in range(len(sums)):
        offset = sums[j] * share
        mean = (offset if first is None else np.float64(first[j]) + offset) - shift
        squares += offset * offset
        total += mean
        spread += mean * mean
    return squares, total, spread, shift


def observe_error(d: Any, bias_gradient: Any, row_square: Any, statistics: Any) -> None:
    """Sums d = dL/dz (rows, units) over samples into bias_gradient (units,), and records its size times B, the derivative of each sample's own loss."""
    rows, units = d.shape
    sum_samples(d, bias_gradient, row_square)
    if count_lost_rows(row_square[:rows]) > 0.0:
        for i in range(rows):
            if not sums_hold(row_square[i]):
                row_square[i] = deviations(d[i : i + 1], d.dtype.type(0))[1]
    total = 0.0
    for i in range(rows):
        total += row_square[i]
    statistics[ERROR_SIGNAL_RMS] = rows * math.sqrt(total / (rows * units))
    statistics[NONFINITE_BACKWARD] = 0 if is_finite(total) else count_nonfinite(d)


def count_lost_rows(row_square: Any) -> Any:
    """Of how many rows the sum of squares does not hold."""
    lost = 0.0
    for i in range(len(row_square)):
        lost += 0.0 if sums_hold(row_square[i]) else 1.0
    return lost


def sum_samples(d: Any, sums: Any, row_square: Any) -> None:
    """Of d (rows, units): sums (units,) over the rows, and each row's Σ d²."""
    units, lanes, zero = len(sums), lanes_of(d), all_lanes(d.dtype.type(0))
    whole, four = units - units % lanes, len(d) - len(d) % 4
    for j in range(units):
        sums[j] = 0
    for i in range(0, four, 4):
        squares = zero, zero, zero, zero
        for j in range(0, whole, lanes):
            squares = add_four_errors(d, sums, i * units + j, j, lanes, squares)
        if whole < units:
            squares = add_four_errors(d, sums, i * units + whole, whole, units - whole, squares)
        row_totals(squares[0], squares[1], squares[2], squares[3], row_square, i)
    for i in range(four, len(d)):
        row, square = d[i], d.dtype.type(0)
        for j in range(units):
            sums[j] += row[j]
            square += row[j] * row[j]
        row_square[i] = square


def add_four_errors(d: Any, sums: Any, start: Any, column: Any, count: Any, squares: Any) -> Any:
    """A vector of each of four rows of d from element `start` on: to the units' sums, and to the rows' squares."""
    units = d.shape[1]
    v0, v1 = load(d, start, count), load(d, start + units, count)
    v2, v3 = load(d, start + 2 * units, count), load(d, start + 3 * units, count)
    store(add_four(load(sums, column, count), v0, v1, v2, v3), sums, column, count)
    return add_squares(squares, v0, v1, v2, v3)


def add_four(total: Any, v0: Any, v1: Any, v2: Any, v3: Any) -> Any:
    """The sum that training uses, in this order whatever is summed beside it."""
    return total + ((v0 + v1) + (v2 + v3))


def count_underflow(da: Any, next_row_square: Any) -> Any:
    """Zeros and subnormals of da = dL/da in rows where the next layer's error signal is not zero."""
    smallest_normal = da.dtype.type(np.finfo(da.dtype).tiny)
    if all_reach(da, smallest_normal):
        return 0.0
    units, lanes, found = da.shape[1], lanes_of(da), all_lanes(da.dtype.type(0))
    infinity, bound, whole = all_lanes(da.dtype.type(np.inf)), all_lanes(smallest_normal), units - units % lanes
    rows = 0
    for i in range(da.shape[0]):
        if next_row_square[i] > 0.0:
            for j in range(0, whole, lanes):
                found = count_below(found, smaller_size(infinity, load(da, i * units + j, lanes)), bound)
            found = count_below(found, smaller_size(infinity, load(da, i * units + whole, units - whole)), bound)
            rows += 1
    return lane_sum(found) - rows * (lanes + whole - units)  # lanes that are not loaded count as zeros


def all_reach(block: Any, bound: Any) -> Any:
    """Whether no size in a row-major block is below the bound; False of a block that does not fill four vectors. The last four may overlap others."""
    lanes, infinity = lanes_of(block), all_lanes(block.dtype.type(np.inf))
    m0 = m1 = m2 = m3 = infinity
    for start in range(0, block.size, 4 * lanes):
        at = min(start, block.size - 4 * lanes)
        if at < 0:
            return False
        m0, m1 = smaller_size(m0, load(block, at, lanes)), smaller_size(m1, load(block, at + lanes, lanes))
        m2, m3 = smaller_size(m2, load(block, at + 2 * lanes, lanes)), smaller_size(m3, load(block, at + 3 * lanes, lanes))
    smallest = smaller_size(smaller_size(m0, m1), smaller_size(m2, m3))
    return lane_sum(count_below(all_lanes(block.dtype.type(0)), smallest, all_lanes(bound))) == 0.0


def square_rows(block: Any, out: Any) -> None:
    """out (rows,) of float64 ← Σ x² of each row, every number widened first."""
    for i in range(block.shape[0]):
        row = block[i]
        square = 0.0
        for j in range(len(row)):
            square += np.float64(row[j]) * np.float64(row[j])
        out[i] = square


def sample_gradient_rms(input_square: Any, error_square: Any, rows: Any, size: Any) -> Any:
    """Of a dense layer ‖dℓ_i/dW‖² = ‖a_i‖²·‖δ_i‖², δ_i = B·dL/dz_i; no matrix per sample is needed."""
    total = 0.0
    for i in range(rows):
        total += input_square[i] * error_square[i]
    return math.sqrt(total * rows / size)


def observe_slopes(slopes: Any, peak: Any, rows: Any, statistics: Any) -> None:
    """Slope statistics from what an activation's backward kernel left in `slopes` and `peak` (units,)."""
    units = len(peak)
    if slopes[2] == 0.0:
        statistics[SLOPE_MEAN_SQUARE] = statistics[FLAT_FRACTION] = statistics[DEAD_FRACTION] = np.nan
        return
    zero, one = peak.dtype.type(0), peak.dtype.type(1)
    dead = zero
    for j in range(units):
        dead += one if peak[j] == 0 else zero
    statistics[SLOPE_MEAN_SQUARE] = slopes[0] / (rows * units)
    statistics[FLAT_FRACTION] = slopes[1] / (rows * units)
    statistics[DEAD_FRACTION] = np.float64(dead) / units


def observe_update(g: Any, sums: Any, statistics: Any) -> None:
    """Gradient, weight and update statistics of a layer from the optimizer's sums, where the gradient `g`, a vector, came to it as it was."""
    finish_gradient(g, sums[0], sums[1], sums[2], statistics)
    finish_weights(sums, len(g), statistics)
    statistics[CLIPPED_GRADIENT_L2] = statistics[GRADIENT_L2]


def finish_gradient(g: Any, total: Any, absolute: Any, square: Any, statistics: Any) -> None:
    """Gradient statistics of the vector `g` from Σ g, Σ |g| and Σ g²; the variance is taken again where all gradients are nearly the same."""
    size = len(g)
    mean = total / size
    mean_square = square / size
    variance = mean_square - mean * mean
    if variance * LARGEST_LOSS < mean_square:
        variance = vector_variance(g)
    statistics[GRADIENT_RMS] = math.sqrt(mean_square)
    statistics[GRADIENT_L2] = math.sqrt(square)
    statistics[GRADIENT_MEAN_ABS] = absolute / size
    statistics[GRADIENT_VARIANCE] = max(variance, 0.0)


def vector_variance(values: Any) -> Any:
    """Population variance of a vector, shifted by its first number; every number is widened to float64 first."""
    total = square = 0.0
    for i in range(len(values)):
        deviation = np.float64(values[i]) - np.float64(values[0])
        total += deviation
        square += deviation * deviation
    mean = total / len(values)
    return square / len(values) - mean * mean


def finish_weights(sums: Any, size: Any, statistics: Any) -> None:
    """Weight and update statistics of a layer's `size` weights from the optimizer's sums."""
    norm = math.sqrt(sums[3])
    statistics[WEIGHT_RMS] = math.sqrt(sums[3] / size)
    statistics[WEIGHT_L2] = norm
    statistics[WEIGHT_MAX_ABS] = sums[4]
    statistics[ZERO_WEIGHT_FRACTION] = sums[5] / size
    statistics[UPDATE_RATIO] = math.sqrt(sums[6]) / norm if norm > 0.0 else np.nan


def root_mean_square(values: Any) -> Any:
    """Root mean square of a vector, NaN of an empty one."""
    total = 0.0
    for i in range(len(values)):
        total += np.float64(values[i]) * np.float64(values[i])
    return math.sqrt(total / len(values)) if len(values) else np.nan


for _function in (
    clear,
    count_nonfinite,
    sums_hold,
    cancels,
    narrow_rows,
    biased_sums,
    add_to_rows,
    add_squares,
    added,
    deviations,
    sums_of_rows,
    widened_sums,
    unit_sums,
    add_four_rows,
    unit_means,
    count_lost_rows,
    sum_samples,
    add_four_errors,
    add_bias,
    observe_activation,
    variances,
    observe_error,
    count_underflow,
    all_reach,
    square_rows,
    sample_gradient_rms,
    observe_slopes,
    observe_update,
    finish_gradient,
    vector_variance,
    finish_weights,
    root_mean_square,
):
    inlined(_function, SUMS)
inlined(add_four, EXACT)
