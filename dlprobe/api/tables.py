"""What a run or study holds as plain columns, from which tables and arrays of other libraries
are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.exporters.parts import PER_LAYER, WHAT, ExportSource, What, chosen
from dlprobe.registry import unknown
from dlprobe.runs import Run, Study


@dataclass(frozen=True)
class TableColumns:
    """Arrays by name, all of the same axes. dims: names of the axes; labels: by axis the values
    along it.
    """

    dims: tuple[str, ...]
    labels: Mapping[str, NDArray[Any]]
    arrays: Mapping[str, NDArray[Any]]

    @property
    def flat(self) -> dict[str, NDArray[Any]]:
        """One column per axis and array, a row for each combination of labels, the last axis
        fastest.
        """
        shape = tuple(len(self.labels[dim]) for dim in self.dims)
        axes = {
            dim: np.broadcast_to(
                self.labels[dim].reshape([-1 if k == axis else 1 for k in range(len(shape))]), shape
            )
            for axis, dim in enumerate(self.dims)
        }
        return {name: array.ravel() for name, array in (axes | dict(self.arrays)).items()}


def columns_of(run: Run, what: What, names: Iterable[str] | None) -> TableColumns:
    """Some or all arrays of one kind. Raises ConfigError for a kind or name that there is not."""
    if what not in WHAT:
        raise ConfigError(unknown("kind of columns", str(what), WHAT))
    source = ExportSource(run, what)
    columns = chosen(f"name among the {what}", () if names is None else list(names), source.names)
    labels = {"step": source.steps, "layer": np.array(run.layers.names, dtype=np.str_)}
    dims = ("step", "layer") if what in PER_LAYER else ("step",)
    return TableColumns(
        dims,
        {dim: labels[dim] for dim in dims},
        {name: source.rows(name, 0, len(source.steps)) for name in columns},
    )


def results_of(study: Study) -> TableColumns:
    """One entry per run: `status`, its value on each axis of the study, and its final results
    that are one number, NaN where a run has none.
    """
    ids = list(study.runs)
    rows = [_results(study, id) for id in ids]
    names = dict.fromkeys(name for row in rows for name in row)
    return TableColumns(
        ("run",),
        {"run": np.array(ids, dtype=np.str_)},
        {name: _column([row.get(name) for row in rows]) for name in names},
    )


def _results(study: Study, id: str) -> dict[str, Any]:
    run = study.runs.open(id)
    numbers = {name: value for name, value in run.final.items() if isinstance(value, int | float)}
    return {"status": run.status, **study.coordinates.get(id, {}), **numbers}


def _column(values: list[Any]) -> NDArray[Any]:
    if all(value is None or isinstance(value, int | float) for value in values):
        whole = all(isinstance(value, int) and not isinstance(value, bool) for value in values)
        return np.array(
            [np.nan if value is None else value for value in values],
            np.int64 if whole else np.float64,
        )
    return np.array(["" if value is None else str(value) for value in values], dtype=np.str_)
