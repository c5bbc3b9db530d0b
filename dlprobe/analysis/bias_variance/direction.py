"""The one direction in which a run is worth changing: more capacity (or longer training), or more
data (or regularization).

Both cures at once contradict each other, and the two gaps of the textbook do not say which is the
stronger one where nobody knows the reachable error. The losses do better than the errors: a
training error of 0 hides how sure the net is. What the validation loss owes to the training loss
would go with more capacity, the rest with more data.

The shares were found on 320 drawn runs and confirmed on others: `python -m tests.campaigns
bias_directions`.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import numpy as np

from dlprobe.analysis.bias_variance.textbook_reading import THRESHOLD
from dlprobe.analysis.learning.learned import Learning
from dlprobe.analysis.learning.reading import learning
from dlprobe.dataclass import dataclass
from dlprobe.record.sizes import percent
from dlprobe.registry import counted
from dlprobe.runs import Run

Way: TypeAlias = Literal["more capacity", "more data or regularization", "fine", "cannot be told"]

TURNED = 1.1  # last validation loss over the smallest one, as B003 has it
# share of the validation loss that the training loss is, from which on the net does not fit what it
# has
MOSTLY = 0.5
HARDLY = 0.4  # …and up to which it fits its training part far better than new samples
SMALL = 0.1  # training error that may be the best that the data allow…
STANDING = 0.2  # …where so little of the training loss went in the second half of training
# 1 − R² on the training part beyond which noise in the targets is not the likely cause
UNEXPLAINED = 0.5
# training over validation 1 − R² up to which a regression has learned its own samples
LEARNED = 0.7


@dataclass(frozen=True)
class Direction:
    """Where to go, and why, with the numbers of the run."""

    way: Way
    reason: str


@dataclass(frozen=True)
class RunEnd:
    """The numbers of a run that decide its direction. train, val: errors at the end, shares of
    wrong classes or 1 − R².

    train_loss, val_loss: at the end; val_rise: the last validation loss over its smallest;
        late_fall: share of the training loss at half of the updates that was gone at the end.
        narrowest: units of the narrowest hidden layer, 0 where there is none; classes: how many.
        reference: the error that is known to be reachable, None where nobody said; noise: share of
        the training labels that were replaced. plain: error of kernel ridge regression on the
        validation part, NaN where it is not known.
    """

    task: str
    train: float
    val: float
    train_loss: float = math.nan
    val_loss: float = math.nan
    val_rise: float = 1.0
    late_fall: float = math.nan
    narrowest: int = 0
    classes: int = 0
    reference: float | None = None
    noise: float = 0.0
    plain: float = math.nan


def direction(seen: RunEnd) -> Direction:
    """The one direction of a run: the first of these that holds.

    Without a validation part it cannot be told. Fine: both gaps are within 1.5 points, the
    reference being 0 where none is known. A hidden layer narrower than there are classes is a
    bottleneck: more capacity. A validation loss that has risen by a tenth from its best: more data
    or regularization. So is it where the reference says that nothing is missing on the training
    part, and where the net fits its training part as well as kernel ridge regression fits new
    samples, and new samples worse. Then the larger part of the validation loss decides.
    """
    if not (math.isfinite(seen.train) and math.isfinite(seen.val)):
        return Direction("cannot be told", "there is no validation error beside the training error")
    lowest = max(seen.reference or 0.0, seen.noise if seen.task != "regression" else 0.0)
    if seen.train - lowest <= THRESHOLD and seen.val - max(seen.train, lowest) <= THRESHOLD:
        return Direction(
            "fine",
            f"neither error is more than {100 * THRESHOLD:.1f} points above what can be reached",
        )
    if seen.task != "regression" and 0 < seen.narrowest < seen.classes:
        return Direction(
            "more capacity",
            f"a hidden layer of {counted(seen.narrowest, 'unit')} is narrower than there are "
            f"classes, {seen.classes}",
        )
    if seen.val_rise >= TURNED:
        return Direction(
            "more data or regularization",
            f"the validation loss ends at {_times(seen.val_rise)} its smallest",
        )
    if (seen.reference is not None or seen.noise) and seen.train - lowest <= THRESHOLD:
        return Direction(
            "more data or regularization",
            f"the training error, {percent(seen.train)}, is where the reference is, "
            f"{percent(lowest)}",
        )
    if seen.train <= seen.plain < seen.val - THRESHOLD:
        return Direction(
            "more data or regularization",
            f"on new samples the net is wrong by {percent(seen.val)}, kernel ridge regression by "
            f"{percent(seen.plain)}, which is no less than the net on its training part, "
            f"{percent(seen.train)}",
        )
    return _by_regression(seen) if seen.task == "regression" else _by_loss(seen)


def _by_loss(seen: RunEnd) -> Direction:
    if not (seen.val_loss > 0 and math.isfinite(seen.train_loss)):
        return Direction("cannot be told", "there is no validation loss beside the training loss")
    share = seen.train_loss / seen.val_loss
    told = (
        f"the training loss, {seen.train_loss:.3g}, is {percent(share)} of the validation loss, "
        f"{seen.val_loss:.3g}"
    )
    if share >= MOSTLY and seen.train <= 2 * THRESHOLD:
        return Direction(
            "cannot be told", f"the training error, {percent(seen.train)}, is small, and {told}"
        )
    if share >= MOSTLY and seen.train < SMALL and not seen.late_fall >= STANDING:
        return Direction(
            "cannot be told",
            f"a training error of {percent(seen.train)} that hardly falls any more may be "
            "the best that these data allow",
        )
    if share >= MOSTLY:
        return Direction(
            "more capacity", f"{told}: most of what is missing is missing on the training part too"
        )
    if share <= HARDLY:
        return Direction(
            "more data or regularization",
            f"{told}: most of what is missing is missing on new samples only",
        )
    return Direction("cannot be told", f"{told}: either part may be the larger one")


def _by_regression(seen: RunEnd) -> Direction:
    gap = (
        f"1 − R² is {percent(seen.train)} on the training part and {percent(seen.val)} on the "
        "validation part"
    )
    if seen.train > UNEXPLAINED:
        return Direction(
            "more capacity",
            f"{gap}: most of the targets' variance is left over in the training part",
        )
    if seen.train <= LEARNED * seen.val:
        return Direction(
            "more data or regularization",
            f"{gap}: most of what is missing is missing on new samples only",
        )
    return Direction("cannot be told", f"{gap}: noise in the targets would look the same")


def direction_of(run: Run, reference: float | None = None) -> Direction:
    """The direction of a run at its end. reference: the error that is known to be reachable, a
    share of wrong classes or of the variance (1 − R²).

    Raises RunFileError where the file is damaged.
    """
    learned = learning(run)
    if learned is None or not learned.evaluated:
        return Direction("cannot be told", "the run was never evaluated")
    return direction(seen_of(run, learned, reference))


def seen_of(run: Run, learned: Learning, reference: float | None = None) -> RunEnd:
    """The numbers that decide the direction of a run. reference: as in `direction_of`."""
    regression, config = learned.task == "regression", run.configuration
    errors = (
        (1.0 - learned.skill, 1.0 - learned.val_skill)
        if regression
        else (learned.error, learned.val_error)
    )
    train, val = (float(error[-1]) for error in errors)
    if regression and reference is None and learned.ceiling < 1.0:
        reference = 1.0 - learned.ceiling
    units = [layer.units for layer in run.layer_facts[:-1] if layer.units]
    known = bool(np.isfinite(learned.val_loss).any())
    return RunEnd(
        learned.task,
        train,
        val,
        float(learned.loss[-1]),
        float(learned.val_loss[-1]),
        learned.val_rise if known else 1.0,
        late_fall(learned),
        min(units, default=0),
        len(run.data.get("class_names", ())),
        reference,
        config.data.label_noise if config is not None else 0.0,
        1.0 - learned.plain if regression else learned.plain_error,
    )


def late_fall(learned: Learning) -> float:
    """(a − b)/a with a the training loss of the evaluation nearest half of the updates and b the
    last one; NaN for fewer than three evaluations, or where a is not above 0.
    """
    if len(learned.steps) < 3:
        return math.nan
    middle = float(learned.loss[int(np.argmin(np.abs(learned.steps - learned.steps[-1] / 2)))])
    return (middle - float(learned.loss[-1])) / middle if middle > 0 else math.nan


def _times(factor: float) -> str:
    return f"{factor:.3g} times" if math.isfinite(factor) else "far above"
