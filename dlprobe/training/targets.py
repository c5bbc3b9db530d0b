"""What a net is trained to give: classes as zeros and ones, numbers as loss and output
activation can take them; and the way back to the user's units.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.config import FieldError
from dlprobe.data import PreparedData, Scaler
from dlprobe.data.places import quoted
from dlprobe.data.scaling import fit_targets
from dlprobe.dataclass import dataclass
from dlprobe.errors import DataError
from dlprobe.registry import Spec

Array = npt.NDArray[Any]
UNIT_INTERVAL = (0.0, 1.0)
# the share of training targets beyond what the output can give from which that is said
OUT_OF_REACH = 0.05


@dataclass(frozen=True)
class TargetScaling:
    """How the targets of a regression are scaled: none, standardize, or minmax onto `interval`."""

    kind: str = "none"
    interval: tuple[float, float] = UNIT_INTERVAL


def target_scaling(asked: str, loss: Spec, output: Spec, task: str) -> TargetScaling:
    """What `target_scaling` means for this loss and output activation.

    auto: standardize where loss and output allow every number, minmax where they allow a range, and
    none for a loss that takes no numbers. minmax scales onto the range where both of its ends are
    finite (0…1 of a sigmoid, −1…1 of tanh), else onto an interval of length 1 within it, 0…1 where
    that is. Raises FieldError where classes are to be scaled.
    """
    if task == "classification":
        if asked not in ("auto", "none"):
            raise FieldError(
                "data",
                "target_scaling",
                asked,
                "the data is classification, classes are not scaled: expected auto or none",
            )
        return TargetScaling()
    allowed = allowed_targets(loss, output)
    if asked == "auto":
        asked = (
            "none"
            if allowed is None
            else "standardize"
            if allowed == (-math.inf, math.inf)
            else "minmax"
        )
    return TargetScaling(asked, _interval(*(allowed or UNIT_INTERVAL)))


def allowed_targets(loss: Spec, output: Spec) -> tuple[float, float] | None:
    """(low, high) of the targets that the loss takes and the output activation gives, infinite
    where nothing bounds them; None where there are none.
    """
    taken = loss.record.target_range
    if taken is None:
        return None
    bounds = output.record.output_range(*output.parameters.values())
    low, high = max(taken[0], bounds[0]), min(taken[1], bounds[1])
    return (low, high) if low < high else None


def _interval(low: float, high: float) -> tuple[float, float]:
    """What minmax scales onto within a range."""
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    if low <= 0.0 and high >= 1.0:
        return UNIT_INTERVAL
    return (low, low + 1.0) if math.isfinite(low) else (high - 1.0, high)


def fitted(scaling: TargetScaling, data: PreparedData) -> Scaler | None:
    """The scaler of the targets, fitted in float64 on the training part of `data`; None for
    classes. Raises DataError for a range beyond float64.
    """
    if data.task == "classification":
        return None
    return fit_targets(
        scaling.kind, scaling.interval, data.targets["train"], data.target_names, data.name
    )


def encode_targets(
    loss: Spec,
    outputs: int,
    data: PreparedData,
    scaler: Scaler | None,
    part: str,
    dtype: npt.DTypeLike,
) -> Array:
    """Targets of a part as (samples, outputs) of `dtype`, as they are trained: numbers scaled;
    classes one-hot, the class index for a single output, or signs for a signed loss. Raises
    DataError for a number that does not fit the dtype.
    """
    targets = data.targets[part]
    if scaler is not None:
        return _numbers(data, scaler, part, dtype)
    encoded = np.zeros((len(targets), outputs), dtype)
    if outputs == 1:
        encoded[:, 0] = targets
    else:
        encoded[np.arange(len(targets)), targets] = 1
    return 2 * encoded - 1 if loss.record.signed else encoded


def _numbers(data: PreparedData, scaler: Scaler, part: str, dtype: npt.DTypeLike) -> Array:
    targets = data.targets[part].reshape(len(data.targets[part]), data.outputs)
    with np.errstate(over="ignore"):
        trained = np.ascontiguousarray(
            targets if scaler.kind == "none" else scaler.apply(targets), dtype
        )
    finite = np.isfinite(trained)
    if not finite.all():
        row, column = divmod(int(np.argmin(finite)), trained.shape[1])
        place = f"sample {data.indices[part][row] + 1}, target {quoted(data.target_names[column])}"
        cure = (
            "target_scaling = standardize, dtype = float64"
            if scaler.kind == "none"
            else "dtype = float64"
        )
        fault = (
            f"{targets[row, column]:g} does not fit "
            f"{np.dtype(dtype)}{'' if scaler.kind == 'none' else ' after scaling'}"
        )
        raise DataError(f"{data.name}: {place}: {fault}: use {cure}, or rescale the column")
    return trained


def in_user_units(scaler: Scaler | None, outputs: Array) -> Array:
    """A net's outputs (samples, outputs) in the units of the targets as they were given:
    float64 where targets were scaled, else as they are.
    """
    return (
        outputs
        if scaler is None or scaler.kind == "none"
        else scaler.undo(outputs.astype(np.float64))
    )


def constant_targets(data: PreparedData) -> str | None:
    """A warning where a target column of a regression is the same in every training sample;
    None where none is.
    """
    if data.task == "classification":
        return None
    same = [
        name
        for name, spread in zip(
            data.target_names, np.ptp(data.targets["train"], axis=0), strict=True
        )
        if spread == 0
    ]
    if not same:
        return None
    return (
        f"target {', '.join(map(quoted, same[:4]))} is constant in the training part: there is "
        "nothing to learn of it, and R² is not defined"
    )


def out_of_reach(
    scaling: TargetScaling, loss: Spec, output: Spec, data: PreparedData
) -> str | None:
    """A warning where targets, as they are trained, lie outside what loss and output activation
    allow; None where they do not.
    """
    scaler, allowed = fitted(scaling, data), allowed_targets(loss, output)
    if scaler is None or allowed is None:
        return None
    trained = scaler.apply(data.targets["train"])
    slack = 1e-9 * max(1.0, *(abs(end) for end in allowed if math.isfinite(end)), 0.0)
    outside = float(np.mean((trained < allowed[0] - slack) | (trained > allowed[1] + slack)))
    if outside <= OUT_OF_REACH:
        return None
    fault = f"{outside:.0%} of the training targets lie outside {allowed[0]:g} … {allowed[1]:g}"
    return (
        f"target_scaling = {scaler.kind}: {fault}, which output_activation = {output} with loss = "
        f"{loss} allows: take target_scaling = auto"
    )
