"""Two sides, each one run or the repetitions of one configuration: how configuration, metrics
and profiles differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.comparing import rank_test
from dlprobe.analysis.comparing.baseline import Numbers, flat, floor_of, shared_metrics
from dlprobe.analysis.proportions import wilson
from dlprobe.dataclass import dataclass

Floats: TypeAlias = npt.NDArray[np.float64]
PROFILES = ("activation_variance", "error_signal_rms", "gradient_rms")
MOMENTS = ("start", "end")


@dataclass(frozen=True)
class MetricDiff:
    """One metric on both sides. a, b: medians; a_interval, b_interval: 95 %, of the samples for one
    run (errors) and over the seeds for several;
    factor: b over a with its interval where there are seeds, None where one of them cannot be told
        from 0; changed: None where one run each cannot tell.
    """

    metric: str
    a: float
    b: float
    a_interval: tuple[float, float] | None
    b_interval: tuple[float, float] | None
    factor: float | None
    factor_interval: tuple[float, float] | None
    changed: bool | None


@dataclass(frozen=True)
class ProfileDiff:
    """One statistic at one moment on both sides, medians over the runs: (layer,) each."""

    statistic: str
    moment: str
    a_layers: tuple[str, ...]
    b_layers: tuple[str, ...]
    a: Floats
    b: Floats


def metric_diffs(a: Sequence[Numbers], b: Sequence[Numbers]) -> list[MetricDiff]:
    """Every metric that all runs of both sides have in the same unit."""
    return [_metric_diff(name, a, b) for name in shared_metrics((*a, *b))]


def _metric_diff(name: str, a: Sequence[Numbers], b: Sequence[Numbers]) -> MetricDiff:
    ours, theirs = ([run.metrics[name] for run in runs] for runs in (a, b))
    intervals = _interval(name, a), _interval(name, b)
    several = len(a) > 1 and len(b) > 1
    floor, middles = floor_of((*a, *b), name), (float(np.median(ours)), float(np.median(theirs)))
    factor, low, high = rank_test.factor_between(theirs, ours, floor)
    told = None if min(middles) <= floor and middles[0] != middles[1] else factor
    if several:
        changed: bool | None = low > 1.0 or high < 1.0
    elif None not in intervals:
        changed = _apart(*intervals)
    else:
        changed = False if ours == theirs else None
    return MetricDiff(name, *middles, *intervals, told, (low, high) if several else None, changed)


def _apart(a: tuple[float, float] | None, b: tuple[float, float] | None) -> bool:
    return a is not None and b is not None and (a[1] < b[0] or b[1] < a[0])


def _interval(name: str, runs: Sequence[Numbers]) -> tuple[float, float] | None:
    """Of one run: Wilson's interval of an error share, by the samples of its part. Of several:
    smallest to largest. None where there is none to tell.
    """
    values = [run.metrics[name] for run in runs]
    if len(values) > 1:
        return (min(values), max(values))
    part, _, what = name.partition("_")
    samples = runs[0].samples.get(part, 0)
    if what != "error" or not runs[0].classification or not samples or not 0.0 <= values[0] <= 1.0:
        return None
    return wilson(round(values[0] * samples), samples)


def profile_diffs(a: Sequence[Numbers], b: Sequence[Numbers]) -> list[ProfileDiff]:
    """The profiles that all runs of both sides have."""
    keys = [(name, moment) for name in PROFILES for moment in MOMENTS]
    shared = [key for key in keys if all(key in run.profiles for run in (*a, *b))]
    return [
        ProfileDiff(*key, a[0].names, b[0].names, _median(a, key), _median(b, key))
        for key in shared
    ]


def _median(runs: Sequence[Numbers], key: tuple[str, str]) -> Floats:
    middle: Floats = np.median(np.stack([run.profiles[key] for run in runs]), axis=0)
    return middle


def configuration_diffs(a: Any, b: Any) -> list[tuple[str, Any, Any]]:
    """(key, a, b) of every value in which two configurations differ; None where a side does not
    have the key.

    >>> configuration_diffs({"training": {"lr": 0.1, "seed": 0}}, {"training": {"lr": 0.2, "seed": 0}})
    [('training.lr', 0.1, 0.2)]
    """  # noqa: E501
    ours, theirs = flat(a), flat(b)
    return [
        (key, ours.get(key), theirs.get(key))
        for key in dict.fromkeys([*ours, *theirs])
        if ours.get(key) != theirs.get(key)
    ]
