"""Every recorded statistic as layers by stretches of steps, few enough to be drawn; a long run
is read from its summary levels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass
from dlprobe.record.layout import LEVEL_FACTORS
from dlprobe.runs import Run

COLUMNS = 256  # of a map
LARGEST = 200_000  # numbers of all maps together, so that a page of many layers stays below 1 MB
FEWEST = 32  # columns, however many layers there are
# rows or bins of one statistic that are read at most, unless the coarsest level has more
READ = 4096


@dataclass(frozen=True)
class StepMaps:
    """steps: int64 (column,), the first recorded step of each stretch; values by statistic:
    float64 (column, layer), means, NaN where there are none.
    """

    steps: npt.NDArray[np.int64]
    layers: tuple[str, ...]
    values: dict[str, npt.NDArray[np.float64]]


def step_maps(run: Run) -> StepMaps | None:
    """The maps of all recorded statistics; None where there is no step. Raises RunFileError where
    the file is damaged.
    """
    chosen, rows, layers = run.statistics, len(run.steps), run.layers.names
    if not rows or not chosen:
        return None
    columns = max(FEWEST, min(COLUMNS, LARGEST // (len(chosen) * len(layers))))
    factor = next(
        (factor for factor in (1, *LEVEL_FACTORS) if rows <= READ * factor), LEVEL_FACTORS[-1]
    )
    starts = run.steps[::factor]
    every = -(-len(starts) // columns)
    maps = {
        name: _means(run.statistic(name) if factor == 1 else run.level(name, factor).mean, every)
        for name in chosen
    }
    return StepMaps(starts[::every], layers, maps)


def _means(values: npt.NDArray[Any], every: int) -> npt.NDArray[np.float64]:
    """Means over `every` neighbouring rows (row, layer) → (column, layer), NaN left out; a
    stretch with an infinite value is infinite.
    """
    starts = np.arange(0, len(values), every)
    known = ~np.isnan(values)
    with np.errstate(all="ignore"):
        means: npt.NDArray[np.float64] = np.add.reduceat(
            np.where(known, values, 0).astype(np.float64), starts
        ) / np.add.reduceat(known.astype(np.float64), starts)
    return means
