"""The statistics of a layer by their definitions, in NumPy and float64: what `record.statistics`
says in words.

Samples are rows. Where a layer works on positions too (pixels, tokens), arrays are (samples, …,
units), and every position of a sample is a row of its own, but for `gradient_sample_rms`, whose
samples are samples. What is undefined is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float64]
Numbers: TypeAlias = dict[str, float]


def of_preactivation(z: Array) -> Numbers:
    """Statistics of z (samples, …, units)."""
    rows = _rows(z)
    mean = float(rows.mean())
    variance = float(rows.var()) if len(rows) > 1 else math.nan
    return {
        "preactivation_mean": mean,
        "preactivation_variance": variance,
        "preactivation_mean_square": _mean_square(rows),
    }


def of_activation(a: Array) -> Numbers:
    """Statistics of a (samples, …, units)."""
    rows = _rows(a)
    several = len(rows) > 1
    return {
        "activation_mean": float(rows.mean()),
        "activation_variance": float(rows.var()) if several else math.nan,
        "activation_sample_variance": float(rows.var(axis=0).mean()) if several else math.nan,
        "active_fraction": float(np.mean(rows > 0)),
    }


def of_error_signal(error_signal: Array, batch: int) -> Numbers:
    """Statistics of dL/dz (samples, …, units), L the mean over a batch of `batch` samples."""
    return {"error_signal_rms": batch * math.sqrt(_mean_square(_rows(error_signal)))}


def of_slopes(slopes: Array, flat_below: float) -> Numbers:
    """Statistics of the activation's slope at every z. flat_below: the |slope| below which an
    element counts as flat, NaN where that is not known.
    """
    rows = _rows(slopes)
    return {
        "slope_mean_square": _mean_square(rows),
        "flat_fraction": math.nan
        if math.isnan(flat_below)
        else float(np.mean(np.abs(rows) < flat_below)),
        "dead_fraction": float(np.mean(np.all(rows == 0, axis=0))),
    }


def of_gradient(gradient: Array) -> Numbers:
    """Statistics of dL/dW, whatever its shape."""
    values = np.asarray(gradient, np.float64)
    square = _mean_square(values)
    return {
        "gradient_rms": math.sqrt(square),
        "gradient_l2": math.sqrt(square * values.size),
        "gradient_mean_abs": float(np.abs(values).mean()),
        "gradient_variance": float(values.var()),
    }


def of_weights(weights: Array) -> Numbers:
    """Statistics of W before the update, whatever its shape."""
    values = np.asarray(weights, np.float64)
    square = _mean_square(values)
    return {
        "weight_rms": math.sqrt(square),
        "weight_l2": math.sqrt(square * values.size),
        "weight_max_abs": float(np.abs(values).max()),
        "zero_weight_fraction": float(np.mean(values == 0)),
    }


def root_mean_square(values: Array) -> float:
    """Root mean square; NaN of nothing."""
    return math.sqrt(_mean_square(np.asarray(values, np.float64))) if values.size else math.nan


def update_ratio(before: Array, after: Array) -> float:
    """‖after − before‖₂ / ‖before‖₂; NaN where W is zero."""
    wide = np.asarray(before, np.float64)
    size = float(np.linalg.norm(wide))
    return (
        float(np.linalg.norm(np.asarray(after, np.float64) - wide)) / size if size > 0 else math.nan
    )


def sample_gradient_rms(inputs: Array, error_signal: Array, batch: int) -> float:
    """Root mean square over samples and weights of the gradient of a sample's own loss, for a dense
    layer with inputs x (samples, …, fan_in) and dL/dz (samples, …, fan_out), L the mean over
    `batch` samples.

    A sample with positions t has the gradient Σ_t x_t δ_tᵀ, whose squared norm is Σ_ts
    (x_t·x_s)(δ_t·δ_s), for one position ‖x‖²‖δ‖²: no matrix per sample is made.
    """
    x, d = (
        np.asarray(each, np.float64).reshape(len(each), -1, each.shape[-1])
        for each in (inputs, error_signal)
    )
    squares = np.einsum("its,its->i", x @ x.transpose(0, 2, 1), d @ d.transpose(0, 2, 1))
    return batch * math.sqrt(float(squares.mean()) / (x.shape[-1] * d.shape[-1]))


def underflow_count(activation_gradient: Array, next_error_signal: Array) -> float:
    """Zeros and subnormals of dL/da (samples, …, units), in its own dtype, in rows where the
    next layer's dL/dz is not zero.
    """
    gradient = np.abs(activation_gradient).reshape(-1, activation_gradient.shape[-1])
    reached = np.any(next_error_signal.reshape(-1, next_error_signal.shape[-1]) != 0, axis=1)
    return (
        float(np.count_nonzero(gradient[reached] < np.finfo(gradient.dtype).tiny))
        if len(reached) == len(gradient)
        else math.nan
    )


def nonfinite(*arrays: Array) -> float:
    """How many numbers are NaN or infinite."""
    return float(sum(np.count_nonzero(~np.isfinite(array)) for array in arrays))


def known(numbers: Mapping[str, float]) -> Numbers:
    """The numbers that are not NaN."""
    return {name: number for name, number in numbers.items() if not math.isnan(number)}


def _rows(values: Array) -> Floats:
    return np.asarray(values, np.float64).reshape(-1, values.shape[-1])


def _mean_square(values: Floats) -> float:
    """Without underflow of the squares: float64 holds those of every float32."""
    return float(np.mean(np.square(values)))
