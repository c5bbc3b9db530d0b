"""`python -m tests.detection.census.advice_grids`: does what `gradients` says to use at a depth
learn there, and does theory agree with what it calls broken?

Each grid draws a data set, a width, three depths, three activations, two initializers and sometimes
a norm, and trains every combination with three seeds, as the command does. What it then says to use
at a depth is trained with five new seeds. It learns where at least half of what there is was
learned of the training part, which is what the command calls trained. Of cells that are called
vanishing or exploding before training, theory has to agree with the sign where it applies.

--grids 32       how many
--seed 1         which
--write          write advice.json beside this program
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlprobe.config import from_options
from dlprobe.experiments import gradients, grid_cells
from dlprobe.experiments.gradients import GridResult
from dlprobe.experiments.grid_cells import Axes, GridCell
from dlprobe.experiments.study import PlannedRun, run_one
from dlprobe.training.prepared_sets import PreparedSets
from dlprobe.training.stopping import Stop

from .families import DATA_SETS, data_options
from .prior import ACTIVATIONS, INITS, log_uniform, shares
from .scoring import rate

ADVICE = Path(__file__).parent / "advice.json"
DATA = ("digits", "wine", "breast_cancer", "blobs", "moons", "xor", "teacher_classes")
DEEPEST, WIDTHS = 40, (16, 48)
NORMS = shares("none 2, none+batch 1, none+layer 1")
DRAWN_INITS = {name: share for name, share in INITS.items() if name != "auto"}
GRID_SEEDS, NEW_SEEDS = (0, 1, 2), (1001, 1002, 1003, 1004, 1005)


@dataclass(frozen=True)
class Advised:
    """One advice. learned: of NEW_SEEDS, in how many the advised net learned."""

    grid: int
    data: str
    depth: int
    use: str
    learned: int


@dataclass(frozen=True)
class Called:
    """A cell that is called broken before training, and theory's log10 ratio where it applies."""

    grid: int
    cell: str
    depth: int
    verdict: str
    theory: float

    @property
    def agrees(self) -> bool:
        """Whether theory has the same sign."""
        return self.theory < 0.0 if self.verdict == "vanishing" else self.theory > 0.0


def drawn(seed: int, index: int) -> tuple[str, list[GridCell]]:
    """The data set and the cells of a grid."""
    rng = np.random.default_rng([seed, index, 7])
    name, width = str(rng.choice(DATA)), int(log_uniform(rng, *WIDTHS))
    depths = sorted({int(log_uniform(rng, 2, DEEPEST + 1)) for _ in range(3)})
    activations = some(rng, ACTIVATIONS, 3)
    inits, norms = some(rng, DRAWN_INITS, 2), some(rng, NORMS, 1)[0].split("+")
    options = {key: text for key, text in data_options(name, "0").items() if key != "epochs"}
    base = from_options(None, {**options, "epochs": str(max(DATA_SETS[name].epochs // 2, 10))})
    return name, grid_cells.grid(base, Axes(depths, [width], activations, inits, norms))


def some(rng: np.random.Generator, values: dict[str, float], count: int) -> list[str]:
    """Different values, by their shares."""
    weights = np.array(list(values.values()))
    return [
        str(each)
        for each in rng.choice(list(values), count, replace=False, p=weights / weights.sum())
    ]


def measured(seed: int, index: int) -> tuple[list[Advised], list[Called]]:
    """What one grid advises, tried; and what it calls broken."""
    name, cells = drawn(seed, index)
    sets = PreparedSets()
    found = gradients.run(cells, GRID_SEEDS, sets.of(cells[0].config), threads=1, stop=Stop())
    advised = [
        Advised(
            index,
            name,
            choice.depth,
            choice.use.label,
            learned(cell_of(cells, choice.depth, choice.use.label), sets),
        )
        for choice in found.choices
        if choice.use is not None
    ]
    return advised, called(index, found)


def cell_of(cells: Sequence[GridCell], depth: int, label: str) -> GridCell:
    """The cell that an advice means."""
    return next(cell for cell in cells if (cell.depth, cell.label) == (depth, label))


def learned(cell: GridCell, sets: PreparedSets) -> int:
    """In how many new seeds a cell learns."""
    plan = [
        PlannedRun(str(seed), grid_cells.run_config(cell, seed), grid_cells.coordinates(cell, seed))
        for seed in NEW_SEEDS
    ]
    results = [run_one(each, sets, gradients.seed_result, Stop(), None) for each in plan]
    return gradients.candidate(
        cell, [each for each in results if each is not None], cell.label
    ).learned


def called(index: int, found: GridResult) -> list[Called]:
    """Cells that are called vanishing or exploding, where theory applies."""
    return [
        Called(
            index,
            cell.label,
            cell.depth,
            result.initial.verdict.verdict,
            result.prediction.log10_error_signal_ratio.value,
        )
        for cell, result in zip(found.cells, found.results, strict=True)
        if result is not None
        and result.initial.verdict.verdict in ("vanishing", "exploding")
        and result.prediction.applicable
    ]


def summary(advised: Sequence[Advised], broken: Sequence[Called]) -> dict[str, Any]:
    """Both shares with their exact bounds; an advice learns as often as its seeds do."""
    seeds = [(each, number < each.learned) for each in advised for number in range(len(NEW_SEEDS))]
    return {
        "grids": len({each.grid for each in advised} | {each.grid for each in broken}),
        "advice_learns": rate(seeds, lambda each: each[1]),
        "theory_agrees": rate(broken, lambda each: each.agrees),
        "failing_advice": [asdict(each) for each in advised if each.learned < len(NEW_SEEDS)],
        "disagreeing": [asdict(each) for each in broken if not each.agrees],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, train, try, count."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.detection.census.advice_grids",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--grids", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(arguments)
    advised: list[Advised] = []
    broken: list[Called] = []
    began = time.monotonic()
    for index in range(options.grids):
        tried, found = measured(options.seed, index)
        advised, broken = advised + tried, broken + found
        if sys.stderr.isatty():
            print(
                f"\r{index + 1}/{options.grids} {time.monotonic() - began:.0f} s\033[K",
                end="",
                file=sys.stderr,
            )
    counted = {"seed": options.seed, **summary(advised, broken)}
    print(json.dumps(counted, indent=1))
    if options.write:
        ADVICE.write_text(json.dumps(counted, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
