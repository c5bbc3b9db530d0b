"""One or several axes compared fairly: every combination of values with the same seeds, the same
data and split, the same random numbers where shapes allow.

What a study file says of itself holds every cell's whole configuration, so it is shown, resumed and
extended without the options that began it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from types import MappingProxyType
from typing import Any

import numpy as np

from dlprobe.analysis.comparing import comparison, paired
from dlprobe.analysis.comparing.comparison import Margin
from dlprobe.analysis.comparing.outcome import Outcome, outcome
from dlprobe.analysis.profiles.run_profile import run_profile
from dlprobe.analysis.theory.mean_field import Prediction
from dlprobe.config import RunConfig, completed, from_mapping, to_mapping, with_values
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.experiments.axes import Axis, named
from dlprobe.experiments.compare_budgets import ComparedCell, Tuning
from dlprobe.experiments.experiment import SeededExperiment
from dlprobe.experiments.study import PlannedRun, run_id
from dlprobe.rules.diagnosis import Examined, examine
from dlprobe.rules.healing import healed_step
from dlprobe.runs import Run, Study
from dlprobe.training.prepared_sets import PreparedSets

MOST_CELLS = 100


@dataclass(frozen=True)
class RunOutcome(Outcome):
    """What is compared of one run, with its state. healed: the step from which an error
    signal that was ill at first stayed within the band; theory: what it expects of the net before
    training.
    """

    id: str = ""
    examined: Examined | None = None
    healed: int | None = None
    theory: Prediction | None = None


@dataclass(frozen=True)
class CompareExperiment(SeededExperiment[RunOutcome, "Compared"]):
    """What is compared and how. by: metric that ranks; target: of steps to a target, None: what
    every value that learns reaches.
    """

    name = "compare"

    axes: Mapping[str, tuple[str, ...]]
    cells: tuple[ComparedCell, ...]
    seeds: tuple[int, ...]
    by: str
    target: float | None = None
    equal: str = "samples"
    equal_parameters: bool = False
    vary_data: bool = False
    sets: PreparedSets = field(default_factory=PreparedSets, compare=False, repr=False)

    @classmethod
    def restore(cls, study: Study, told: Callable[[str], None] | None = None) -> CompareExperiment:
        return restored(study.description, str(study.path), PreparedSets(told=told))

    def describe(self) -> dict[str, Any]:
        """What is compared, how, and every cell's configuration."""
        cells = [
            {
                "coordinates": dict(cell.coordinates),
                "config": to_mapping(cell.config),
                "tuning": _described(cell.tuning),
            }
            for cell in self.cells
        ]
        options = {
            name: getattr(self, name)
            for name in ("by", "target", "equal", "equal_parameters", "vary_data")
        }
        axes = {
            **{axis: list(values) for axis, values in self.axes.items()},
            "seed": list(self.seeds),
        }
        return {"experiment": self.name, "axes": axes, "options": options, "cells": cells}

    def plan(self, results: Mapping[str, RunOutcome] = MappingProxyType({})) -> list[PlannedRun]:
        """Every cell with every seed."""
        return [
            PlannedRun(
                run_id(index, "-".join(cell.coordinates.values()), seed),
                self._config(cell, seed),
                {**cell.coordinates, "seed": seed},
            )
            for index, cell, seed in self._grid()
        ]

    def _grid(self) -> list[tuple[int, ComparedCell, int]]:
        """All cells seed by seed: what an interrupted study holds can be compared."""
        return [(index, cell, seed) for seed in self.seeds for index, cell in enumerate(self.cells)]

    def _config(self, cell: ComparedCell, seed: int) -> RunConfig:
        """A cell's configuration with a seed of its own; the split stays, unless the data vary."""
        return with_values(
            cell.config,
            {
                "training.seed": seed,
                "data.data_seed": seed if self.vary_data else cell.config.resolved_data_seed,
            },
        )

    def read(self, planned: PlannedRun, run: Run) -> RunOutcome:
        """What is compared of a run."""
        numbers, examined = outcome(int(planned.coordinates["seed"]), run), examine(run)
        profile = run_profile(run)
        return RunOutcome(
            **{**vars(numbers), "state": examined.seen.state.name},
            id=planned.id,
            examined=examined,
            healed=healed_step(run, profile),
            theory=None if profile is None else profile.theory,
        )

    def conclude(self, results: Mapping[str, RunOutcome], complete: bool) -> Compared | None:
        """The comparison of what ended; None where nothing did."""
        by_cell: dict[str, list[RunOutcome]] = {cell.label: [] for cell in self.cells}
        for planned, (_, cell, _) in zip(self.plan(), self._grid(), strict=True):
            if planned.id in results:
                by_cell[cell.label].append(results[planned.id])
        if not any(by_cell.values()):
            return None
        whole = comparison.compare(by_cell, self.by, self.target)
        marginals = {
            axis: comparison.compare_margins(self._cells_by_value(axis, by_cell), self.by)
            for axis in self.axes
        }
        shown = {
            axis: margin
            for axis, margin in marginals.items()
            if margin is not None and len(self.axes) > 1
        }
        return Compared(self, whole, shown, complete, by_cell)

    def _cells_by_value(
        self, axis: str, by_cell: Mapping[str, Sequence[Outcome]]
    ) -> dict[str, list[Sequence[Outcome]]]:
        """For each value of an axis the runs of every cell that has it."""
        return {
            value: [by_cell[cell.label] for cell in self.cells if cell.coordinates[axis] == value]
            for value in self.axes[axis]
        }

    def table(self, result: Compared) -> dict[str, list[Any]]:
        """The ranking, one row per cell."""
        labels, values = {cell.label: cell for cell in self.cells}, result.all.values
        columns: dict[str, list[Any]] = {
            axis: [labels[value.label].coordinates[axis] for value in values] for axis in self.axes
        }
        columns |= {
            "rank": [value.rank for value in values],
            "standing": [value.standing for value in values],
            "diverged": [value.diverged for value in values],
        }
        for name in (f"final_{self.by}", f"best_{self.by}"):
            columns[name] = [
                value.metrics[name].value if name in value.metrics else None for value in values
            ]
        return columns


@dataclass(frozen=True)
class Compared:
    """The comparison of all cells and, where there are several axes, of each axis's values over all
    others. complete: False after a stop; runs: by label.
    """

    request: CompareExperiment
    all: comparison.Comparison
    marginals: Mapping[str, Margin] = field(default_factory=dict)
    complete: bool = True
    runs: Mapping[str, Sequence[RunOutcome]] = field(default_factory=dict)


def cells_of(
    base: RunConfig, axes: Sequence[tuple[Axis, Sequence[str]]]
) -> tuple[dict[str, tuple[str, ...]], list[ComparedCell]]:
    """The axes with their values as they are called, and every combination. Raises ConfigError
    for a wrong value, one given twice, or too many cells.
    """
    labels = {axis.name: labels_of(base, axis, values) for axis, values in axes}
    if len(labels) != len(axes):
        raise ConfigError(
            "an axis is given twice: give all its values at once, e.g. compare init he_normal "
            "glorot_normal"
        )
    chosen = [
        [(axis, value, label) for value, label in zip(values, labels[axis.name], strict=True)]
        for axis, values in axes
    ]
    if (count := int(np.prod([len(runs_of) for runs_of in chosen]))) > MOST_CELLS:
        raise ConfigError(f"{count} combinations: expected {MOST_CELLS} at most; leave values out")
    cells = []
    for combination in itertools.product(*chosen):
        config = base
        for axis, value, _ in combination:
            config = axis.apply(config, value)
        cells.append(ComparedCell({axis.name: label for axis, _, label in combination}, config))
    return labels, cells


def labels_of(base: RunConfig, axis: Axis, values: Sequence[str]) -> tuple[str, ...]:
    """How the values of an axis are called. Raises ConfigError."""
    labels = tuple(named(base, axis, value) for value in values)
    if len(labels) < 2:
        option = (
            (
                "; what all share is an option, "
                f"--{axis.place.partition('.')[2].replace('_', '-')} {labels[0]}"
            )
            if labels and axis.place
            else ""
        )
        raise ConfigError(
            f"{axis.name} has {len(labels)} value{'' if labels else 's'}: expected two at "
            f"least, e.g. compare {axis.name} A B{option}"
        )
    twice = [label for label in dict.fromkeys(labels) if labels.count(label) > 1]
    if twice:
        raise ConfigError(f"{axis.name} {twice[0]} is given twice: expected different values")
    return labels


def default_seeds(cells: int) -> int:
    """Default number of seeds: at least 12, and one more than the fewest with which one of all
    pairs of `cells` can be called different.

    >>> default_seeds(3), default_seeds(16)
    (12, 14)
    """
    return max(paired.LEAST_SEEDS, paired.seeds_needed(cells * (cells - 1) // 2) + 1)


def _described(tuning: Tuning | None) -> dict[str, Any] | None:
    if tuning is None:
        return None
    return {"rate": tuning.rate, "tried": [[rate, _finite(value)] for rate, value in tuning.tried]}


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def restored(description: Mapping[str, Any], name: str, sets: PreparedSets) -> CompareExperiment:
    """The comparison that a study file tells of. Raises ConfigError where it cannot be read."""
    try:
        axes = {
            str(axis): tuple(map(str, values))
            for axis, values in description["axes"].items()
            if axis != "seed"
        }
        cells = tuple(_cell_of(cell) for cell in description["cells"])
        options = description["options"]
        target = None if options["target"] is None else float(options["target"])
        return CompareExperiment(
            axes,
            cells,
            tuple(int(seed) for seed in description["axes"]["seed"]),
            str(options["by"]),
            target,
            str(options["equal"]),
            bool(options["equal_parameters"]),
            bool(options["vary_data"]),
            sets,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"{name} does not say what was compared ({type(error).__name__}: {error}): "
            "compare again with -o"
        ) from None


def _cell_of(stored: Mapping[str, Any]) -> ComparedCell:
    tuning = stored["tuning"]
    tried = (
        None
        if tuning is None
        else tuple(
            (float(rate), np.inf if value is None else float(value))
            for rate, value in tuning["tried"]
        )
    )
    coordinates = {str(axis): str(value) for axis, value in stored["coordinates"].items()}
    return ComparedCell(
        coordinates,
        from_mapping(completed(stored["config"], "")),
        None if tried is None else Tuning(float(tuning["rate"]), tried),
    )
