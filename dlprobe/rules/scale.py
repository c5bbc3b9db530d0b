"""The sizes of what goes into a net and of what it shall give: what D001 and D006 find, and what
other rules ask before they name a cure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from dlprobe.dataclass import dataclass
from dlprobe.record.description import OWN
from dlprobe.rules.evidence import Evidence, Floats
from dlprobe.rules.outcome import NotEvaluableError

TENTH = 0.1  # of the features may be as faint as they like: border pixels

INPUTS: Mapping[str, float] = {"spread": 100.0, "offset": 10.0, "size": 30.0}
TARGETS: Mapping[str, float] = {"size": 10.0, "small": 0.01, "offset": 10.0}


@dataclass(frozen=True)
class Off:
    """One way in which sizes are off: its number, what that was compared with, and both in
    words.
    """

    name: str
    number: float
    limit: float
    told: str


def inputs_off(evidence: Evidence, limits: Mapping[str, float] = INPUTS) -> list[Off]:
    """What is off about the inputs as the net sees them, the worst kind first; raises
    NotEvaluableError where the file does not say.
    """
    mean, deviation = scaled_inputs(evidence)
    varying = deviation > 0
    # a layer of its own that normalizes them
    if not varying.any() or ("input" in evidence.names and evidence.run.origin == OWN):
        return []
    size = np.sqrt(np.square(mean) + np.square(deviation))[varying]
    faint = float(np.quantile(deviation[varying], TENTH, method="lower"))
    spread = float(deviation.max()) / faint
    offset = float(np.median(np.abs(mean[varying]) / deviation[varying]))
    largest = float(size.max())
    said = [
        Off(
            "spread",
            spread,
            limits["spread"],
            f"the largest standard deviation of a feature is {spread:.3g} times that of the "
            "faintest tenth",
        ),
        Off(
            "size",
            largest,
            limits["size"],
            f"the largest feature has a root mean square of {largest:.3g}",
        ),
        Off(
            "offset",
            offset,
            limits["offset"],
            f"the typical feature has a mean of {offset:.3g} standard deviations",
        ),
    ]
    return [measure for measure in said if measure.number > measure.limit]


def scaled_inputs(evidence: Evidence) -> tuple[Floats, Floats]:
    """Mean and standard deviation of every feature after scaling, two float64 (features,)."""
    data = evidence.run.data
    missing = [
        name
        for name in ("feature_mean", "feature_std", "scaler_shift", "scaler_scale")
        if name not in data
    ]
    if missing:
        raise NotEvaluableError(f"{missing[0]} is not in the file")
    mean, deviation, shift, scale = (
        np.asarray(data[name], np.float64)
        for name in ("feature_mean", "feature_std", "scaler_shift", "scaler_scale")
    )
    with np.errstate(all="ignore"):
        return (mean - shift) * scale, deviation * np.abs(scale)


def targets_off(evidence: Evidence, limits: Mapping[str, float] = TARGETS) -> list[Off]:
    """What is off about the targets of a regression as they are trained; raises
    NotEvaluableError for classes and where the file does not say.
    """
    mean, deviation = _trained_targets(evidence)
    worst = int(np.argmax(np.abs(np.log(np.maximum(np.hypot(mean, deviation), 1e-300)))))
    center, spread = float(mean[worst]), float(deviation[worst])
    size, offset = math.hypot(center, spread), abs(center) / spread if spread > 0 else 0.0
    told = f"as they are trained, targets are {center:.3g} ± {spread:.3g}"
    said = []
    if size > limits["size"]:
        said.append(
            Off(
                "size",
                size,
                limits["size"],
                f"{told}: the first residual is some {size:.3g}, that of targets of unit "
                "size some 1",
            )
        )
    if 0 < spread < limits["small"]:
        said.append(
            Off(
                "small",
                spread,
                limits["small"],
                f"{told}: an untrained net's outputs of some 1 are {1 / spread:.3g} "
                "deviations away",
            )
        )
    if offset > limits["offset"]:
        said.append(
            Off(
                "offset",
                offset,
                limits["offset"],
                f"{told}: the mean is {offset:.3g} deviations, so the first steps learn "
                "nothing else",
            )
        )
    return said


def _trained_targets(evidence: Evidence) -> tuple[Floats, Floats]:
    """Mean and deviation of the targets as they are trained, (output,); of the validation part
    where the file does not say those of training.
    """
    data = evidence.run.data
    if data.get("task") != "regression":
        raise NotEvaluableError(
            "no numbers are learned but classes"
            if "task" in data
            else "the file does not say the task"
        )
    shift, scale = (
        np.asarray(data.get(f"target_{what}", usual), np.float64)
        for what, usual in (("shift", 0.0), ("scale", 1.0))
    )
    if evidence.run.targets_scaled == "":
        shift, scale = np.zeros(1), np.ones(1)
    if "target_mean" in data:
        mean, deviation = (
            np.asarray(data[f"target_{what}"], np.float64) for what in ("mean", "std")
        )
    elif "val_targets" in evidence.run.predictions and len(evidence.run.predictions["val_targets"]):
        targets = np.asarray(evidence.run.predictions["val_targets"], np.float64)
        targets = targets.reshape(len(targets), -1)
        mean, deviation = targets.mean(axis=0), targets.std(axis=0)
    else:
        raise NotEvaluableError("target_mean is not in the file")
    return (mean - shift) * scale, deviation * np.abs(scale)


def off_scale(evidence: Evidence) -> tuple[str, ...]:
    """Names of the remedies that bring inputs and targets to unit size, where they are not."""
    names = []
    for name, look in (("target_scaling", targets_off), ("scaling", inputs_off)):
        try:
            names += [name] if look(evidence) else []
        except NotEvaluableError:
            continue
    return ("both_scales", *names) if len(names) > 1 else tuple(names)
