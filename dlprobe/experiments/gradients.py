"""The vanishing/exploding-gradient experiment: depth × width × activation × initializer ×
normalization, several seeds each.

Every run trains the same data split; weights and batches follow the run's seed. Step 0 shows the
profile at initialization, the last step the one after training.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from typing import Any

import numpy as np

from dlprobe.analysis.profiles import development, gradient_cells
from dlprobe.analysis.profiles.depth_choice import Candidate, DepthChoice, choose, told
from dlprobe.analysis.profiles.depth_limits import TrainableDepth, trainable_depth
from dlprobe.analysis.profiles.gradient_cells import CellResult, SeedResult
from dlprobe.analysis.profiles.row_verdict import where_diverged
from dlprobe.analysis.theory import mean_field
from dlprobe.config import completed, from_mapping, to_mapping
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.experiments.experiment import Means, SeededExperiment
from dlprobe.experiments.grid_cells import GridCell, coordinates, run_config, run_id
from dlprobe.experiments.study import PlannedRun, Told
from dlprobe.rules.diagnosis import Examined, examine
from dlprobe.runs import Run, Study, StudyWriter
from dlprobe.training import trainer
from dlprobe.training.prepared_sets import PreparedSets
from dlprobe.training.stopping import Stop


@dataclass(frozen=True)
class SeedOutcome(SeedResult):
    """One run of a cell with its diagnosis."""

    examined: Examined | None = None


@dataclass(frozen=True)
class GridResult:
    """The results of the cells, in the grid's order; `complete` is False after a stop. trainable:
    by label and width, how deep a net can be. examined: of each cell the runs that ended, by id.
    choices: what to use at each depth.
    """

    cells: tuple[GridCell, ...]
    results: tuple[CellResult | None, ...]
    complete: bool
    trainable: Mapping[tuple[str, int], TrainableDepth] = field(default_factory=dict)
    examined: tuple[Mapping[str, Examined], ...] = ()
    choices: tuple[DepthChoice, ...] = ()

    @property
    def advice(self) -> list[str]:
        """Sentences on what to use at which depth."""
        return told(self.choices)


@dataclass
class GradientExperiment(SeededExperiment[SeedOutcome, GridResult]):
    """Every cell with every seed, each cell judged in the thread that makes its last run: theory's
    part takes half a second for the default grid, in which at the end all threads but one would
    have nothing to do.
    """

    name = "gradients"
    doing = "training the grid"

    cells: Sequence[GridCell]
    seeds: Sequence[int]
    sets: PreparedSets
    _read: dict[str, SeedOutcome] = field(default_factory=dict, init=False, repr=False)
    # by the id of the cell's first run
    _judged: dict[str, CellResult] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @classmethod
    def restore(cls, study: Study, told: Callable[[str], None] | None = None) -> GradientExperiment:
        cells, seeds = described(study.description, str(study.path))
        return cls(cells, seeds, PreparedSets(told=told))

    def describe(self) -> dict[str, object]:
        """The axes and the configuration of every cell, as data for the study file."""
        return study_description(self.cells, self.seeds)

    def plan(self, results: Mapping[str, SeedOutcome]) -> list[PlannedRun]:
        """Every cell with every seed; all share the split."""
        return [
            PlannedRun(run_id(cell, seed), run_config(cell, seed), coordinates(cell, seed))
            for cell in self.cells
            for seed in self.seeds
        ]

    def read(self, planned: PlannedRun, run: Run) -> SeedOutcome:
        """What the analysis needs of one run; the last one of a cell has the cell judged."""
        result = seed_result(planned, run)
        cell, ids = self._cells[planned.id]
        with self._lock:
            self._read[planned.id] = result
            last = all(id in self._read for id in ids)
        if last:
            self._judged[ids[0]] = judge(
                cell, [self._read[id] for id in ids], self.sets.of(cell.config)
            )
        return result

    @cached_property
    def _cells(self) -> dict[str, tuple[GridCell, list[str]]]:
        return {
            run_id(cell, seed): (cell, [run_id(cell, member) for member in self.seeds])
            for cell in self.cells
            for seed in self.seeds
        }

    def conclude(self, results: Mapping[str, SeedOutcome], complete: bool) -> GridResult | None:
        """The results of all cells; None where no run ended."""
        return self.judged(results, complete) if results else None

    def judged(self, ended: Mapping[str, SeedOutcome], complete: bool) -> GridResult:
        """Every cell from the seeds that ended, and each row of cells for how deep it can be."""
        results = tuple(
            self._judged.get(run_id(cell, self.seeds[0])) or self._judge_ended(cell, ended)
            for cell in self.cells
        )
        by_row: dict[tuple[str, int], list[tuple[GridCell, CellResult]]] = {}
        for cell, result in zip(self.cells, results, strict=True):
            if result is not None:
                by_row.setdefault((cell.label, cell.width), []).append((cell, result))
        trainable = {}
        for key, row in by_row.items():
            deepest = max((cell for cell, _ in row), key=lambda cell: cell.depth)
            skills = {cell.depth: result.skill.median for cell, result in row}
            trainable[key] = trainable_depth(
                initial_net(deepest, self.sets.of(deepest.config)), skills
            )
        examined = tuple(self._examined(cell, ended) for cell in self.cells)
        return GridResult(
            tuple(self.cells),
            results,
            complete,
            trainable,
            examined,
            choices(self.cells, self.seeds, ended),
        )

    def _examined(self, cell: GridCell, results: Mapping[str, SeedOutcome]) -> dict[str, Examined]:
        ended = {
            id: results[id].examined for seed in self.seeds if (id := run_id(cell, seed)) in results
        }
        return {id: examined for id, examined in ended.items() if examined is not None}

    def _judge_ended(self, cell: GridCell, ended: Mapping[str, SeedOutcome]) -> CellResult | None:
        results = [ended[id] for seed in self.seeds if (id := run_id(cell, seed)) in ended]
        return judge(cell, results, self.sets.of(cell.config)) if results else None

    def table(self, result: GridResult) -> dict[str, list[object]]:
        """The verdicts, one row per judged cell."""
        return results_table(result)


def choices(
    cells: Sequence[GridCell], seeds: Sequence[int], results: Mapping[str, SeedResult]
) -> tuple[DepthChoice, ...]:
    """What to use at each depth that has several cells, of the runs that ended, by run id."""
    several = len({cell.width for cell in cells}) > 1
    by_depth: dict[int, list[Candidate]] = {}
    for cell in cells:
        ended = [results[id] for seed in seeds if (id := run_id(cell, seed)) in results]
        if ended:
            by_depth.setdefault(cell.depth, []).append(
                candidate(
                    cell, ended, f"{cell.label} · {cell.width} wide" if several else cell.label
                )
            )
    return tuple(
        choose(depth, candidates) for depth, candidates in by_depth.items() if len(candidates) > 1
    )


def candidate(cell: GridCell, ended: Sequence[SeedResult], label: str) -> Candidate:
    """A cell as one of those to choose from. Its cost in weights: depth · width · (width + extras),
    extras 1 for a norm and 1 for residual connections.
    """
    model = cell.config.model
    extras = (model.norm is not None) + (model.residual is not None)
    cost = cell.depth * cell.width * (cell.width + extras)
    return Candidate(
        label,
        tuple(score_of(future) for future in ended),
        tuple(future.skill for future in ended),
        extras,
        cost,
        *scored(ended[0]),
    )


def scored(result: SeedResult) -> tuple[str, str]:
    """What `score_of` gives, and of which samples."""
    validated = not (math.isnan(result.val_accuracy) and math.isnan(result.val_r2))
    return (
        "R²" if math.isnan(result.train_accuracy) else "%",
        "on new samples" if validated else "in training",
    )


def score_of(result: SeedResult) -> float:
    """Validation accuracy, else training accuracy (0 to 1), of a regression R² on the same parts;
    −∞ after a divergence.
    """
    if result.diverged:
        return -math.inf
    known = (result.val_accuracy, result.val_r2, result.train_accuracy)
    return next((value for value in known if not math.isnan(value)), result.skill)


def run(
    cells: Sequence[GridCell],
    seeds: Sequence[int],
    data: trainer.PreparedData,
    *,
    threads: int,
    stop: Stop,
    study: StudyWriter | None = None,
    progress: Told | None = None,
) -> GridResult:
    """Train every cell with every seed and judge each cell. `data`: those of the first cell.
    See `Means` for the others.
    """
    experiment = GradientExperiment(cells, seeds, PreparedSets((cells[0].config, data)))
    ended = experiment.train(Means(threads, stop, study, progress), {})
    return experiment.judged(ended.results, ended.complete)


def seed_result(planned: PlannedRun, run: Run) -> SeedOutcome:
    rows = len(run.steps)
    first, last = (run.row(index).loaded() if rows else None for index in (0, rows - 1))
    accuracy = {part: float(run.final.get(f"{part}_accuracy", np.nan)) for part in ("train", "val")}
    diverged = run.status == "diverged"
    return SeedOutcome(
        examined=examine(run),
        seed=int(planned.coordinates["seed"]),
        first=first,
        last=last,
        diverged=where_diverged(last, run.layers.names) if diverged else "",
        diverged_at_start=diverged and rows > 0 and int(run.steps[-1]) == 0,
        train_loss=float(run.final.get("train_loss", np.nan)),
        train_accuracy=accuracy["train"],
        val_accuracy=accuracy["val"],
        val_r2=float(run.final.get("val_r2", np.nan)),
        skill=skill_of(run, accuracy["train"]),
        course=course_of(run),
    )


def skill_of(run: Run, accuracy: float) -> float:
    """Skill on the training part: (accuracy − g)/(1 − g), g the share of the largest class; for a
    regression R². NaN where it is not known.
    """
    if "train_class_counts" not in run.data:
        return float(run.final.get("train_r2", np.nan))
    counts = run.data["train_class_counts"]
    guess = float(counts.max() / counts.sum())
    return (accuracy - guess) / (1 - guess) if guess < 1 else np.nan


def course_of(run: Run) -> development.Course:
    """How the ratio of error signals ran over training; empty for fewer than two hidden layers."""
    if len(run.hidden_layers) < 2:
        return gradient_cells.EMPTY
    signal = run.statistic("error_signal_rms")
    return development.course(
        run.steps, signal[:, run.hidden_layers[0]], signal[:, run.hidden_layers[-1]]
    )


def judge(cell: GridCell, results: Sequence[SeedOutcome], data: trainer.PreparedData) -> CellResult:
    """The result of a cell from the results of its seeds."""
    return gradient_cells.summarize(results, initial_net(cell, data))


def initial_net(cell: GridCell, data: trainer.PreparedData) -> mean_field.InitialNet:
    """What mean-field theory sees of a cell on this data."""
    return mean_field.configured(cell.config, len(data.feature_names), data.input_mean_square)


def study_description(cells: Sequence[GridCell], seeds: Sequence[int]) -> dict[str, object]:
    """What a study file says of the experiment: its axes with their values in order, and every
    cell's configuration, to go on without options.
    """
    axes: dict[str, list[object]] = {}
    for cell in cells:
        for name, value in coordinates(cell, 0).items():
            if name != "seed" and value not in axes.setdefault(name, []):
                axes[name].append(value)
    stored = [
        {
            "depth": cell.depth,
            "width": cell.width,
            "others": dict(cell.others),
            "config": to_mapping(cell.config),
        }
        for cell in cells
    ]
    return {
        "experiment": GradientExperiment.name,
        "axes": {**axes, "seed": list(seeds)},
        "cells": stored,
    }


def described(description: Mapping[str, Any], name: str) -> tuple[list[GridCell], list[int]]:
    """The cells and seeds that a study file tells of. Raises ConfigError where it cannot be
    read.
    """
    try:
        cells = [
            GridCell(
                int(c["depth"]),
                int(c["width"]),
                from_mapping(completed(c["config"], "")),
                {str(k): str(v) for k, v in c["others"].items()},
            )
            for c in description["cells"]
        ]
        return cells, [int(seed) for seed in description["axes"]["seed"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ConfigError(
            f"{name} does not say how it was made: it was written by an older dlprobe; begin "
            "a new study with -o"
        ) from None


def results_table(grid: GridResult) -> dict[str, list[object]]:
    """The verdicts as columns, one row per judged cell, as a study file keeps them."""
    rows = [
        (cell, result)
        for cell, result in zip(grid.cells, grid.results, strict=True)
        if result is not None
    ]
    axes = [name for name in coordinates(grid.cells[0], 0) if name != "seed"] if rows else []
    columns: dict[str, list[object]] = {
        name: [coordinates(cell, 0)[name] for cell, _ in rows] for name in axes
    }
    columns["verdict"] = [result.verdict for _, result in rows]
    columns["initial_log10_error_signal_ratio"] = [
        result.initial.log10_error_signal_ratio.median for _, result in rows
    ]
    columns["theory_log10_error_signal_ratio"] = [
        result.prediction.log10_error_signal_ratio.value for _, result in rows
    ]
    columns["final_log10_error_signal_ratio"] = [
        result.final.log10_error_signal_ratio.median for _, result in rows
    ]
    columns["train_loss"] = [result.train_loss.median for _, result in rows]
    columns["train_accuracy"] = [result.train_accuracy.median for _, result in rows]
    columns["val_accuracy"] = [result.val_accuracy.median for _, result in rows]
    return columns
