"""What a run or study holds as plain columns, from which tables and arrays of other libraries are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from dlprobe.errors import ConfigError
from dlprobe.record.scalars import SCALARS
from dlprobe.registry import unknown
from dlprobe.runs import Run, Study

What: TypeAlias = Literal["statistics", "scalars", "evaluations", "evaluation_layers"]


@dataclass(frozen=True)
class Columns:
    """Arrays by name, all of the same axes. dims: names of the axes; labels: by axis the values along it."""

    dims: tuple[str, ...]
    labels: Mapping[str, NDArray[Any]]
    arrays: Mapping[str, NDArray[Any]]

    @property
    def flat(self) -> dict[str, NDArray[Any]]:
        """One column per axis and array, a row for each combination of labels, the last axis fastest."""
        shape = tuple(len(self.labels[dim]) for dim in self.dims)
        axes = {
            dim: np.broadcast_to(self.labels[dim].reshape([-1 if k == axis else 1 for k in range(len(shape))]), shape) for axis, dim in enumerate(self.dims)
        }
        return {name: array.ravel() for name, array in (axes | dict(self.arrays)).items()}


def columns_of(run: Run, what: What, names: Iterable[str] | None) -> Columns:
    """Some or all arrays of one kind. Raises ConfigError for a kind or name that there is not."""
    if what not in get_args(What):
        raise ConfigError(unknown("kind of columns", str(what), get_args(What)))
    known = _known(run, what)
    chosen = list(known) if names is None else list(names)
    for name in chosen:
        if name not in known:
            raise ConfigError(unknown(f"name among the {what}", name, known))
    step = run.evaluations["step"] if what.startswith("evaluation") else run.steps
    labels = {"step": step, "layer": np.array(run.layers.names, dtype=np.str_)}
    dims = ("step", "layer") if what in ("statistics", "evaluation_layers") else ("step",)
    return Columns(dims, {dim: labels[dim] for dim in dims}, {name: _array(run, what, name) for name in chosen})


def _known(run: Run, what: What) -> tuple[str, ...]:
    by_kind = {"statistics": lambda: run.statistics, "scalars": lambda: tuple(name for name in SCALARS if run.is_recorded(name))}
    if what in by_kind:
        return by_kind[what]()
    return tuple(name for name in (run.evaluations if what == "evaluations" else run.evaluation_layers) if name != "step")


def _array(run: Run, what: What, name: str) -> NDArray[Any]:
    if what == "statistics":
        return run.statistic(name)
    if what == "scalars":
        return run.scalar(name)
    return run.evaluations[name] if what == "evaluations" else run.evaluation_layers[name]


def results_of(study: Study) -> Columns:
    """One entry per run: `status`, its value on each axis of the study, and its final results that are one number, NaN where a run has none."""
    ids = list(study.runs)
    rows = [_results(study, id) for id in ids]
    names = dict.fromkeys(name for row in rows for name in row)
    return Columns(("run",), {"run": np.array(ids, dtype=np.str_)}, {name: _column([row.get(name) for row in rows]) for name in names})


def _results(study: Study, id: str) -> dict[str, Any]:
    run = study.runs.open(id)
    numbers = {name: value for name, value in run.final.items() if isinstance(value, int | float)}
    return {"status": run.status, **study.coordinates.get(id, {}), **numbers}


def _column(values: list[Any]) -> NDArray[Any]:
    """Numbers where all are, else texts."""
    if all(value is None or isinstance(value, int | float) for value in values):
        whole = all(isinstance(value, int) and not isinstance(value, bool) for value in values)
        return np.array([np.nan if value is None else value for value in values], np.int64 if whole else np.float64)
    return np.array(["" if value is None else str(value) for value in values], dtype=np.str_)
