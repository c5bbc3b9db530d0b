"""What evaluations report besides the loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def predicted_classes(outputs: Array) -> npt.NDArray[np.int64]:
    """The class of each row of outputs (samples, units): the largest output, or the side of 1/2 for a single one."""
    return np.argmax(outputs, axis=1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0.5).astype(np.int64)


def error(task: str, outputs: Array, targets: Array) -> float:
    """Share of wrong classes; for regression the root mean square error over samples and outputs. NaN for an empty part."""
    if not len(outputs):
        return float("nan")
    if task == "classification":
        return float(np.mean(predicted_classes(outputs) != targets))
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.mean(np.square(outputs.astype(np.float64) - targets.reshape(len(targets), -1)))))


def r2(outputs: Array, targets: Array) -> float:
    """Coefficient of determination 1 − Σ(y − p)²/Σ(y − ȳ)², summed over outputs; NaN where the targets are constant or there are none."""
    if not len(targets):
        return float("nan")
    wanted = targets.reshape(len(targets), -1).astype(np.float64)
    with np.errstate(all="ignore"):
        spread = float(np.square(wanted - wanted.mean(axis=0)).sum())
        return float(1.0 - np.square(outputs.astype(np.float64) - wanted).sum() / spread) if spread > 0 else float("nan")


def confusion(outputs: Array, targets: Array, classes: int) -> npt.NDArray[np.uint32]:
    """Samples per (true, predicted) class."""
    table = np.zeros((classes, classes), np.uint32)
    np.add.at(table, (targets, np.minimum(predicted_classes(outputs), classes - 1)), 1)
    return table
