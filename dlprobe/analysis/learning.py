"""How well a run learned: its evaluations on one scale, on which 0 is the best constant answer and 1 a perfect one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.runs import Run

Floats: TypeAlias = npt.NDArray[np.float64]
Steps: TypeAlias = npt.NDArray[np.int64]

WELL = 0.8  # skill on the training part
WELL_NEW = 0.7  # skill on the validation part, where there is one
FEW = 100
WINDOWS = 10  # of the batch losses of a run without evaluations


@dataclass(frozen=True)
class Learning:
    """The evaluations of a run, each (evaluation,), NaN where there is none.

    evaluated: False of a run without evaluations: then `loss` has the medians of its batch_loss over WINDOWS windows of its recorded rows, from the first
    to the last, and `steps` the middle of each.
    steps: updates made before each. loss, val_loss; error, val_error: share of wrong classes, or root mean square error. skill, val_skill:
    1 − error/chance, chance being the error of always naming the part's commonest class; for regression R². `ceiling` is the largest skill that the
    noise in the targets leaves where it is known, else 1. `chance` is that error (classification) on the training part, NaN for regression.
    """

    task: str
    steps: Steps
    loss: Floats
    val_loss: Floats
    error: Floats
    val_error: Floats
    skill: Floats
    val_skill: Floats
    chance: float
    ceiling: float
    updates: int
    evaluated: bool = True

    @property
    def loss_name(self) -> str:
        """What `loss` is, as evidence names it."""
        return "train_loss" if self.evaluated else f"the windowed median of batch_loss ({len(self.loss)} windows; the run has no evaluations)"

    @property
    def moments_name(self) -> str:
        """What the entries of `loss` are."""
        return "evaluations" if self.evaluated else "windows of batch_loss"

    @property
    def moment_name(self) -> str:
        """What one entry of `loss` is."""
        return "evaluation" if self.evaluated else "window of batch_loss"

    @property
    def reached(self) -> float:
        """Skill on the training part at the end, as a share of the ceiling; −∞ where it is not a number.

        Where no error was ever evaluated, the share of the training loss that is gone stands in: a run of which only losses are known. Of a loss that does
        not begin above 0 there is no such share.
        """
        known = np.isfinite(self.skill).any()
        if not known and not self.loss[0] > 0.0:
            return -math.inf
        last = float(self.skill[-1]) / self.ceiling if known else 1.0 - float(self.loss[-1]) / float(self.loss[0])
        return last if math.isfinite(last) else -math.inf

    @property
    def best(self) -> float:
        """Largest skill on the training part, as a share of the ceiling."""
        found = self.skill[np.isfinite(self.skill)]
        return float(found.max()) / self.ceiling if len(found) else -math.inf

    @property
    def well(self) -> bool:
        """Whether the run learned well: most of what there was to learn, on its training part and on its validation part where there is one."""
        new = float(self.val_skill[-1]) / self.ceiling
        return self.reached >= WELL and not new < WELL_NEW

    @property
    def best_val(self) -> int:
        """The evaluation with the smallest validation loss. Raises ValueError where there is none."""
        return int(np.nanargmin(self.val_loss))

    @property
    def val_rise(self) -> float:
        """The last validation loss over the smallest one; infinite where only the smallest is 0. Raises ValueError where there is none."""
        lowest, last = float(self.val_loss[self.best_val]), float(self.val_loss[-1])
        if lowest == 0.0:
            return math.inf if last > 0.0 else 1.0
        return last / lowest

    @property
    def last_finite(self) -> int:
        """The last evaluation with a finite training loss (in a net of NaN every unit looks dead); −1, the last one, where there is none."""
        usable = np.flatnonzero(np.isfinite(self.loss))
        return int(usable[-1]) if len(usable) else -1

    @property
    def late(self) -> Floats:
        """The finite training losses of the second half of the evaluations."""
        half = self.loss[len(self.loss) // 2 :]
        return half[np.isfinite(half)]

    @property
    def swing(self) -> tuple[float, float]:
        """Of the late training losses: mean |change| from one evaluation to the next over their mean, and the share of changes upwards; NaN below two."""
        late = self.late
        if len(late) < 2:
            return math.nan, math.nan
        changes = np.diff(late)
        return float(np.abs(changes).mean() / late.mean()), float(np.mean(changes > 0))

    @property
    def brief(self) -> bool:
        """Whether too few updates were made to expect much."""
        return self.updates < FEW


def learning(run: Run) -> Learning | None:
    """How well a run learned, from its evaluations or else from its batch losses; None without either. Raises RunFileError where the file is damaged."""
    found = run.evaluations
    steps = np.asarray(found.get("step", ()), np.int64)
    loss = np.asarray(found.get("train_loss", ()), np.float64)
    if not len(loss) or (np.isnan(loss).all() and run.status != "diverged"):
        return from_batch_losses(run)

    def series(name: str) -> Floats:
        return np.asarray(found.get(name, np.full(len(steps), np.nan)), np.float64)

    task = str(run.data.get("task", "classification"))
    chance = {part: chance_error(run.data.get(f"{part}_class_counts")) for part in ("train", "val")}
    skills = {}
    for part in ("train", "val"):
        with np.errstate(all="ignore"):
            skills[part] = series(f"{part}_r2") if task == "regression" else 1.0 - series(f"{part}_error") / chance[part]
    losses, errors = ({part: series(f"{part}_{what}") for part in ("train", "val")} for what in ("loss", "error"))
    updates = int(run.final.get("steps_done", max(steps[-1], run.steps[-1] + 1 if len(run.steps) else 0)))
    ceiling = noise_ceiling(task, run.data.get("noise_variance"), errors["train"], skills["train"])
    values = (losses["train"], losses["val"], errors["train"], errors["val"], skills["train"], skills["val"])
    return Learning(task, steps, *values, chance["train"], ceiling, updates)


def from_batch_losses(run: Run) -> Learning | None:
    """How well a run learned by the loss of its batches, medians over WINDOWS windows; None where it was not recorded."""
    if not len(run.steps) or not run.is_recorded("batch_loss"):
        return None
    windows = [rows for rows in np.array_split(np.arange(len(run.steps)), WINDOWS) if len(rows)]
    losses = [run.scalar("batch_loss")[rows] for rows in windows]
    loss = np.array([np.nan if np.isnan(each).all() else np.nanmedian(each) for each in losses])
    steps = np.array([run.steps[rows[len(rows) // 2]] for rows in windows], np.int64)
    unknown = np.full(len(loss), np.nan)
    updates = int(run.final.get("steps_done", run.steps[-1] + 1))
    task = str(run.data.get("task", "classification"))
    return Learning(task, steps, loss, unknown, unknown, unknown, unknown, unknown, math.nan, 1.0, updates, evaluated=False)


def chance_error(counts: Any) -> float:
    """Error of always naming the commonest class; NaN where there are no counts.

    >>> chance_error([30, 10])
    0.25
    """
    found = np.asarray(() if counts is None else counts, np.float64)
    return 1.0 - float(found.max() / found.sum()) if found.size and found.sum() > 0 else math.nan


def noise_ceiling(task: str, noise_variance: float | None, error: Floats, r2: Floats) -> float:
    """The R² that known noise leaves, 1 − noise/variance of the targets, which is error²/(1 − R²) of any evaluation; 1 where it is not known."""
    usable = np.isfinite(error) & np.isfinite(r2) & (r2 < 1.0)
    if task != "regression" or noise_variance is None or not usable.any():
        return 1.0
    at = int(np.argmax(usable))
    variance = error[at] ** 2 / (1.0 - r2[at])
    return max(1.0 - float(noise_variance) / variance, 0.05) if variance > 0 else 1.0
