"""Scalers of inputs and of targets: fitted on the training part only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dlprobe.data.dataset import Floats, Mask, Scaler
from dlprobe.data.places import quoted
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError, DataError

KINDS = ("standardize", "minmax", "robust", "none")


@dataclass(frozen=True)
class ScaledColumn:
    """What messages call a column and the option that scales it."""

    word: str
    option: str


FEATURE, TARGET = ScaledColumn("feature", "scaling"), ScaledColumn("target", "target_scaling")


@dataclass(frozen=True)
class ColumnMoments:
    """Range, mean and population deviation of each column, float64 (columns,); infinite where a
    sum of huge numbers leaves float64.
    """

    low: Floats
    high: Floats
    mean: Floats
    std: Floats


def moments_of(inputs: Floats) -> ColumnMoments:
    """The moments of (samples, columns)."""
    with np.errstate(all="ignore"):
        return ColumnMoments(
            inputs.min(axis=0), inputs.max(axis=0), inputs.mean(axis=0), inputs.std(axis=0)
        )


def target_moments(targets: Floats) -> dict[str, Floats]:
    """What run files say of the training targets (samples, outputs) of a regression, each
    (outputs,).
    """
    with np.errstate(all="ignore"):
        hundredth = max(1, len(targets) // 100)
        far = np.partition(np.square(targets - targets.mean(axis=0)), -hundredth, axis=0)
        return {
            "target_mean": targets.mean(axis=0),
            "target_std": targets.std(axis=0),
            "target_tail": far[-hundredth:].sum(axis=0) / far.sum(axis=0),
        }


def fit(
    kind: str,
    inputs: Floats,
    feature_names: tuple[str, ...],
    data: str,
    what: ScaledColumn = FEATURE,
) -> Scaler:
    """The scaler of a training part (samples, features) of `data`. Raises DataError where a
    column's range does not fit a float64.
    """
    return fit_moments(kind, moments_of(inputs), lambda: robust(inputs), feature_names, data, what)


def fit_moments(
    kind: str,
    moments: ColumnMoments,
    quartiles: Callable[[], tuple[Floats, Floats]],
    feature_names: tuple[str, ...],
    data: str,
    what: ScaledColumn = FEATURE,
) -> Scaler:
    """Fit a scaler to a training part whose moments are known; `quartiles` gives what
    `robust` does.
    """
    low, high = moments.low, moments.high
    if kind == "none":
        return Scaler(kind, np.zeros(len(low)), np.ones(len(low)))
    with np.errstate(all="ignore"):
        if kind == "standardize":
            shift, spread = moments.mean.copy(), moments.std.copy()
        elif kind == "minmax":
            shift, spread = low.copy(), high - low
        elif kind == "robust":
            shift, spread = quartiles()
        else:
            raise ConfigError(f"{what.option} {kind!r} is unknown, expected {' | '.join(KINDS)}")
    # the mean of equal numbers can miss them by a rounding error: the range decides what is
    # constant, not the deviation
    constant = low == high
    shift[constant], spread[constant] = low[constant], 1.0
    with np.errstate(all="ignore"):
        scale = np.where(constant, 0.0, 1.0 / spread)
    refuse_unscalable(
        np.isfinite(shift) & np.isfinite(spread) & np.isfinite(scale),
        low,
        high,
        (kind, data),
        feature_names,
        what,
    )
    return Scaler(kind, shift, scale)


def fit_targets(
    kind: str, interval: tuple[float, float], targets: Floats, names: tuple[str, ...], data: str
) -> Scaler:
    """The scaler of the targets (samples, outputs) of a training part; unlike that of inputs it can
    always be undone.

    standardize: mean 0 and population deviation 1. minmax: onto `interval`, the smallest target to
    its low end, the largest to its high one. A target that is constant in the training part is only
    shifted: to 0, or to the middle of the interval. Raises DataError as `fit`.
    """
    fitted = fit(kind, targets, names, data, TARGET)
    if kind == "none":
        return fitted
    low, high = interval if kind == "minmax" else (0.0, 1.0)
    constant = fitted.scale == 0
    scale = np.where(constant, 1.0, fitted.scale * (high - low))
    begin = np.where(constant, (low + high) / 2, low) if kind == "minmax" else 0.0
    return Scaler(kind, fitted.shift - begin / scale, scale)


def robust(inputs: Floats) -> tuple[Floats, Floats]:
    """Median and interquartile range of each column; a range of 0 counts as 1 (as
    scikit-learn): the column is only shifted.
    """
    return robust_of(np.percentile(inputs, (25.0, 50.0, 75.0), axis=0))


def robust_of(quartiles: Floats) -> tuple[Floats, Floats]:
    """Shift and scale of robust scaling, from the quartiles (3, columns)."""
    quarter, middle, three_quarters = quartiles
    spread = three_quarters - quarter
    return middle, np.where(spread == 0.0, 1.0, spread)


def refuse_unscalable(
    usable: Mask,
    low: Floats,
    high: Floats,
    of: tuple[str, str],
    names: tuple[str, ...],
    what: ScaledColumn,
) -> None:
    """`of`: the kind of scaling, and what the data are called."""
    if not usable.all():
        j, (kind, data) = int(np.argmin(usable)), of
        fault = (
            f"{data}: {what.word} {quoted(names[j])} goes from {low[j]:g} to {high[j]:g}, which "
            f"{kind} cannot scale in float64"
        )
        raise DataError(f"{fault}: rescale the column, or use {what.option} = none")
