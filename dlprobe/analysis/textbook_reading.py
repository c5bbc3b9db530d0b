"""The textbook reading of bias and variance: two gaps between the error of a human, on the training part and on the validation part of one run.

It is a reading of one run, not the variance over training sets, which needs replicas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from dlprobe.analysis.proportions import wilson

Level = Literal["high", "low"]
THRESHOLD = 0.015  # τ: a gap above it counts
SHARE = 0.5  # ρ: the variance gap counts only from this share of the bias gap on
LARGE = 0.10  # a gap that counts whatever the other is


@dataclass(frozen=True)
class Reading:
    """Errors as shares (0.08 is 8 %), the two gaps and what they say; intervals: 95 % of train_error and val_error where their sample counts are known.

    doubtful: verdicts that the sampling error could turn round: "bias", "variance".
    """

    human_error: float
    train_error: float
    val_error: float
    bias_gap: float
    variance_gap: float
    bias: Level
    variance: Level
    intervals: dict[str, tuple[float, float]]
    doubtful: tuple[str, ...] = ()


def read(human: float, train: float, val: float, train_samples: int = 0, val_samples: int = 0) -> Reading:
    """High bias iff E_train − E_human > 1.5 points; high variance iff E_val − E_train > 1.5 points and at least half of the bias gap, or 10 points and more.

    These three numbers reproduce the textbook's table; no single absolute threshold does. Sample counts of 0 are unknown.
    """
    bias, variance = levels(human, train, val)
    intervals = {}
    if train_samples:
        intervals["train_error"] = interval(train, train_samples)
    if val_samples:
        intervals["val_error"] = interval(val, val_samples)
    return Reading(human, train, val, train - human, val - train, bias, variance, intervals, _doubtful(human, train, val, intervals))


def levels(human: float, train: float, val: float) -> tuple[Level, Level]:
    """(bias, variance)."""
    rounded = 1e-12  # .16 − .15 is .010000000000000009
    bias_gap, variance_gap = train - human, val - train
    high_bias = bias_gap > THRESHOLD + rounded
    high_variance = variance_gap >= LARGE - rounded or (variance_gap > THRESHOLD + rounded and variance_gap >= SHARE * bias_gap - rounded)
    return ("high" if high_bias else "low"), ("high" if high_variance else "low")


def interval(share: float, samples: int) -> tuple[float, float]:
    """Wilson's 95 % interval of an error rate."""
    return wilson(min(max(round(share * samples), 0), samples), samples)


def _doubtful(human: float, train: float, val: float, intervals: dict[str, tuple[float, float]]) -> tuple[str, ...]:
    """Verdicts that change at an end of an interval."""
    said = levels(human, train, val)
    ends = [levels(human, end, val) for end in intervals.get("train_error", ())] + [levels(human, train, end) for end in intervals.get("val_error", ())]
    return tuple(name for index, name in enumerate(("bias", "variance")) if any(end[index] != said[index] for end in ends))


def advice(reading: Reading) -> list[str]:
    """What to do next, with the numbers behind it."""
    found = []
    bias, variance = f"{100 * reading.bias_gap:.1f} points", f"{100 * reading.variance_gap:.1f} points"
    if reading.bias == "high":
        found.append(
            f"high bias: the training error is {bias} above the reference; a bigger net (more units or layers), longer training, less penalty and dropout"
        )
        if reading.bias_gap >= 2 * reading.variance_gap:
            found.append("bias first: more data will not help while the net does not fit what it has")
    if reading.variance == "high":
        found.append(
            f"high variance: the validation error is {variance} above the training error; more data, a penalty or dropout, early stopping, a smaller net"
        )
    if not found:
        found.append(f"both gaps are small ({bias} and {variance}): what is left is the reference error; better features or labels, or a harder task")
    if reading.bias_gap < 0:
        found.append(f"the training error is {abs(100 * reading.bias_gap):.1f} points below the reference: the reference is not the best that can be reached")
    if reading.doubtful:
        found.append(f"the sampling error could turn the verdict on {' and '.join(reading.doubtful)} round: evaluate on more samples before acting on it")
    return found


def usable(value: float) -> bool:
    """Whether an error rate is one."""
    return math.isfinite(value) and 0.0 <= value <= 1.0
