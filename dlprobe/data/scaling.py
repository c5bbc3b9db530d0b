"""Scalers: fitted on the training part only."""

from __future__ import annotations

import numpy as np

from dlprobe.data.dataset import Floats, Mask, Scaler
from dlprobe.data.places import quoted
from dlprobe.errors import ConfigError, DataError

KINDS = ("standardize", "minmax", "robust", "none")


def fit(kind: str, inputs: Floats, feature_names: tuple[str, ...], data: str) -> Scaler:
    """The scaler of a training part (samples, features) of `data`. Raises DataError where a column's range does not fit a float64."""
    if kind == "none":
        return Scaler(kind, np.zeros(inputs.shape[1]), np.ones(inputs.shape[1]))
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    with np.errstate(all="ignore"):
        if kind == "standardize":
            shift, spread = inputs.mean(axis=0), inputs.std(axis=0)
        elif kind == "minmax":
            shift, spread = low.copy(), high - low
        elif kind == "robust":
            shift, spread = robust(inputs)
        else:
            raise ConfigError(f"scaling {kind!r} is unknown, expected {' | '.join(KINDS)}")
    # the mean of equal numbers can miss them by a rounding error: the range decides what is constant, not the deviation
    constant = low == high
    shift[constant], spread[constant] = low[constant], 1.0
    with np.errstate(all="ignore"):
        scale = np.where(constant, 0.0, 1.0 / spread)
    refuse_unscalable(np.isfinite(shift) & np.isfinite(spread) & np.isfinite(scale), low, high, feature_names, kind, data)
    return Scaler(kind, shift, scale)


def robust(inputs: Floats) -> tuple[Floats, Floats]:
    """Median and interquartile range of each column; a range of 0 counts as 1 (as scikit-learn): the column is only shifted."""
    quarter, middle, three_quarters = np.percentile(inputs, (25.0, 50.0, 75.0), axis=0)
    spread = three_quarters - quarter
    return middle, np.where(spread == 0.0, 1.0, spread)


def refuse_unscalable(usable: Mask, low: Floats, high: Floats, feature_names: tuple[str, ...], kind: str, data: str) -> None:
    if not usable.all():
        j = int(np.argmin(usable))
        found = f"{data}: feature {quoted(feature_names[j])} goes from {low[j]:g} to {high[j]:g}, which {kind} cannot scale in float64"
        raise DataError(f"{found}: rescale the column, or use scaling = none")
