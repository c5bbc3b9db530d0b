"""How well a run learned, as its file says; in a study beside the best run on the same samples."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np

from dlprobe.analysis.learning.learned import FEW, NOTHING, Floats, Learning, Steps
from dlprobe.analysis.learning.reachable import (
    chance_error,
    correctable,
    floor_ceiling,
    guessing_loss,
    label_noise_ceiling,
    noise_ceiling,
    target_variance,
)
from dlprobe.dataclass import dataclass
from dlprobe.errors import RunFileError
from dlprobe.runs import Run
from dlprobe.runs.reader import OwnStudy

FEWEST, PASSES = 50, 10  # updates, where they went through the training part so often
Samples: TypeAlias = tuple[Any, ...]

WINDOWS = 10  # of the batch losses of a run without evaluations

_studies: WeakKeyDictionary[OwnStudy, StudyLearning] = WeakKeyDictionary()


def learning(run: Run) -> Learning | None:
    """How well a run learned, from its evaluations or else from its batch losses; None without
    either. Raises RunFileError where the file is damaged.

    Of a run that knows its study, what the best value of that reaches on the same samples is what
    can be reached.
    """
    if run.study is None:
        return learning_alone(run)
    if run.study not in _studies:
        _studies[run.study] = of_study(run.study)
    read = _studies[run.study]
    alone = read.alone[run.id] if run.id in read.alone else learning_alone(run)
    if alone is None or not alone.evaluated:
        return alone
    best = read.best.get(read.samples.get(run.id) or samples_of(run))
    return alone if best is None else beside(alone, best)


@dataclass(frozen=True)
class StudyLearning:
    """What the runs of a study learned. alone, samples: of each run by id, those that are damaged
    left out; best: by samples, the run of the median seed of the value that reaches most on them,
    of those that learned well; runs that broke down are left out.
    """

    alone: Mapping[str, Learning | None]
    samples: Mapping[str, Samples]
    best: Mapping[Samples, Learning]


def of_study(study: OwnStudy) -> StudyLearning:
    """Each run read once."""
    alone: dict[str, Learning | None] = {}
    samples: dict[str, Samples] = {}
    by_run: dict[Samples, dict[str, list[Learning]]] = {}
    for id in study.runs:
        try:
            run = study.runs.open(id)
            learned = alone[id] = learning_alone(run)
            samples[id] = samples_of(run)
        except RunFileError:
            continue
        if learned is None or not learned.evaluated or not math.isfinite(learned.judged[-1]):
            continue
        place = {axis: at for axis, at in study.coordinates.get(id, {}).items() if axis != "seed"}
        values = by_run.setdefault(samples[id], {})
        values.setdefault(json.dumps(place, sort_keys=True, default=str), []).append(learned)
    best = {}
    for shared, values in by_run.items():
        ranked = (sorted(seeds, key=_end)[(len(seeds) - 1) // 2] for seeds in values.values())
        top = max(ranked, key=_end)
        if top.well:
            best[shared] = top
    return StudyLearning(alone, samples, best)


def _end(learned: Learning) -> float:
    return float(learned.judged[-1])


def samples_of(run: Run) -> Samples:
    """What two runs share that learn from the same samples and are judged by the same."""
    rows = ("train_indices", "val_indices", "noisy_labels", "label_noise_std")
    known = (sha256(np.asarray(run.data.get(name, ())).tobytes()).digest() for name in rows)
    return run.data.get("name"), run.data.get("task"), *known


def learning_alone(run: Run) -> Learning | None:
    """How a run learned, without the study that it belongs to."""
    evaluations = run.evaluations
    steps = np.asarray(evaluations.get("step", ()), np.int64)
    loss = np.asarray(evaluations.get("train_loss", np.full(len(steps), np.nan)), np.float64)
    between = np.zeros(0)
    if not len(steps) or (np.isnan(loss).all() and run.status != "diverged"):
        if len(steps) and has_validation(evaluations):
            between = between_evaluations(run, steps)
        if not len(between):
            return from_batch_losses(run)

    # it ends with the parameters that early stopping kept, not with those of the last step
    restored = run.status == "finished" and "best_step" in run.final

    def series(name: str) -> Floats:
        values = np.array(evaluations.get(name, np.full(len(steps), np.nan)), np.float64)
        if restored and name in run.final:
            values[-1] = run.final[name]
        return values

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
    losses["train"] = between if len(between) else losses["train"]
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
    return Learning(
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
        of_batches=len(between) > 0,
    )


def has_validation(evaluations: Mapping[str, Any]) -> bool:
    """Whether a validation part was evaluated, by loss or error, more than once."""
    return any(
        np.isfinite(np.asarray(evaluations.get(name, ()), np.float64)).sum() > 1
        for name in ("val_loss", "val_error")
    )


def between_evaluations(run: Run, steps: Steps) -> Floats:
    """(evaluation,): the mean batch_loss of the updates since the evaluation before, of the first
    one that of the first recorded update where none came before; empty where batch_loss was not
    recorded, or at too few updates.
    """
    if not len(run.steps) or not run.is_recorded("batch_loss"):
        return np.zeros(0)
    losses, ends = run.scalar("batch_loss"), np.searchsorted(run.steps, steps)
    begins = np.concatenate([[0], ends[:-1]])
    parts = [losses[begin : max(end, begin + 1)] for begin, end in zip(begins, ends, strict=True)]
    means = [float(np.nanmean(part)) if np.isfinite(part).any() else math.nan for part in parts]
    return np.array(means) if np.isfinite(means).any() else np.zeros(0)


def beside(learned: Learning, best: Learning) -> Learning:
    """`learned` with the skills of `best`, a run on the same data, as what can be reached;
    unchanged where those are no better.
    """
    train, new = min(float(best.skill[-1]), 1.0), min(float(best.val_skill[-1]), 1.0)
    if (
        not (train >= NOTHING and (new >= NOTHING or not best.validated))
        or best.judged[-1] <= learned.judged[-1]
    ):
        return learned
    return replace(
        learned,
        known=True,
        reachable=train,
        val_reachable=new if best.validated else learned.val_reachable,
    )


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
    loss = np.array(
        [np.nan if np.isnan(stretch).all() else np.nanmedian(stretch) for stretch in losses]
    )
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
