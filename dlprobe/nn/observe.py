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
from dlprobe.nn.cache import SUMS, inlined
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
(WEIGHT_RMS, WEIGHT_L2, WEIGHT_MAX_ABS, BIAS_RMS, ZERO_WEIGHT_FRACTION, UPDATE_RATIO) = map(
    STATISTICS.index, ("weight_rms", "weight_l2", "weight_max_abs", "bias_rms", "zero_weight_fraction", "update_ratio")
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
    total = 0.0
    square = 0.0
    for i in range(rows):
        row = z[i]
        row_total = z.dtype.type(0)
        row_square = z.dtype.type(0)
        for j in range(units):
            value = row[j] + bias[j]
            row[j] = value
            deviation = value - shift
            row_total += deviation
            row_square += deviation * deviation
        total += row_total
        square += row_square
    if not sums_hold(square):
        total, square = deviations(z, shift)
    mean = total / count
    variance = max(square / count - mean * mean, 0.0)
    mean += shift
    statistics[PREACTIVATION_MEAN] = mean
    statistics[PREACTIVATION_VARIANCE] = variance if rows > 1 else np.nan
    statistics[PREACTIVATION_MEAN_SQUARE] = variance + mean * mean
    statistics[NONFINITE_FORWARD] = 0 if is_finite(square) else count_nonfinite(z)


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

    `narrow` of T and `wide` of float64, both (2, widest), are scratch for each unit's Σ (a − first row) and Σ (a − first row)².
    """
    rows, units = a.shape
    first = a[0]
    for j in range(units):
        wide[0, j] = wide[1, j] = 0.0
    active = 0.0
    square = 0.0
    for start in range(0, rows, NARROW_ROWS):
        part = a[start : start + NARROW_ROWS]
        active += unit_sums(part, first, row_square[start : start + NARROW_ROWS], narrow[0], narrow[1])
        for j in range(units):
            wide[0, j] += narrow[0, j]
            wide[1, j] += narrow[1, j]
        for i in range(len(part)):
            square += row_square[start + i]
    if not sums_hold(square):
        for j in range(units):
            wide[0, j] = wide[1, j] = 0.0
        active = add_rows(a, 0, first, row_square, wide[0], wide[1])
    _finish_activation(a, first, wide[0], wide[1], active, statistics)


def unit_sums(a: Any, first: Any, row_square: Any, sums: Any, squares: Any) -> Any:
    """Fill each unit's sums (units,) of T and each row's Σ a²; returns how many a > 0."""
    rows, units = a.shape
    zero, one = a.dtype.type(0), a.dtype.type(1)
    for j in range(units):
        sums[j] = squares[j] = zero
    active = 0.0
    i = 0
    while i < rows - 3:  # four rows at a time: the running sums of a unit are loaded and stored once for four
        r0, r1, r2, r3 = a[i], a[i + 1], a[i + 2], a[i + 3]
        q0 = q1 = q2 = q3 = n = zero
        for j in range(units):
            v0, v1, v2, v3, shift = r0[j], r1[j], r2[j], r3[j], first[j]
            d0, d1, d2, d3 = v0 - shift, v1 - shift, v2 - shift, v3 - shift
            sums[j] += (d0 + d1) + (d2 + d3)
            squares[j] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)
            q0 += v0 * v0
            q1 += v1 * v1
            q2 += v2 * v2
            q3 += v3 * v3
            n += ((one if v0 > zero else zero) + (one if v1 > zero else zero)) + ((one if v2 > zero else zero) + (one if v3 > zero else zero))
        row_square[i], row_square[i + 1], row_square[i + 2], row_square[i + 3] = q0, q1, q2, q3
        active += n
        i += 4
    return active + (add_rows(a, i, first, row_square, sums, squares) if i < rows else 0.0)


def add_rows(a: Any, start: Any, first: Any, row_square: Any, sums: Any, squares: Any) -> Any:
    """Add the rows from `start` on to each unit's sums, in the precision of `sums`, every number widened to float64 first; returns how many a > 0."""
    active = 0.0
    for i in range(start, a.shape[0]):
        row = a[i]
        square = 0.0
        for j in range(len(row)):
            value = np.float64(row[j])
            deviation = value - np.float64(first[j])
            sums[j] += deviation
            squares[j] += deviation * deviation
            square += value * value
            active += 1.0 if value > 0.0 else 0.0
        row_square[i] = square
    return active


def _finish_activation(a: Any, first: Any, sums: Any, squares: Any, active: Any, statistics: Any) -> None:
    """Pooled variance = mean variance within units + variance between the units' means."""
    rows, units = a.shape
    share = 1.0 / rows
    within = 0.0
    total = 0.0
    spread = 0.0
    shift = np.float64(first[0]) + sums[0] * share
    for j in range(units):
        offset = sums[j] * share
        within += squares[j] * share - offset * offset
        mean = np.float64(first[j]) + offset - shift
        total += mean
        spread += mean * mean
    within = max(within / units, 0.0)
    mean = total / units
    between = max(spread / units - mean * mean, 0.0)
    statistics[ACTIVATION_MEAN] = mean + shift
    statistics[ACTIVATION_VARIANCE] = within + between if rows > 1 else np.nan
    statistics[ACTIVATION_SAMPLE_VARIANCE] = within if rows > 1 else np.nan
    statistics[ACTIVE_FRACTION] = active / (rows * units)
    if not is_finite(spread + within):
        statistics[NONFINITE_FORWARD] += count_nonfinite(a)


def observe_error(d: Any, bias_gradient: Any, row_square: Any, statistics: Any) -> None:
    """Sums d = dL/dz (rows, units) over samples into bias_gradient (units,), and records its size times B, the derivative of each sample's own loss."""
    rows, units = d.shape
    for j in range(units):
        bias_gradient[j] = d.dtype.type(0)
    total = 0.0
    for i in range(rows):
        row = d[i]
        square = d.dtype.type(0)
        for j in range(units):
            square += row[j] * row[j]
            bias_gradient[j] += row[j]
        row_square[i] = square if sums_hold(square) else deviations(d[i : i + 1], d.dtype.type(0))[1]
        total += row_square[i]
    statistics[ERROR_SIGNAL_RMS] = rows * math.sqrt(total / (rows * units))
    statistics[NONFINITE_BACKWARD] = 0 if is_finite(total) else count_nonfinite(d)


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
    """Gradient, weight and update statistics of a layer's `size` weights from the optimizer's sums."""
    mean = sums[0] / size
    mean_square = sums[2] / size
    norm = math.sqrt(sums[3])
    statistics[GRADIENT_RMS] = math.sqrt(mean_square)
    statistics[GRADIENT_L2] = math.sqrt(sums[2])
    statistics[GRADIENT_MEAN_ABS] = sums[1] / size
    statistics[GRADIENT_VARIANCE] = max(mean_square - mean * mean, 0.0)
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
    deviations,
    add_rows,
    unit_sums,
    add_bias,
    observe_activation,
    _finish_activation,
    observe_error,
    count_underflow,
    square_rows,
    sample_gradient_rms,
    observe_slopes,
    observe_update,
    root_mean_square,
):
    inlined(_function, SUMS)
