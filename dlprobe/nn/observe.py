"""The passes that measure a layer while its numbers are in cache. Each fills one row of statistics,
(STATISTICS,) of T, and touches nothing that training uses except what it is named for (adding the
bias, summing the bias gradient).

Sums run in T over a row or a chunk at most and in float64 from there on; where a sum of squares
comes near under- or overflow of T, the pass is done again with every number widened first (squares
of 1e-24 are 0 in float32). Widening always would cost twice the time of all the passes.
The passes of the way forward, of z and a, are in `observe_forward`.
"""

from __future__ import annotations

import math

import numpy as np

from dlprobe import registry
from dlprobe.nn.cache import EXACT, SUMS, inlined
from dlprobe.nn.positions import (
    DEFINED,
    FLAT_ELEMENTS,
    MAX_ABS_W,
    SUM_ABS_G,
    SUM_CHANGE_SQUARED,
    SUM_G,
    SUM_G_SQUARED,
    SUM_SLOPE_SQUARED,
    SUM_W_SQUARED,
    ZERO_WEIGHTS,
)
from dlprobe.nn.scalar import is_finite
from dlprobe.nn.shapes import (
    Flag,
    Floats,
    FourRegisters,
    Index,
    Matrix,
    Number,
    Register,
    Value,
    Vector,
)
from dlprobe.nn.vectors import (
    all_lanes,
    count_below,
    lane_sum,
    lanes_of,
    load,
    row_totals,
    smaller_size,
    store,
)
from dlprobe.nn.views import part, window

STATISTICS = tuple(registry.records("statistic"))
(ACTIVATION_MEAN, ACTIVATION_VARIANCE, ACTIVATION_SAMPLE_VARIANCE, ACTIVE_FRACTION) = map(
    STATISTICS.index,
    ("activation_mean", "activation_variance", "activation_sample_variance", "active_fraction"),
)
(PREACTIVATION_MEAN, PREACTIVATION_VARIANCE, PREACTIVATION_MEAN_SQUARE, NONFINITE_FORWARD) = map(
    STATISTICS.index,
    (
        "preactivation_mean",
        "preactivation_variance",
        "preactivation_mean_square",
        "nonfinite_forward",
    ),
)
(
    ERROR_SIGNAL_RMS,
    SLOPE_MEAN_SQUARE,
    FLAT_FRACTION,
    DEAD_FRACTION,
    UNDERFLOW_COUNT,
    NONFINITE_BACKWARD,
) = map(
    STATISTICS.index,
    (
        "error_signal_rms",
        "slope_mean_square",
        "flat_fraction",
        "dead_fraction",
        "underflow_count",
        "nonfinite_backward",
    ),
)
(GRADIENT_RMS, GRADIENT_L2, GRADIENT_MEAN_ABS, GRADIENT_VARIANCE, GRADIENT_SAMPLE_RMS) = map(
    STATISTICS.index,
    (
        "gradient_rms",
        "gradient_l2",
        "gradient_mean_abs",
        "gradient_variance",
        "gradient_sample_rms",
    ),
)
(
    WEIGHT_RMS,
    WEIGHT_L2,
    WEIGHT_MAX_ABS,
    BIAS_RMS,
    ZERO_WEIGHT_FRACTION,
    UPDATE_RATIO,
    CLIPPED_GRADIENT_L2,
) = map(
    STATISTICS.index,
    (
        "weight_rms",
        "weight_l2",
        "weight_max_abs",
        "bias_rms",
        "zero_weight_fraction",
        "update_ratio",
        "clipped_gradient_l2",
    ),
)

LARGEST_LOSS = 16  # by how much rounding errors may grow where a variance is E x² − (E x)²


@inlined(SUMS)
def clear(statistics: Matrix) -> None:
    """Before a step: nothing is known (NaN), and no non-finite number was met on the way back."""
    for index in range(statistics.shape[0]):
        for k in range(statistics.shape[1]):
            statistics[index, k] = 0 if k == NONFINITE_BACKWARD else np.nan


@inlined(SUMS)
def count_nonfinite(block: Matrix) -> Index:
    """How many elements of a 2-D block are NaN or infinite."""
    nonfinite = 0
    for i in range(block.shape[0]):
        row = block[i]
        for j in range(len(row)):
            nonfinite += 0 if is_finite(row[j]) else 1
    return nonfinite


@inlined(SUMS)
def sums_hold(square: Number | Value) -> Flag:
    """Whether a sum of squares taken in T lost nothing. Of n numbers whose squares underflow in
    float32, below (1e-19)², at most n · 1.2e-38 is lost: of a million 1e-7 of the bound.
    """
    return square > 1e-25 and square < 1e30


@inlined(SUMS)
def cancels(variance: Number, mean_square: Number) -> Flag:
    """Whether so little of E x² is left after taking (E x)² away that a sum in T does not tell
    how much: rounding errors have grown by the same factor.
    """
    return variance * LARGEST_LOSS < mean_square


@inlined(SUMS)
def add_squares(
    sums: FourRegisters, v0: Register, v1: Register, v2: Register, v3: Register
) -> FourRegisters:
    """Four sums of squares side by side: one after the other would wait for each other."""
    s0, s1, s2, s3 = sums
    return v0 * v0 + s0, v1 * v1 + s1, v2 * v2 + s2, v3 * v3 + s3


@inlined(SUMS)
def added(sums: FourRegisters) -> Register:
    s0, s1, s2, s3 = sums
    return (s0 + s1) + (s2 + s3)


@inlined(SUMS)
def deviations(block: Matrix, shift: Value) -> tuple[Number, Number]:
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


def observe_error(d: Matrix, bias_gradient: Vector, row_square: Floats, statistics: Vector) -> None:
    """Sums d = dL/dz (rows, units) over samples into bias_gradient (units,), and records its
    size times B, the derivative of each sample's own loss.
    """
    rows, units = d.shape
    sum_samples(d, bias_gradient, row_square)
    if count_lost_rows(part(row_square, 0, rows)) > 0.0:
        for i in range(rows):
            if not sums_hold(row_square[i]):
                _, row_square[i] = deviations(window(d, i * units, 1, units), d.dtype.type(0))
    total = 0.0
    for i in range(rows):
        total += row_square[i]
    statistics[ERROR_SIGNAL_RMS] = rows * math.sqrt(total / (rows * units))
    statistics[NONFINITE_BACKWARD] = 0 if is_finite(total) else count_nonfinite(d)


@inlined(SUMS)
def count_lost_rows(row_square: Floats) -> Number:
    """Number of rows whose sum of squares does not hold."""
    lost = 0.0
    for i in range(len(row_square)):
        lost += 0.0 if sums_hold(row_square[i]) else 1.0
    return lost


@inlined(SUMS)
def sum_samples(d: Matrix, sums: Vector, row_square: Floats) -> None:
    """Fill, from d (rows, units), sums (units,) over the rows, and each row's Σ d²."""
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
        q0, q1, q2, q3 = squares
        row_totals(q0, q1, q2, q3, row_square, i)
    for i in range(four, len(d)):
        row, square = d[i], d.dtype.type(0)
        for j in range(units):
            sums[j] += row[j]
            square += row[j] * row[j]
        row_square[i] = square


@inlined(SUMS)
def add_four_errors(
    d: Matrix, sums: Vector, start: Index, column: Index, count: Index, squares: FourRegisters
) -> FourRegisters:
    """A vector of each of four rows of d from element `start` on: to the units' sums, and to
    the rows' squares.
    """
    units = d.shape[1]
    v0, v1 = load(d, start, count), load(d, start + units, count)
    v2, v3 = load(d, start + 2 * units, count), load(d, start + 3 * units, count)
    store(add_four(load(sums, column, count), v0, v1, v2, v3), sums, column, count)
    return add_squares(squares, v0, v1, v2, v3)


@inlined(EXACT)
def add_four(total: Register, v0: Register, v1: Register, v2: Register, v3: Register) -> Register:
    """The sum that training uses, in this order whatever is summed beside it."""
    return total + ((v0 + v1) + (v2 + v3))


@inlined(SUMS)
def count_underflow(da: Matrix, next_row_square: Floats) -> Number:
    """Zeros and subnormals of da = dL/da in rows where the next layer's error signal is not
    zero.
    """
    smallest_normal = da.dtype.type(np.finfo(da.dtype).tiny)
    if all_reach(da, smallest_normal):
        return 0.0
    units, lanes, found = da.shape[1], lanes_of(da), all_lanes(da.dtype.type(0))
    infinity, bound, whole = (
        all_lanes(da.dtype.type(np.inf)),
        all_lanes(smallest_normal),
        units - units % lanes,
    )
    rows = 0
    for i in range(da.shape[0]):
        if next_row_square[i] > 0.0:
            for j in range(0, whole, lanes):
                found = count_below(
                    found, smaller_size(infinity, load(da, i * units + j, lanes)), bound
                )
            found = count_below(
                found, smaller_size(infinity, load(da, i * units + whole, units - whole)), bound
            )
            rows += 1
    # lanes that are not loaded count as zeros
    return lane_sum(found) - rows * (lanes + whole - units)


@inlined(SUMS)
def all_reach(block: Matrix, bound: Value) -> Flag:
    """Whether no size in a row-major block is below the bound; False of a block that does not
    fill four vectors. The last four may overlap others.
    """
    lanes, infinity = lanes_of(block), all_lanes(block.dtype.type(np.inf))
    m0 = m1 = m2 = m3 = infinity
    for start in range(0, block.size, 4 * lanes):
        at = min(start, block.size - 4 * lanes)
        if at < 0:
            return False
        m0, m1 = (
            smaller_size(m0, load(block, at, lanes)),
            smaller_size(m1, load(block, at + lanes, lanes)),
        )
        m2, m3 = (
            smaller_size(m2, load(block, at + 2 * lanes, lanes)),
            smaller_size(m3, load(block, at + 3 * lanes, lanes)),
        )
    smallest = smaller_size(smaller_size(m0, m1), smaller_size(m2, m3))
    return lane_sum(count_below(all_lanes(block.dtype.type(0)), smallest, all_lanes(bound))) == 0.0


@inlined(SUMS)
def square_rows(block: Matrix, out: Matrix) -> None:
    """out (rows,) of float64 ← Σ x² of each row, every number widened first."""
    for i in range(block.shape[0]):
        row = block[i]
        square = 0.0
        for j in range(len(row)):
            square += np.float64(row[j]) * np.float64(row[j])
        out[i] = square


@inlined(SUMS)
def sample_gradient_rms(
    input_square: Floats, error_square: Floats, rows: Index, size: Index
) -> Number:
    """RMS norm over samples, of a dense layer: ‖dℓ_i/dW‖² = ‖a_i‖²·‖δ_i‖², δ_i = B·dL/dz_i; no
    matrix per sample is needed.
    """
    total = 0.0
    for i in range(rows):
        total += input_square[i] * error_square[i]
    return math.sqrt(total * rows / size)


@inlined(SUMS)
def observe_slopes(slopes: Floats, peak: Vector, rows: Index, statistics: Vector) -> None:
    """Slope statistics from what an activation's backward kernel left in `slopes` and `peak`
    (units,).
    """
    units = len(peak)
    if slopes[DEFINED] == 0.0:
        statistics[SLOPE_MEAN_SQUARE] = statistics[FLAT_FRACTION] = statistics[DEAD_FRACTION] = (
            np.nan
        )
        return
    zero, one = peak.dtype.type(0), peak.dtype.type(1)
    dead = zero
    for j in range(units):
        dead += one if peak[j] == 0 else zero
    statistics[SLOPE_MEAN_SQUARE] = slopes[SUM_SLOPE_SQUARED] / (rows * units)
    statistics[FLAT_FRACTION] = slopes[FLAT_ELEMENTS] / (rows * units)
    statistics[DEAD_FRACTION] = np.float64(dead) / units


@inlined(SUMS)
def observe_update(g: Vector, sums: Floats, statistics: Vector) -> None:
    """Gradient, weight and update statistics of a layer from the optimizer's sums, where the
    gradient `g`, a vector, came to it as it was.
    """
    finish_gradient(g, sums[SUM_G], sums[SUM_ABS_G], sums[SUM_G_SQUARED], statistics)
    finish_weights(sums, len(g), statistics)
    statistics[CLIPPED_GRADIENT_L2] = statistics[GRADIENT_L2]


@inlined(SUMS)
def finish_gradient(
    g: Vector, total: Number, absolute: Number, square: Number, statistics: Vector
) -> None:
    """Gradient statistics of the vector `g` from Σ g, Σ |g| and Σ g²; the variance is taken
    again where all gradients are nearly the same.
    """
    size = len(g)
    mean = total / size
    mean_square = square / size
    variance = mean_square - mean * mean
    if cancels(variance, mean_square):
        variance = vector_variance(g)
    statistics[GRADIENT_RMS] = math.sqrt(mean_square)
    statistics[GRADIENT_L2] = math.sqrt(square)
    statistics[GRADIENT_MEAN_ABS] = absolute / size
    statistics[GRADIENT_VARIANCE] = max(variance, 0.0)


@inlined(SUMS)
def vector_variance(values: Vector) -> Number:
    """Population variance of a vector, shifted by its first number; every number is widened to
    float64 first.
    """
    total = square = 0.0
    for i in range(len(values)):
        deviation = np.float64(values[i]) - np.float64(values[0])
        total += deviation
        square += deviation * deviation
    mean = total / len(values)
    return square / len(values) - mean * mean


@inlined(SUMS)
def finish_weights(sums: Floats, size: Index, statistics: Vector) -> None:
    """Weight and update statistics of a layer's `size` weights from the optimizer's sums."""
    norm = math.sqrt(sums[SUM_W_SQUARED])
    statistics[WEIGHT_RMS] = math.sqrt(sums[SUM_W_SQUARED] / size)
    statistics[WEIGHT_L2] = norm
    statistics[WEIGHT_MAX_ABS] = sums[MAX_ABS_W]
    statistics[ZERO_WEIGHT_FRACTION] = sums[ZERO_WEIGHTS] / size
    statistics[UPDATE_RATIO] = math.sqrt(sums[SUM_CHANGE_SQUARED]) / norm if norm > 0.0 else np.nan


@inlined(SUMS)
def root_mean_square(values: Vector) -> Number:
    """Root mean square of a vector, NaN of an empty one."""
    total = 0.0
    for i in range(len(values)):
        total += np.float64(values[i]) * np.float64(values[i])
    return math.sqrt(total / len(values)) if len(values) else np.nan
