"""The passes that measure a layer while its numbers are in cache. Each fills one row of statistics, (STATISTICS,) of T, and touches nothing that training uses
except what it is named for (adding the bias, summing the bias gradient).

Sums run in T over a row or a chunk at most and in float64 from there on; where a sum of squares comes near under- or overflow of T, the pass is done
again with every number widened first (squares of 1e-24 are 0 in float32). Widening always would cost twice the time of all the passes.
Variances are shifted by the batch's first row, since E x² − (E x)² of .5 ± 1e-5 comes out negative in float32.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dlprobe import registry
from dlprobe.nn.cache import EXACT, SUMS, inlined
from dlprobe.nn.calling import whole_registers
from dlprobe.nn.scalar import is_finite

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


NARROW_ROWS = 64  # rows whose sums per unit run in T


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
    """Whether a sum of squares taken in T lost nothing: far enough from where squares of float32 underflow (1e-19)² or overflow."""
    return square > 1e-20 and square < 1e30


def add_bias(z: Any, bias: Any, statistics: Any) -> None:
    """z (rows, units) += bias (units,), and the preactivation statistics of the result."""
    rows, units = z.shape
    count = rows * units
    shift = z[0, 0] + bias[0]
    total, square = biased_sums(z, bias, shift)
    if not sums_hold(square):
        total, square = deviations(z, shift)
    mean = total / count
    variance = max(square / count - mean * mean, 0.0)
    mean += shift
    statistics[PREACTIVATION_MEAN] = mean
    statistics[PREACTIVATION_VARIANCE] = variance if rows > 1 else np.nan
    statistics[PREACTIVATION_MEAN_SQUARE] = variance + mean * mean
    statistics[NONFINITE_FORWARD] = 0 if is_finite(square) else count_nonfinite(z)


def biased_sums(z: Any, bias: Any, shift: Any) -> Any:
    """z (rows, units) += bias (units,); returns Σ (z − shift) and Σ (z − shift)². Two rows at a time: with more, LLVM gives up telling the arrays apart."""
    zero = z.dtype.type(0)
    total = square = 0.0
    for i in range(0, len(z) - 1, 2):
        r0, r1 = z[i], z[i + 1]
        of_rows = squares = zero
        for j in range(len(bias)):
            v0, v1 = r0[j] + bias[j], r1[j] + bias[j]
            r0[j], r1[j] = v0, v1
            d0, d1 = v0 - shift, v1 - shift
            of_rows += d0 + d1
            squares += d0 * d0 + d1 * d1
        total += of_rows
        square += squares
    for i in range(len(z) - len(z) % 2, len(z)):
        row = z[i]
        for j in range(len(bias)):
            row[j] += bias[j]
            deviation = np.float64(row[j]) - np.float64(shift)
            total += deviation
            square += deviation * deviation
    return total, square


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

    `narrow` of T and `wide` of float64, both (widest,), are scratch for each unit's Σ (a − first row).
    """
    rows, units = a.shape
    first, sums = a[0], wide[:units]
    whole = rows - rows % 4
    active = square = deviation = 0.0
    for start in range(0, whole, NARROW_ROWS):
        end = min(start + NARROW_ROWS, whole)
        found = unit_sums(a[start:end], first, row_square[start:end], narrow[:units])
        active, square, deviation = active + found[0], square + found[1], deviation + found[2]
        for j in range(units):
            sums[j] = np.float64(narrow[j]) + (sums[j] if start > 0 else 0.0)
    if not sums_hold(square):
        whole, active, deviation = 0, 0.0, 0.0
        for j in range(units):
            sums[j] = 0.0
    if whole < rows:
        found = widened_sums(a, whole, first, row_square, sums)
        active, deviation = active + found[0], deviation + found[1]
    _finish_activation(a, first, sums, deviation, active, statistics)


def unit_sums(a: Any, first: Any, row_square: Any, sums: Any) -> Any:
    """Of a (rows, units), four rows for four: fills each unit's Σ (a − first) and each row's Σ a²; returns how many a > 0, Σ a² and Σ (a − first)²."""
    whole_registers()
    zero, one = a.dtype.type(0), a.dtype.type(1)
    for j in range(len(sums)):
        sums[j] = zero
    active = square = deviation = 0.0
    for i in range(0, len(a), 4):
        r0, r1, r2, r3 = a[i], a[i + 1], a[i + 2], a[i + 3]
        q0 = q1 = q2 = q3 = squares = n = zero
        for j in range(len(sums)):
            v0, v1, v2, v3, shift = r0[j], r1[j], r2[j], r3[j], first[j]
            d0, d1, d2, d3 = v0 - shift, v1 - shift, v2 - shift, v3 - shift
            sums[j] += (d0 + d1) + (d2 + d3)
            squares += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)
            q0 += v0 * v0
            q1 += v1 * v1
            q2 += v2 * v2
            q3 += v3 * v3
            n += ((one if v0 > zero else zero) + (one if v1 > zero else zero)) + ((one if v2 > zero else zero) + (one if v3 > zero else zero))
        row_square[i], row_square[i + 1], row_square[i + 2], row_square[i + 3] = q0, q1, q2, q3
        active += n
        square += (row_square[i] + row_square[i + 1]) + (row_square[i + 2] + row_square[i + 3])
        deviation += squares
    return active, square, deviation


def widened_sums(a: Any, start: Any, first: Any, row_square: Any, sums: Any) -> Any:
    """Add the rows from `start` on to each unit's sums, every number widened to float64 first; returns how many a > 0, and Σ (a − first)²."""
    active = total = 0.0
    for i in range(start, a.shape[0]):
        row = a[i]
        square = 0.0
        for j in range(len(row)):
            value = np.float64(row[j])
            deviation = value - np.float64(first[j])
            sums[j] += deviation
            total += deviation * deviation
            square += value * value
            active += 1.0 if value > 0.0 else 0.0
        row_square[i] = square
    return active, total


def _finish_activation(a: Any, first: Any, sums: Any, deviation: Any, active: Any, statistics: Any) -> None:
    """Pooled variance = mean variance within units + variance between the units' means."""
    rows, units = a.shape
    within, total, spread, shift = unit_means(first, sums, 1.0 / rows)
    within = max((deviation / rows - within) / units, 0.0)
    mean = total / units
    between = max(spread / units - mean * mean, 0.0)
    statistics[ACTIVATION_MEAN] = mean + shift
    statistics[ACTIVATION_VARIANCE] = within + between if rows > 1 else np.nan
    statistics[ACTIVATION_SAMPLE_VARIANCE] = within if rows > 1 else np.nan
    statistics[ACTIVE_FRACTION] = active / (rows * units)
    if not is_finite(spread + within):
        statistics[NONFINITE_FORWARD] += count_nonfinite(a)


def unit_means(first: Any, sums: Any, share: Any) -> Any:
    """Over the units, with o = mean of a − first row and m = mean of a − shift: Σ o², Σ m, Σ m² and the shift, the first unit's mean."""
    whole_registers()
    shift = np.float64(first[0]) + sums[0] * share
    squares = total = spread = 0.0
    for j in range(len(sums)):
        offset = sums[j] * share
        mean = np.float64(first[j]) + offset - shift
        squares += offset * offset
        total += mean
        spread += mean * mean
    return squares, total, spread, shift


def observe_error(d: Any, bias_gradient: Any, row_square: Any, statistics: Any) -> None:
    """Sums d = dL/dz (rows, units) over samples into bias_gradient (units,), and records its size times B, the derivative of each sample's own loss."""
    rows, units = d.shape
    sum_samples(d, bias_gradient, row_square)
    lost = total = 0.0
    for i in range(rows):
        lost += 0.0 if sums_hold(row_square[i]) else 1.0
        total += row_square[i]
    if lost > 0.0:
        total = 0.0
        for i in range(rows):
            row_square[i] = deviations(d[i : i + 1], d.dtype.type(0))[1]
            total += row_square[i]
    statistics[ERROR_SIGNAL_RMS] = rows * math.sqrt(total / (rows * units))
    statistics[NONFINITE_BACKWARD] = 0 if is_finite(total) else count_nonfinite(d)


def sum_samples(d: Any, sums: Any, row_square: Any) -> None:
    """Of d (rows, units): sums (units,) over the rows, and each row's Σ d²."""
    whole_registers()
    zero = d.dtype.type(0)
    for j in range(len(sums)):
        sums[j] = zero
    four = len(d) - len(d) % 4
    for i in range(0, four, 4):
        r0, r1, r2, r3 = d[i], d[i + 1], d[i + 2], d[i + 3]
        q0 = q1 = q2 = q3 = zero
        for j in range(len(sums)):
            sums[j] = add_four(sums[j], r0[j], r1[j], r2[j], r3[j])
            q0 += r0[j] * r0[j]
            q1 += r1[j] * r1[j]
            q2 += r2[j] * r2[j]
            q3 += r3[j] * r3[j]
        row_square[i], row_square[i + 1], row_square[i + 2], row_square[i + 3] = q0, q1, q2, q3
    for i in range(four, len(d)):
        row, square = d[i], zero
        for j in range(len(sums)):
            sums[j] += row[j]
            square += row[j] * row[j]
        row_square[i] = square


def add_four(total: Any, v0: Any, v1: Any, v2: Any, v3: Any) -> Any:
    """The sum that training uses, in this order whatever is summed beside it."""
    return total + ((v0 + v1) + (v2 + v3))


def count_underflow(da: Any, next_row_square: Any) -> Any:
    """Zeros and subnormals of da = dL/da in rows where the next layer's error signal is not zero."""
    zero, one = da.dtype.type(0), da.dtype.type(1)
    smallest_normal = da.dtype.type(np.finfo(da.dtype).tiny)
    found = 0.0
    for i in range(da.shape[0]):
        if next_row_square[i] > 0.0:
            row = da[i]
            of_row = zero
            for j in range(len(row)):
                of_row += one if abs(row[j]) < smallest_normal else zero
            found += of_row
    return found


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
    dead = 0
    for j in range(units):
        dead += 1 if peak[j] == 0 else 0
    statistics[SLOPE_MEAN_SQUARE] = slopes[0] / (rows * units)
    statistics[FLAT_FRACTION] = slopes[1] / (rows * units)
    statistics[DEAD_FRACTION] = dead / units


def observe_update(sums: Any, size: Any, statistics: Any) -> None:
    """Gradient, weight and update statistics of a layer's `size` weights from the optimizer's sums, where the gradient came to it as it was."""
    finish_gradient(sums[0], sums[1], sums[2], size, statistics)
    finish_weights(sums, size, statistics)
    statistics[CLIPPED_GRADIENT_L2] = statistics[GRADIENT_L2]


def finish_gradient(total: Any, absolute: Any, square: Any, size: Any, statistics: Any) -> None:
    """Gradient statistics from Σ g, Σ |g| and Σ g² over `size` elements."""
    mean = total / size
    mean_square = square / size
    statistics[GRADIENT_RMS] = math.sqrt(mean_square)
    statistics[GRADIENT_L2] = math.sqrt(square)
    statistics[GRADIENT_MEAN_ABS] = absolute / size
    statistics[GRADIENT_VARIANCE] = max(mean_square - mean * mean, 0.0)


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
    biased_sums,
    deviations,
    widened_sums,
    unit_sums,
    unit_means,
    sum_samples,
    add_bias,
    observe_activation,
    _finish_activation,
    observe_error,
    count_underflow,
    square_rows,
    sample_gradient_rms,
    observe_slopes,
    observe_update,
    finish_gradient,
    finish_weights,
    root_mean_square,
):
    inlined(_function, SUMS)
inlined(add_four, EXACT)
