"""What evaluations report besides the loss: every registered metric that suits the task."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dlprobe import registry
from dlprobe.parts.metrics import Metric, Scored
from dlprobe.registry import tidied, unknown

WATCHED_PARTS = ("train", "val")


def suited(task: str) -> dict[str, Metric]:
    """The metrics of a task by name."""
    return {
        name: record for name, record in registry.records("metric").items() if task in record.tasks
    }


def numbers(task: str, part: str, scored: Scored) -> dict[str, float]:
    """The metrics of one part that are one number, by their names in the run file; NaN for an
    empty part.
    """
    chosen = {name: record for name, record in suited(task).items() if record.is_one_number}
    return {
        f"{part}_{name}": float(record.measure(scored)) if len(scored.targets) else float("nan")
        for name, record in chosen.items()
    }


def per_column(task: str, part: str, scored: Scored) -> dict[str, npt.NDArray[np.float64]]:
    """The metrics of one part that have a number per class (class,), or per target (output,) of
    several, by their names in the run file.
    """
    columns = scored.classes or scored.outputs.shape[1]
    chosen = {
        name: record
        for name, record in suited(task).items()
        if record.per_class or (record.per_target and columns > 1)
    }
    return {
        f"{part}_{name}": record.measure(scored)
        if len(scored.targets)
        else np.full(columns, np.nan)
        for name, record in chosen.items()
    }


def higher_is_better(monitor: str, task: str) -> bool:
    """The direction of what an evaluation calls `monitor`. Raises ValueError, saying what is
    known, where evaluations of this task have no such number.
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
