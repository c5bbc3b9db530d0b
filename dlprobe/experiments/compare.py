"""One or several axes compared fairly: every combination of values with the same seeds, the same
data and split, the same random numbers where shapes allow.

What a study file says of itself holds every cell's whole configuration, so it is shown, resumed and
extended without the options that began it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from dlprobe.analysis.comparing import comparison, paired
from dlprobe.analysis.comparing.comparison import Margin, Outcome
from dlprobe.analysis.model_size import layer_size
from dlprobe.analysis.profiles.run_profile import run_profile
from dlprobe.analysis.theory.mean_field import Prediction
from dlprobe.config import RunConfig, completed, from_mapping, to_mapping, with_values
from dlprobe.errors import ConfigError
from dlprobe.experiments.axes import Axis, named
from dlprobe.experiments.experiment import Means, SeededExperiment
from dlprobe.experiments.study import NEVER, PlannedRun, run_id, run_one, run_study
from dlprobe.rules.diagnosis import Examined, examine
from dlprobe.rules.healing import healed_step
from dlprobe.runs import Run, Study
from dlprobe.training import trainer
from dlprobe.training.prepared_sets import PreparedSets
from dlprobe.training.stopping import Stop

MOST_CELLS = 100
# of the rate that a value has without tuning: half a decade apart
TUNING_FACTORS = (0.1, 0.32, 1.0, 3.2, 10.0)
TUNING_SEEDS = 2
# far from the seeds that are compared: a rate is not chosen on the runs that judge it
TUNING_FIRST_SEED = 2**32
PILOTS, PILOT_STEPS, MOST_PILOT_STEPS, PILOT_SECONDS = 5, 40, 5000, 0.03
MOST_DEPTH, MOST_WIDTH = 1000, 65_536


@dataclass(frozen=True)
class Tuning:
    """The rates tried for a cell with the mean result of each, and the one chosen."""

    rate: float
    tried: tuple[tuple[float, float], ...]

    @property
    def at_the_edge(self) -> bool:
        """Whether a rate beyond those tried may be better."""
        return self.rate in (self.tried[0][0], self.tried[-1][0])


@dataclass(frozen=True)
class ComparedCell:
    """One combination of values: its place on the axes and its configuration but for the seed."""

    coordinates: Mapping[str, str]
    config: RunConfig
    tuning: Tuning | None = None

    @property
    def label(self) -> str:
        """Its values, as tables and pictures call it."""
        return " · ".join(self.coordinates.values())


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
        outcome, examined = comparison.outcome(int(planned.coordinates["seed"]), run), examine(run)
        profile = run_profile(run)
        return RunOutcome(
            **{**vars(outcome), "state": examined.seen.state.name},
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
    """The comparison of all cells, and where there are several axes, of each axis's values over
    all others. complete: False after a stop; runs: by label.
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
    """As many as can find a difference among so many cells at all, and some more.

    >>> default_seeds(3), default_seeds(16)
    (12, 14)
    """
    return max(paired.LEAST_SEEDS, paired.seeds_needed(cells * (cells - 1) // 2) + 1)


def with_equal_parameters(
    cells: Sequence[ComparedCell], base: RunConfig, sets: PreparedSets
) -> list[ComparedCell]:
    """Cells of the depth axis in widths, of the width axis in depths, with the number of
    weights nearest that of the base. Raises ConfigError.
    """
    axes = {axis for cell in cells for axis in cell.coordinates} & {"depth", "width"}
    if len(axes) != 1:
        raise ConfigError(
            "--equal-parameters makes depths narrower or widths shallower: compare one of "
            "depth and width, e.g. compare depth 1 2 4"
        )
    wanted = weights_of(base.model.layers, base, sets)
    return [
        replace(
            cell,
            config=_resized(cell.config, "width" if axes == {"depth"} else "depth", wanted, sets),
        )
        for cell in cells
    ]


def _resized(config: RunConfig, free: str, wanted: int, sets: PreparedSets) -> RunConfig:
    """`config` with another width or depth, so that its number of weights is nearest."""
    depth, width = len(config.model.layers), config.model.layers[0] if config.model.layers else 0
    if free == "width" and not depth:
        return config

    def layers(size: int) -> tuple[int, ...]:
        return (size,) * depth if free == "width" else (width,) * size

    low, high = 1, MOST_WIDTH if free == "width" else MOST_DEPTH
    while low < high:  # the smallest size with as many weights
        middle = (low + high) // 2
        low, high = (
            (low, middle)
            if weights_of(layers(middle), config, sets) >= wanted
            else (middle + 1, high)
        )
    best = min(
        (max(low - 1, 1), low),
        key=lambda size: abs(weights_of(layers(size), config, sets) - wanted),
    )
    return with_values(config, {"model.layers": ",".join(map(str, layers(best)))})


def weights_of(layers: Sequence[int], config: RunConfig, sets: PreparedSets) -> int:
    """Weights and bias parameters of a net with these hidden layers."""
    data = sets.of(config)
    widths = [len(data.feature_names), *layers, data.outputs]
    return sum(
        layer_size("", a, b, bias=config.model.bias, norm=None).trained
        for a, b in itertools.pairwise(widths)
    )


def with_equal_budget(
    cells: Sequence[ComparedCell], base: RunConfig, equal: str, sets: PreparedSets
) -> list[ComparedCell]:
    """Cells that see the same number of samples (as they are), make as many updates as the
    base, or take as many seconds as it. Raises ConfigError.
    """
    if equal == "samples":
        return list(cells)
    updates = trainer.start(base, sets.of(base)).steps
    if equal == "updates":
        return [
            replace(cell, config=with_values(cell.config, {"training.steps": updates}))
            for cell in cells
        ]
    taken = step_seconds([base, *(cell.config for cell in cells if cell.config != base)], sets)
    budget = updates * taken[0]
    times = iter(taken[1:])
    lengths = [
        updates if cell.config == base else max(1, round(budget / next(times))) for cell in cells
    ]
    return [
        replace(cell, config=with_values(cell.config, {"training.steps": steps}))
        for cell, steps in zip(cells, lengths, strict=True)
    ]


def step_seconds(configs: Sequence[RunConfig], sets: PreparedSets) -> list[float]:
    """The wall time of a step of each configuration, records included: the least of short runs,
    alone in this process, compiling left out.

    Configurations take turns, so that a busy machine is unjust to none. The first run says how many
    steps take PILOT_SECONDS: a few quick steps would be mostly the cost of a block.
    """
    steps, taken = [PILOT_STEPS] * len(configs), [np.inf] * len(configs)
    for _, (index, config) in itertools.product(range(PILOTS), enumerate(configs)):
        pilot = with_values(config, {"training.steps": steps[index]})
        pilot_result = run_one(
            PlannedRun("pilot", pilot),
            sets,
            lambda _, run: comparison.outcome(0, run),
            Stop(),
            None,
        )
        assert pilot_result is not None
        taken[index] = min(taken[index], pilot_result.step_seconds)
        steps[index] = min(max(PILOT_STEPS, round(PILOT_SECONDS / taken[index])), MOST_PILOT_STEPS)
    return taken


def tune(
    cells: Sequence[ComparedCell], by: str, sets: PreparedSets, means: Means
) -> list[ComparedCell]:
    """Every cell with the best of the same number of rates around its own, by the mean result
    of two seeds that the comparison does not use.
    """
    rates = {
        index: [cell.config.training.resolved_lr * factor for factor in TUNING_FACTORS]
        for index, cell in enumerate(cells)
    }
    planned, place = [], {}
    for (index, cell), number, seed in itertools.product(
        enumerate(cells), range(len(TUNING_FACTORS)), range(TUNING_SEEDS)
    ):
        values = {
            "training.lr": rates[index][number],
            "training.seed": TUNING_FIRST_SEED + seed,
            "data.data_seed": cell.config.resolved_data_seed,
        }
        id = f"{index}-{number}-{seed}"
        planned.append(
            PlannedRun(id, with_values(cell.config, {**values, "recording.record_every": NEVER}))
        )
        place[id] = (index, number)
    how: dict[str, Any] = {
        "threads": means.threads,
        "stop": means.stop,
        "progress": means.progress,
        "cluster": means.cluster,
    }
    results = run_study(planned, sets, lambda _, run: result_of(run, by), **how).results
    tried = {
        index: [
            [results[id] for id in results if place[id] == (index, number)]
            for number in range(len(TUNING_FACTORS))
        ]
        for index in rates
    }
    return [
        replace(
            cell,
            tuning=(tuning := chosen(rates[index], tried[index])),
            config=_at(cell.config, tuning.rate),
        )
        for index, cell in enumerate(cells)
    ]


def _at(config: RunConfig, rate: float) -> RunConfig:
    return with_values(config, {"training.lr": rate})


def result_of(run: Run, by: str) -> float:
    """The number at the end that ranks; infinite where the run diverged."""
    value = float(run.final.get(by, np.nan))
    return np.inf if run.status == "diverged" or np.isnan(value) else value


def chosen(rates: Sequence[float], results: Sequence[Sequence[float]]) -> Tuning:
    """The rate with the smallest mean of its seeds; the usual one where every rate diverged."""
    means = [float(np.mean(result)) if result else np.inf for result in results]
    best = int(np.argmin(means)) if np.isfinite(means).any() else len(rates) // 2
    return Tuning(rates[best], tuple(zip(rates, means, strict=True)))


def _described(tuning: Tuning | None) -> dict[str, Any] | None:
    return (
        None
        if tuning is None
        else {
            "rate": tuning.rate,
            "tried": [[rate, _finite(value)] for rate, value in tuning.tried],
        }
    )


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
