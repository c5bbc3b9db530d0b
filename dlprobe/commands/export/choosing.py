"""From what was typed to the parts that are written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlprobe.api.tables import results_of
from dlprobe.commands.inspect.selection import selection
from dlprobe.config import split_list
from dlprobe.errors import ConfigError, RunFileError
from dlprobe.exporters.parts import ChosenSteps, ExportSource, Part, Wanted, part_of
from dlprobe.hdf5.files import printable
from dlprobe.registry import tidied, unknown
from dlprobe.runs import Run, Study, open_run

RESULTS = "results"
# What a layer has of the flat parameters: name, the column that says where it begins, and the
# columns whose sizes, multiplied, are its shape.
BLOCKS = (
    ("weight", "weight_offset", ("fan_in", "fan_out")),
    ("bias", "bias_offset", ("fan_out",)),
    ("norm_scale", "norm_scale_offset", ("fan_out",)),
    ("norm_shift", "norm_shift_offset", ("fan_out",)),
)


def asked(
    what: str | None, names: Sequence[str] | None, layers: Sequence[str] | None, steps: str | None
) -> Wanted | None:
    """The choice; None for the results of a study. Raises ConfigError for what does not go
    together.
    """
    if what == RESULTS:
        if names or layers or steps:
            raise ConfigError(
                "--what results gives the final results of every run: leave --statistic, "
                "--layers and --steps out"
            )
        return None
    several, every = _every(steps)
    chosen = selection(None, several, layers or ())
    wanted = Wanted(
        names=tuple(map(tidied, _listed(names))),
        layers=chosen.layers,
        steps=ChosenSteps(chosen.first, chosen.last, every),
    )
    return wanted if what is None else replace(wanted, what=what)  # type: ignore[arg-type]


def _every(steps: str | None) -> tuple[str | None, int]:
    """FIRST:LAST of FIRST:LAST:EVERY, and EVERY. Raises ConfigError."""
    if steps is None or steps.count(":") < 2:
        return steps, 1
    several, _, every = steps.rpartition(":")
    if not every.strip().isdecimal() or not int(every):
        raise ConfigError(f"--steps {steps!r}: expected FIRST:LAST:EVERY, e.g. 0:500:10 or ::10")
    return several, int(every)


def _listed(texts: Sequence[str] | None) -> list[str]:
    return [piece for text in texts or () for piece in split_list(text)]


@contextlib.contextmanager
def open_exported(path: Path, ids: Sequence[str] | None) -> Iterator[Run | dict[str, Run] | Study]:
    """The run; the chosen runs of a study by id; the study where all of it is asked for. Raises
    ConfigError or RunFileError.
    """
    with open_run(path) as opened:
        if isinstance(opened, Run) or ids is None:
            if ids is not None:
                raise ConfigError(f"{path} is a single run: --run is for studies, leave it out")
            yield opened
            return
        for id in ids:
            if not any(fnmatchcase(run, id) for run in opened.runs):
                raise ConfigError(
                    unknown("run", id, opened.runs, f"those that dlprobe inspect {path} shows")
                )
        yield {
            run: opened.runs.open(run)
            for run in opened.runs
            if any(fnmatchcase(run, id) for id in ids)
        }


def parts(opened: Run | Mapping[str, Run] | Study, wanted: Wanted | None) -> list[Part]:
    """What is written of what was opened. Raises ConfigError for a choice that it does not have."""
    if wanted is None:
        if not isinstance(opened, Study):
            raise ConfigError(
                "--what results gives one row per run of a study: give a study, and no --run"
            )
        return [_results(opened)]
    if isinstance(opened, Run):
        return [part_of(opened, wanted)]
    runs = {id: opened.runs.open(id) for id in opened.runs} if isinstance(opened, Study) else opened
    return [part_of(run, _recorded(run, wanted), id) for id, run in runs.items()]


def _recorded(run: Run, wanted: Wanted) -> Wanted:
    return wanted if wanted.names else replace(wanted, names=ExportSource(run, wanted.what).names)


def _results(study: Study) -> Part:
    columns = results_of(study)
    arrays = {name: _safe(array) for name, array in columns.arrays.items()}
    labels = {"run": _safe(columns.labels["run"])}
    bounds = [(0, len(labels["run"]))] if len(labels["run"]) else []
    return Part(
        "",
        ("run",),
        labels,
        {name: array.dtype for name, array in arrays.items()},
        bounds,
        lambda name, start, stop: arrays[name][start:stop],
    )


def _safe(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind == "U":
        return np.array([printable(text) for text in array.tolist()], np.str_)
    return array


def parameters_of(opened: Run | Mapping[str, Run] | Study) -> dict[str, NDArray[Any]]:
    """The last parameters: `parameters` flat, and by layer LAYER/weight (fan_in, fan_out),
    LAYER/bias … Raises ConfigError or RunFileError.
    """
    if not isinstance(opened, Run):
        raise ConfigError("--parameters is for one run: name it STUDY#ID")
    flat = opened.final_parameters
    if flat is None:
        raise RunFileError(
            f"{opened.contents.name} holds no parameters: they were not recorded, or it has no "
            "checkpoint yet"
        )
    arrays = {"parameters": flat, "step": opened.checkpoint_steps[-1:]}
    for index, layer in enumerate(opened.layers.names):
        for name, offset, sizes in BLOCKS:
            start = int(opened.layers[offset][index]) if offset in opened.layers else -1
            shape = tuple(int(opened.layers[size][index]) for size in sizes) if start >= 0 else ()
            if start >= 0 and min(shape) > 0:
                arrays[f"{printable(layer)}/{name}"] = flat[
                    start : start + int(np.prod(shape))
                ].reshape(shape)
    return arrays
