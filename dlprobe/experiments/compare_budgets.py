"""Cells of a comparison on equal terms: parameters, updates, seconds, tuned rates."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dlprobe.analysis.comparing.outcome import outcome
from dlprobe.analysis.model_size import layer_size
from dlprobe.config import RunConfig, with_values
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.experiments.experiment import Means
from dlprobe.experiments.study import NEVER, PlannedRun, run_one, run_study
from dlprobe.runs import Run
from dlprobe.training import trainer
from dlprobe.training.prepared_sets import PreparedSets
from dlprobe.training.stopping import Stop

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


# of the rate that a value has without tuning: half a decade apart
TUNING_FACTORS = (0.1, 0.32, 1.0, 3.2, 10.0)


TUNING_SEEDS = 2


# far from the seeds that are compared: a rate is not chosen on the runs that judge it
TUNING_FIRST_SEED = 2**32


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
    """Number of weights and biases of a net with these hidden layers on the data of `config`."""
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
            PlannedRun("pilot", pilot), sets, lambda _, run: outcome(0, run), Stop(), None
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
    """The number at the end that ranks; infinite where the run diverged or has none."""
    value = float(run.final.get(by, np.nan))
    return np.inf if run.status == "diverged" or np.isnan(value) else value


def chosen(rates: Sequence[float], results: Sequence[Sequence[float]]) -> Tuning:
    """The rate with the smallest mean result over its seeds; the middle one of `rates`, which is
    the usual one, where every rate diverged. results: per rate, one number a seed.
    """
    means = [float(np.mean(result)) if result else np.inf for result in results]
    best = int(np.argmin(means)) if np.isfinite(means).any() else len(rates) // 2
    return Tuning(rates[best], tuple(zip(rates, means, strict=True)))
