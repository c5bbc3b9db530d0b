"""How well a run learned: its evaluations on one scale, on which 0 is the best constant answer
and 1 a perfect one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.learning.reachable import (
    chance_error,
    correctable,
    floor_ceiling,
    guessing_loss,
    label_noise_ceiling,
    noise_ceiling,
    target_variance,
)
from dlprobe.registry import counted
from dlprobe.runs import Run

Floats: TypeAlias = npt.NDArray[np.float64]
Steps: TypeAlias = npt.NDArray[np.int64]

WELL = 0.8  # skill on the training part
WELL_NEW = 0.7  # skill on the validation part, where there is one
# share of the reachable skill, where rows or another run on the same data say what is reachable
OF_KNOWN = 0.9
# times less squared error by an affine change of the outputs: then the residual is not what the
# data leave
CORRECTABLE = 10.0
# error on new samples above that on the training part from which a net has learned its samples more
# than what they have in common
GAP = 0.1
NOTHING = 0.1  # skill below which nothing was learned
# skill that, reached twice, had been learned; below it a net has not learned most of its training
# part
HALF = 0.5
MOVED = 0.01  # share of the loss that went: training did something
SOMETHING = 0.25  # skill on the training part from which a net learned something of it
LOST = 0.5  # share of it that is left where it was lost
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

    evaluated: False of a run without evaluations: then `loss` has the medians of its batch_loss
        over WINDOWS windows of its recorded rows, from the first to the last, and `steps` the
        middle of each.
    steps: updates made before each. loss, val_loss; error, val_error: share of wrong classes, or
        root mean square error. skill, val_skill:
    1 − error/chance, chance being the error of always naming the part's commonest class; for
    regression R². `ceiling` is the largest R² that the noise which the maker of the data states
    leaves, else 1: for the textbook reading, which asks for a reference. `chance` is that error
    (classification) on the training part, NaN for regression. `guessing` is the training error of
    the best constant answer for both tasks, in the unit of `error`; NaN where it is not known.
    needed: updates below which the run is too short to be judged by its result.
    reachable, val_reachable: the largest skill that rows which repeat, label noise that was asked
        for, or the best run on the same data allow, else 1;
    known: whether rows or another run say so. guessing_loss, val_guessing_loss: loss of the best
        constant answer. correctable: how many times an affine change of the outputs lowers the
        squared error. All NaN where they are not known. val_samples: rows of the validation part, 0
        where there is none. plain: skill on it of kernel ridge regression, NaN where that was not
        asked.
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
    reachable: float = 1.0
    val_reachable: float = 1.0
    known: bool = False
    guessing_loss: float = math.nan
    val_guessing_loss: float = math.nan
    correctable: float = math.nan
    val_samples: int = 0
    plain: float = math.nan

    @property
    def loss_name(self) -> str:
        """What `loss` is, as evidence names it."""
        return (
            "train_loss"
            if self.evaluated
            else (
                f"the windowed median of batch_loss ({len(self.loss)} windows; the run has no "
                "evaluations)"
            )
        )

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
        """Skill on the training part at the end, as a share of what is reachable; −∞ where it is
        not a number.

        Where no error was ever evaluated, the share of the training loss that is gone stands in: a
        run of which only losses are known. Of a loss that does not begin above 0 there is no such
        share.
        """
        known = np.isfinite(self.skill).any()
        if not known and not self.loss[0] > 0.0:
            return -math.inf
        last = (
            float(self.skill[-1]) / self.reachable
            if known
            else 1.0 - float(self.loss[-1]) / float(self.loss[0])
        )
        return last if math.isfinite(last) else -math.inf

    @property
    def validated(self) -> bool:
        """Whether there are errors of a validation part at the end."""
        return math.isfinite(self.val_skill[-1])

    @property
    def judged(self) -> Floats:
        """Skill as a share of what is reachable, on the validation part where there is one,
        else on the training part, (evaluation,).
        """
        return (
            self.val_skill / self.val_reachable if self.validated else self.skill / self.reachable
        )

    @property
    def doubt(self) -> float:
        """Standard error of the last of `judged`: what its validation samples leave open; 0
        where that is not known.
        """
        if not self.validated or self.task == "regression" or not self.val_samples:
            return 0.0
        error = min(max(float(self.val_error[-1]), 0.0), 1.0)
        chance = error / (1.0 - float(self.val_skill[-1])) if self.val_skill[-1] < 1.0 else math.inf
        return (
            math.sqrt(error * (1.0 - error) / self.val_samples) / chance / self.val_reachable
            if chance > 0.0
            else 0.0
        )

    @property
    def best(self) -> float:
        """Largest skill of `judged` that was reached or passed twice after the first update
        (one evaluation may be luck); −∞ below two.
        """
        later = np.sort(self.judged[self.steps > 0])
        later = later[np.isfinite(later)]
        return float(later[-2]) if len(later) > 1 else -math.inf

    @property
    def well(self) -> bool:
        """Whether the run learned well: most of what there was to learn, on its training part and
        on its validation part where there is one, by error and by loss; or, where data do not allow
        that much, as well as a plain method does on the same samples.
        """
        if self.as_plain:
            return not self.flaw
        enough = OF_KNOWN if self.known else WELL
        judged = (
            float(self.judged[-1])
            if self.validated and math.isfinite(self.reached)
            else self.reached
        )
        return max(self.reached, judged) >= enough and not self.shortfall

    @property
    def as_plain(self) -> bool:
        """Whether new samples are answered as well as by kernel ridge regression, which learned
        something: then nothing says that the data allow more, unless their rows do.
        """
        enough = float(self.val_skill[-1]) >= OF_KNOWN * self.plain
        return enough and self.plain >= NOTHING and not self.known

    @property
    def plain_error(self) -> float:
        """Error of kernel ridge regression on the validation part; NaN where it is not known."""
        left = (1.0 - self.plain) / (1.0 - float(self.val_skill[-1]))
        return float(self.val_error[-1]) * (math.sqrt(left) if self.task == "regression" else left)

    @property
    def shortfall(self) -> str:
        """What a run whose training error is small enough still lacks, in words; empty where it
        lacks nothing.
        """
        new = float(self.val_skill[-1]) / self.val_reachable
        if new < (OF_KNOWN if self.known else WELL_NEW) - self.doubt * self.known:
            return (
                f"on new samples it has come {max(new, 0.0):.0%} of the way from guessing to "
                "the best"
            )
        if self.memorised:
            return "it makes far more errors on new samples"
        return self.flaw

    @property
    def flaw(self) -> str:
        """What speaks against the run however good its skill is, in words; empty for nothing."""
        if self.overconfident > 1.0:
            return (
                f"but its loss is {self.overconfident:.3g} times that of guessing: its "
                "probabilities are wrong"
            )
        if self.correctable > CORRECTABLE:
            return (
                "but another scale and offset of its outputs alone would leave a "
                f"{self.correctable:.2g}th of the squared error or less"
            )
        part = next(
            (
                part
                for part, loss in (("training", self.loss), ("validation", self.val_loss))
                if loss[-1] > loss[0]
            ),
            "",
        )
        if part and math.isnan(self.overconfident) and self.steps[0] == 0:
            loss = self.loss if part == "training" else self.val_loss
            return (
                f"but the {part} loss, {loss[-1]:.3g}, is above the {loss[0]:.3g} before training"
            )
        return ""

    @property
    def gap(self) -> tuple[float, float]:
        """Error on the validation part above that on the training part, and its standard error;
        NaN where one is not known, or for a regression.
        """
        if self.task == "regression" or not self.val_samples:
            return math.nan, math.nan
        error = float(self.val_error[-1])
        return error - float(self.error[-1]), math.sqrt(
            max(error * (1.0 - error), 0.0) / self.val_samples
        )

    @property
    def memorised(self) -> bool:
        """Whether the error on new samples is above that on the training part by GAP or more,
        and by more than twice its standard error.
        """
        gap, spread = self.gap
        return gap >= GAP and gap > 2.0 * spread

    @property
    def overconfident(self) -> float:
        """The loss at the end over that of the best constant answer, on the validation part
        where there is one; NaN where that is not known.
        """
        if math.isfinite(self.val_loss[-1]) and self.val_guessing_loss > 0.0:
            return float(self.val_loss[-1]) / self.val_guessing_loss
        return (
            float(self.loss[-1]) / self.guessing_loss
            if self.guessing_loss > 0.0 and not self.validated
            else math.nan
        )

    @property
    def untrained(self) -> float:
        """What an untrained net has of `judged` by the luck of its weights, at least 0."""
        first = float(self.judged[0])
        return max(first, 0.0) if self.steps[0] == 0 and math.isfinite(first) else 0.0

    def something(self, least: float = NOTHING) -> bool:
        """Whether the run ends with something that it learned: better than guessing, and by
        error or by loss than it was untrained.
        """
        end = float(self.judged[-1])
        fell = 1.0 - float(self.loss[-1]) / float(self.loss[0]) if self.loss[0] > 0.0 else 0.0
        return end >= least and (
            end - self.untrained >= least or fell >= least or (end >= SOMETHING and fell >= MOVED)
        )

    @property
    def lost(self) -> bool:
        """Whether it had learned, and ends with less than LOST of that, by more than chance
        among its validation samples.
        """
        end = float(self.judged[-1])
        return self.best >= HALF and end < LOST * self.best and self.best - end > 3.0 * self.doubt

    @property
    def best_val(self) -> int:
        """The evaluation with the smallest validation loss. Raises ValueError where there is
        none.
        """
        return int(np.nanargmin(self.val_loss))

    @property
    def val_rise(self) -> float:
        """The last validation loss over the smallest one; infinite where only the smallest is
        0. Raises ValueError where there is none.
        """
        lowest, last = float(self.val_loss[self.best_val]), float(self.val_loss[-1])
        if lowest == 0.0:
            return math.inf if last > 0.0 else 1.0
        return last / lowest

    @property
    def last_finite(self) -> int:
        """The last evaluation with a finite training loss (in a net of NaN every unit looks
        dead); −1, the last one, where there is none.
        """
        usable = np.flatnonzero(np.isfinite(self.loss))
        return int(usable[-1]) if len(usable) else -1

    @property
    def late(self) -> Floats:
        """The finite training losses of the second half of the evaluations."""
        half = self.loss[len(self.loss) // 2 :]
        return half[np.isfinite(half)]

    @property
    def swing(self) -> tuple[float, float]:
        """Of the late training losses: mean |change| from one evaluation to the next over their
        mean, and the share of changes upwards; NaN below two.
        """
        late = self.late
        if len(late) < 2:
            return math.nan, math.nan
        changes = np.diff(late)
        return float(np.abs(changes).mean() / late.mean()), float(np.mean(changes > 0))

    @property
    def brief(self) -> bool:
        """Whether too few updates were made to expect much."""
        return self.updates < self.needed


def learning(run: Run, best: Learning | None = None) -> Learning | None:
    """How well a run learned, from its evaluations or else from its batch losses; None without
    either. Raises RunFileError where the file is damaged.

    best: the best run on the same data, whose skill is then what can be reached.
    """
    found = run.evaluations
    steps = np.asarray(found.get("step", ()), np.int64)
    loss = np.asarray(found.get("train_loss", ()), np.float64)
    if not len(steps) or not len(loss) or (np.isnan(loss).all() and run.status != "diverged"):
        return from_batch_losses(run)

    restored = (
        run.status == "finished" and "best_step" in run.final
    )  # it ends with the parameters that early stopping kept, not with those of the last step

    def series(name: str) -> Floats:
        values = np.array(found.get(name, np.full(len(steps), np.nan)), np.float64)
        if restored and name in run.final:
            values[-1] = run.final[name]
        return values

    loss = series("train_loss")
    task = str(run.data.get("task", "classification"))
    chance = {part: chance_error(run.data.get(f"{part}_class_counts")) for part in ("train", "val")}
    skills = {}
    for part in ("train", "val"):
        with np.errstate(all="ignore"):
            skills[part] = (
                series(f"{part}_r2")
                if task == "regression"
                else 1.0 - series(f"{part}_error") / chance[part]
            )
    losses, errors = (
        {part: series(f"{part}_{what}") for part in ("train", "val")} for what in ("loss", "error")
    )
    updates = int(
        run.final.get("steps_done", max(steps[-1], run.steps[-1] + 1 if len(run.steps) else 0))
    )
    ceiling = noise_ceiling(task, run.data.get("noise_variance"), errors["train"], skills["train"])
    values = (
        losses["train"],
        losses["val"],
        errors["train"],
        errors["val"],
        skills["train"],
        skills["val"],
    )
    guessing = {
        part: math.sqrt(target_variance(errors[part], skills[part]))
        if task == "regression"
        else chance[part]
        for part in ("train", "val")
    }
    floors = {part: floor_ceiling(run, part, guessing[part]) for part in ("train", "val")}
    made = Learning(
        task,
        steps,
        *values,
        chance=chance["train"],
        ceiling=ceiling,
        updates=updates,
        guessing=guessing["train"],
        needed=updates_needed(run),
        reachable=floors["train"]
        if math.isfinite(floors["train"])
        else label_noise_ceiling(run, guessing["train"]),
        val_reachable=floors["val"] if math.isfinite(floors["val"]) else 1.0,
        known=math.isfinite(floors["train"]),
        guessing_loss=guessing_loss(run, "train"),
        val_guessing_loss=guessing_loss(run, "val"),
        correctable=correctable(run),
        val_samples=len(run.data.get("val_indices", ())),
        plain=float(run.final.get("val_plain_skill", math.nan)),
    )
    return made if best is None else beside(made, best)


def beside(found: Learning, best: Learning) -> Learning:
    """The same, with the skills of a better run on the same data as what can be reached; itself
    where that is no better.
    """
    train, new = min(float(best.skill[-1]), 1.0), min(float(best.val_skill[-1]), 1.0)
    if (
        not (train >= NOTHING and (new >= NOTHING or not best.validated))
        or best.judged[-1] <= found.judged[-1]
    ):
        return found
    return replace(
        found,
        known=True,
        reachable=train,
        val_reachable=new if best.validated else found.val_reachable,
    )


@dataclass(frozen=True)
class State:
    """What a run has come to. reason: the numbers, in words. now, guess: the two numbers that say
    so, the error at the end (on the validation part where there is one) and that of always
    guessing, as shares of wrong classes or root mean squares; NaN where they are not known.
    """

    name: StateName
    reason: str
    now: float = math.nan
    guess: float = math.nan

    @property
    def sentence(self) -> str:
        """`did not learn: 63.6 % error …`"""
        return f"{self.name}: {self.reason}"


def state(found: Learning | None, status: str) -> State:
    """What a run has come to, judged by its end beside the best constant answer; `status` is
    the run's.
    """
    name, reason = _state(found, status)
    if found is None:
        return State(name, reason)
    now = (
        float(found.val_error[-1]) if math.isfinite(found.val_error[-1]) else float(found.error[-1])
    )
    return State(name, reason, now, found.guessing)


def _state(found: Learning | None, status: str) -> tuple[StateName, str]:
    if found is None:
        return "not evaluated", "neither an evaluation nor batch_loss was recorded"
    if status == "diverged":
        return "diverged", f"numbers are not finite after {counted(found.updates, 'update')}"
    if not np.isfinite(found.error).any():
        return (
            "not evaluated",
            (
                f"{found.loss_name} went from {found.loss[0]:.4g} to {found.loss[-1]:.4g}; errors "
                "are not known"
            ),
        )
    numbers = _numbers(found)
    if not math.isfinite(found.guessing) or not math.isfinite(found.skill[-1]):
        return "not evaluated", f"{numbers}; what guessing has is not known"
    if found.well:
        return "learned well", numbers
    if found.brief:
        return (
            "too short to tell",
            (
                f"{counted(found.updates, 'update')} of the {found.needed} that are needed; "
                f"{_numbers(found, found.validated)}"
            ),
        )
    if found.lost:
        return (
            "learned and lost",
            f"{numbers}; it once had {_size(found, float(np.nanmin(_errors(found)[1:])))}",
        )
    if found.something():
        return "learned in part", numbers + (
            f"; {found.shortfall}" if found.reached >= WELL and found.shortfall else ""
        )
    return "did not learn", numbers + (
        f"; untrained it had {_size(found, float(_errors(found)[0]))}"
        if found.untrained >= NOTHING
        else ""
    )


def _errors(found: Learning) -> Floats:
    return found.val_error if found.validated else found.error


def _numbers(found: Learning, new_only: bool = False) -> str:
    """The errors of both parts at the end, or that on new samples, and that of guessing, in
    percent or in the unit of the targets.
    """
    parts = {"training": float(found.error[-1]), "validation": float(found.val_error[-1])}
    told = [
        f"{_size(found, error)} in {part}"
        for part, error in parts.items()
        if math.isfinite(error) and not (new_only and part == "training")
    ]
    guessing = (
        (
            f"; guessing {'the mean ' if found.task == 'regression' else ''}has "
            f"{_size(found, found.guessing)}"
        )
        if math.isfinite(found.guessing)
        else ""
    )
    plain = (
        f", kernel ridge regression {_size(found, found.plain_error)}"
        if math.isfinite(found.plain)
        else ""
    )
    what = "error (RMS)" if found.task == "regression" else "error"
    return f"{what} {', '.join(told)}{guessing}{plain}"


def _size(found: Learning, error: float) -> str:
    return f"{error:.4g}" if found.task == "regression" else f"{100 * error:.1f} %"


def updates_needed(run: Run) -> int:
    """Updates after which a run is judged by its result: a hundred, or ten passes over its
    training part where those are fewer, but at least fifty.
    """
    samples, size = len(run.data.get("train_indices", ())), run.facts.batch_size
    if not samples or size is None:
        return FEW
    return min(FEW, max(FEWEST, PASSES * math.ceil(samples / size)))


def from_batch_losses(run: Run) -> Learning | None:
    """How well a run learned by the loss of its batches, medians over WINDOWS windows; None
    where it was not recorded.
    """
    if not len(run.steps) or not run.is_recorded("batch_loss"):
        return None
    windows = [rows for rows in np.array_split(np.arange(len(run.steps)), WINDOWS) if len(rows)]
    losses = [run.scalar("batch_loss")[rows] for rows in windows]
    loss = np.array([np.nan if np.isnan(each).all() else np.nanmedian(each) for each in losses])
    steps = np.array([run.steps[rows[len(rows) // 2]] for rows in windows], np.int64)
    unknown = np.full(len(loss), np.nan)
    updates = int(run.final.get("steps_done", run.steps[-1] + 1))
    task = str(run.data.get("task", "classification"))
    return Learning(
        task,
        steps,
        loss,
        unknown,
        unknown,
        unknown,
        unknown,
        unknown,
        math.nan,
        1.0,
        updates,
        evaluated=False,
    )
