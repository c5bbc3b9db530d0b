"""The textbook reading of bias and variance: two gaps between the error of a human, on the training
part and on the validation part of one run.

It is a reading of one run, not the variance over training sets, which needs replicas.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from dlprobe.analysis.proportions import NORMAL_95, wilson
from dlprobe.dataclass import dataclass
from dlprobe.record.sizes import percent_number

Level = Literal["high", "low", "unknown"]
THRESHOLD = 0.015  # τ: a gap above it counts
SHARE = 0.5  # ρ: the variance gap counts only from this share of the bias gap on
LARGE = 0.10  # a gap that counts whatever the other is


@dataclass(frozen=True)
class Reading:
    """Errors as shares (0.08 is 8 %), the two gaps and what they say; intervals: 95 % of
    train_error and val_error where their sample counts are known.

    human_error: None where nobody said what can be reached; the bias gap is then the training
        error, an upper bound. doubtful: verdicts that the sampling error could turn round: "bias",
        "variance".
    """

    human_error: float | None
    train_error: float
    val_error: float
    bias_gap: float
    variance_gap: float
    bias: Level
    variance: Level
    intervals: dict[str, tuple[float, float]]
    doubtful: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """Both verdicts as a text.

        >>> read(None, 0.034, 0.067).verdict, read(0.0, 0.15, 0.16).verdict
        ('bias at most 3.4 points (no human error given), variance high', 'bias high, variance low')
        """
        bias = (
            f"at most {percent_number(self.bias_gap)} points (no human error given)"
            if self.human_error is None and self.bias == "unknown"
            else self.bias
        )
        variance = "cannot be told without one" if self.variance == "unknown" else self.variance
        return f"bias {bias}, variance {variance}"


def read(
    human: float | None,
    train: float,
    val: float,
    train_samples: int = 0,
    val_samples: int = 0,
    val_interval: tuple[float, float] | None = None,
) -> Reading:
    """High bias iff E_train − E_human > 1.5 points; high variance iff E_val − E_train > 1.5 points
    and at least half of the bias gap, or 10 points and more.

    These three numbers reproduce the textbook's table; no single absolute threshold does. human:
    None where nobody said; then only what holds for every human error is said. Sample counts of 0
    are unknown. val_interval: of errors that are no shares of samples.
    """
    bias, variance = levels(human, train, val)
    intervals = {}
    if train_samples:
        intervals["train_error"] = interval(train, train_samples)
    if val_samples:
        intervals["val_error"] = interval(val, val_samples)
    if val_interval is not None and math.isfinite(val_interval[0]):
        intervals["val_error"] = val_interval
    return Reading(
        human,
        train,
        val,
        train - (human or 0.0),
        val - train,
        bias,
        variance,
        intervals,
        _doubtful(human, train, val, intervals),
    )


def levels(human: float | None, train: float, val: float) -> tuple[Level, Level]:
    """(bias, variance). Without a human error what holds for each from 0 to the training error."""
    if human is None:
        best, worst = levels(train, train, val), levels(0.0, train, val)
        bias, variance = (
            (one if one == other else "unknown") for one, other in zip(best, worst, strict=True)
        )
        return bias, variance
    rounded = 1e-12  # .16 − .15 is .010000000000000009
    bias_gap, variance_gap = train - human, val - train
    high_bias = bias_gap > THRESHOLD + rounded
    high_variance = variance_gap >= LARGE - rounded or (
        variance_gap > THRESHOLD + rounded and variance_gap >= SHARE * bias_gap - rounded
    )
    return ("high" if high_bias else "low"), ("high" if high_variance else "low")


def interval_of_unexplained(outputs: Any, targets: Any) -> tuple[float, float]:
    """95 % interval of 1 − R² = Σe²/Σ(y − ȳ)² from (samples, outputs) arrays, by the delta
    method for a ratio of sums; NaN where the targets do not vary.
    """
    wanted = np.asarray(targets, np.float64).reshape(len(targets), -1)
    errors = ((np.asarray(outputs, np.float64).reshape(wanted.shape) - wanted) ** 2).sum(axis=1)
    spread = ((wanted - wanted.mean(axis=0)) ** 2).sum(axis=1)
    if len(wanted) < 2 or not spread.sum() > 0:
        return math.nan, math.nan
    share = float(errors.sum() / spread.sum())
    half = (
        NORMAL_95
        * float((errors - share * spread).std(ddof=1))
        / math.sqrt(len(wanted))
        / float(spread.mean())
    )
    return max(share - half, 0.0), share + half


def interval(share: float, samples: int) -> tuple[float, float]:
    """Wilson's 95 % interval of an error rate."""
    return wilson(min(max(round(share * samples), 0), samples), samples)


def _doubtful(
    human: float | None, train: float, val: float, intervals: dict[str, tuple[float, float]]
) -> tuple[str, ...]:
    """Verdicts that change at an end of an interval."""
    said = levels(human, train, val)
    ends = [levels(human, end, val) for end in intervals.get("train_error", ())] + [
        levels(human, train, end) for end in intervals.get("val_error", ())
    ]
    return tuple(
        name
        for index, name in enumerate(("bias", "variance"))
        if any(end[index] != said[index] for end in ends)
    )
