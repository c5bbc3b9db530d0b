"""What evaluations report besides the loss: every registered metric that suits the task."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dlprobe import registry
from dlprobe.parts.metrics import Metric, Scored
from dlprobe.registry import tidied, unknown

Floats = npt.NDArray[np.float64]
WATCHED_PARTS = ("train", "val")


def suited(task: str) -> dict[str, Metric]:
    """The metrics of a task by name."""
    return {
        name: record for name, record in registry.records("metric").items() if task in record.tasks
    }


def numbers(task: str, part: str, scored: Scored) -> dict[str, Floats]:
    """The metrics of one part that are one number of each evaluation, (…,), by their names in the
    run file; NaN for an empty part.
    """
    return {
        f"{part}_{name}": _measured(record, scored, ())
        for name, record in suited(task).items()
        if record.is_one_number
    }


def per_column(task: str, part: str, scored: Scored) -> dict[str, Floats]:
    """The metrics of one part that have a number per class (…, class), or per target (…, output)
    of several, by their names in the run file.
    """
    columns = scored.classes or scored.outputs.shape[-1]
    return {
        f"{part}_{name}": _measured(record, scored, (columns,))
        for name, record in suited(task).items()
        if record.per_class or (record.per_target and columns > 1)
    }


def _measured(record: Metric, scored: Scored, shape: tuple[int, ...]) -> Floats:
    if not len(scored.targets):
        return np.full((*scored.outputs.shape[:-2], *shape), np.nan)
    return np.asarray(record.measure(scored), np.float64)


def higher_is_better(monitor: str, task: str) -> bool:
    """Whether a larger value is the better one: True for val_accuracy, False for val_loss.

    monitor: `train_` or `val_` before `loss` or the name of a metric. task: `classification` or
        `regression`. Raises ValueError for the test part, and for a metric that this task does not
        have.
    """
    part, _, name = tidied(monitor).partition("_")
    if part == "test":
        raise ValueError("the test part is looked at once, at the end: expected train_… or val_…")
    names = [name for name, record in suited(task).items() if record.is_one_number]
    if part in WATCHED_PARTS and name == "loss":
        return False
    if part not in WATCHED_PARTS or name not in names:
        known = [f"{part}_{each}" for part in ("val", "train") for each in ("loss", *names)]
        raise ValueError(
            unknown(
                "evaluation",
                monitor,
                known,
                "val_ or train_ before loss or a name of dlprobe explain metric",
            )
        )
    return suited(task)[name].higher_is_better
