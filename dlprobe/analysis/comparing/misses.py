"""What a run got wrong, sample by sample: its stored predictions of the parts that it did not
train on.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.config import parse_spec
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.parts.metrics import Scored
from dlprobe.record.layout import PARTS
from dlprobe.runs import Run

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Misses:
    """The samples of one part. rows: int64 (sample,), rows of the data set, in the order of the
    file; sizes: float64 (sample,), how far off each is:

    classes: 1 for a wrong one, 0 for a right one; regression: the Euclidean norm of output minus
        target, infinite where it is not a number.
    """

    rows: npt.NDArray[Any]
    sizes: Floats


def misses_of(run: Run) -> dict[str, Misses]:
    """The misses of each part of which the file holds predictions, targets and rows. Raises
    RunFileError where the file is damaged.
    """
    return {part: misses for part in PARTS if (misses := _misses(run, part)) is not None}


def _misses(run: Run, part: str) -> Misses | None:
    outputs, targets = (run.predictions.get(f"{part}_{what}") for what in ("outputs", "targets"))
    rows = run.data.get(f"{part}_indices")
    if (
        outputs is None
        or targets is None
        or rows is None
        or outputs.ndim != 2
        or not 0 < len(rows) == len(outputs) == len(targets)
    ):
        return None
    if run.data.get("task") == "classification":
        threshold = threshold_of(run)
        if threshold is None and outputs.shape[1] == 1:
            return None
        scored = Scored(outputs, targets, len(run.data.get("class_names", ())), threshold or 0.0)
        return Misses(rows, (scored.predicted != targets).astype(np.float64))
    with np.errstate(all="ignore"):
        sizes: Floats = np.sqrt(np.square(Scored(outputs, targets).residuals).sum(axis=1))
    return Misses(rows, np.where(np.isnan(sizes), np.inf, sizes))


def threshold_of(run: Run) -> float | None:
    """The stored output above which a net with one output names the second class: 0 under losses
    whose classes are −1 and +1, 0.5 under all others. None where the run's loss is not known.
    """
    loss = run.facts.loss
    try:
        if loss is None:
            return None
        return float(
            parse_spec("loss", "cross_entropy" if loss == "auto" else loss).record.threshold
        )
    except ConfigError:  # a loss that this dlprobe does not have
        return None
