"""How well a run learned: its evaluations on one scale, on which 0 is the best constant answer and 1 a perfect one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.runs import Run

Floats: TypeAlias = npt.NDArray[np.float64]
Steps: TypeAlias = npt.NDArray[np.int64]

WELL = 0.8  # skill on the training part
WELL_NEW = 0.7  # skill on the validation part, where there is one
NOTHING = 0.1  # skill below which nothing was learned
HALF = 0.5  # skill that, reached twice, had been learned
FEW = 100  # updates after which a run is judged by its result
FEWEST, PASSES = 50, 10  # …or so many, where they went through the training part so often
WINDOWS = 10  # of the batch losses of a run without evaluations

StateName: TypeAlias = Literal[
    "learned well",
    "learned in part",
    "learned and lost",
    "did not learn",
    "diverged",
    "too short to tell",
    "interrupted",
    "not evaluated",
    "before training",  # of a configuration, which has not been trained at all
]


@dataclass(frozen=True)
class Learning:
    """The evaluations of a run, each (evaluation,), NaN where there is none.

    evaluated: False of a run without evaluations: then `loss` has the medians of its batch_loss over WINDOWS windows of its recorded rows, from the first
    to the last, and `steps` the middle of each.
    steps: updates made before each. loss, val_loss; error, val_error: share of wrong classes, or root mean square error. skill, val_skill:
    1 − error/chance, chance being the error of always naming the part's commonest class; for regression R². `ceiling` is the largest skill that the
    noise in the targets leaves where it is known, else 1. `chance` is that error (classification) on the training part, NaN for regression.
    `guessing` is the training error of the best constant answer for both tasks, in the unit of `error`; NaN where it is not known. needed: updates
    below which the run is too short to be judged by its result.
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
    guessing: float = math.nan
    needed: int = FEW
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
        return self.updates < self.needed


def learning(run: Run) -> Learning | None:
    """How well a run learned, from its evaluations or else from its batch losses; None without either. Raises RunFileError where the file is damaged."""
    found = run.evaluations
    steps = np.asarray(found.get("step", ()), np.int64)
    loss = np.asarray(found.get("train_loss", ()), np.float64)
    if not len(steps) or not len(loss) or (np.isnan(loss).all() and run.status != "diverged"):
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
    guessing = math.sqrt(target_variance(errors["train"], skills["train"])) if task == "regression" else chance["train"]
    return Learning(task, steps, *values, chance["train"], ceiling, updates, guessing, updates_needed(run))


@dataclass(frozen=True)
class State:
    """What a run has come to, as its training part says it. reason: the numbers, in words."""

    name: StateName
    reason: str

    @property
    def sentence(self) -> str:
        """`did not learn: 63.6 % error …`"""
        return f"{self.name}: {self.reason}"


def state(found: Learning | None, status: str) -> State:
    """Whether a run learned, judged by its end beside the best constant answer; `status` is the run's."""
    if found is None:
        return State("not evaluated", "neither an evaluation nor batch_loss was recorded")
    if status == "diverged":
        return State("diverged", f"numbers are not finite after {found.updates} updates")
    if not np.isfinite(found.error).any():
        return State("not evaluated", f"{found.loss_name} went from {found.loss[0]:.4g} to {found.loss[-1]:.4g}; errors are not known")
    numbers = _numbers(found)
    if not math.isfinite(found.guessing) or not math.isfinite(found.skill[-1]):
        return State("not evaluated", f"{numbers}; what guessing has is not known")
    if found.well:
        risen = _risen(found)
        return State("learned in part" if risen else "learned well", numbers + risen)
    if found.brief:
        return State("too short to tell", f"{found.updates} updates, {found.needed} are needed; {numbers}")
    numbers += f", after {found.updates} updates"
    start = max(float(found.skill[0]) / found.ceiling, 0.0) if found.steps[0] == 0 and math.isfinite(found.skill[0]) else 0.0
    if found.reached >= NOTHING and found.reached - start >= NOTHING:
        return State("learned in part", numbers)
    later = found.skill[1:] / found.ceiling
    if np.count_nonzero(later >= HALF) >= 2:  # one evaluation may be luck
        return State("learned and lost", f"{numbers}; it once had {_size(found, float(np.nanmin(found.error[1:])))}")
    return State("did not learn", numbers + (f"; untrained it had {_size(found, float(found.error[0]))}" if start >= NOTHING else ""))


def _numbers(found: Learning) -> str:
    """The errors of both parts at the end, and that of guessing, in percent or in the unit of the targets."""
    told = "error (RMS) " if found.task == "regression" else "error "
    told += f"{_size(found, float(found.error[-1]))} in training"
    if math.isfinite(found.val_error[-1]):
        told += f", {_size(found, float(found.val_error[-1]))} in validation"
    if not math.isfinite(found.guessing):
        return told
    return f"{told}; always guessing {'the mean' if found.task == 'regression' else 'one class'} has {_size(found, found.guessing)}"


def _size(found: Learning, error: float) -> str:
    return f"{error:.4g}" if found.task == "regression" else f"{100 * error:.1f} %"


def _risen(found: Learning) -> str:
    """Which loss is above that before training, where the errors are small; empty where none is."""
    for part, loss in (("training", found.loss), ("validation", found.val_loss)):
        if loss[-1] > loss[0]:
            return f"; but the {part} loss, {loss[-1]:.3g}, is above the {loss[0]:.3g} before training"
    return ""


def updates_needed(run: Run) -> int:
    """Updates after which a run is judged by its result: a hundred, or ten passes over its training part where those are fewer, but at least fifty."""
    samples, size = len(run.data.get("train_indices", ())), run.facts.batch_size
    if not samples or size is None:
        return FEW
    return min(FEW, max(FEWEST, PASSES * math.ceil(samples / size)))


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
    variance = target_variance(error, r2)
    if task != "regression" or noise_variance is None or not variance > 0.0:
        return 1.0
    return max(1.0 - float(noise_variance) / variance, 0.05)


def target_variance(error: Floats, r2: Floats) -> float:
    """The variance of the targets, error²/(1 − R²) of the first evaluation that tells it; NaN where none does.

    >>> target_variance(np.array([2.0]), np.array([0.75]))
    16.0
    """
    usable = np.flatnonzero(np.isfinite(error) & np.isfinite(r2) & (r2 < 1.0))
    return float(error[usable[0]] ** 2 / (1.0 - r2[usable[0]])) if len(usable) else math.nan
