"""Finding a recorded quantity of a run by the name that somebody typed."""

from __future__ import annotations

import numpy as np

from dlprobe import registry
from dlprobe.analysis.learning.noise_scale import noise_scale
from dlprobe.errors import ConfigError, RunFileError
from dlprobe.record import layout
from dlprobe.record.scalars import SCALARS
from dlprobe.registry import tidied, unknown
from dlprobe.reports.statistic import Quantity
from dlprobe.runs import Run

GROUPS = {"statistics": "stats", "scalars": "scalars", "evaluations": "evaluations", "instruments": "instruments"}
DERIVED = ("gradient_noise_scale",)  # made from statistics when asked for


def find_quantity(run: Run, name: str, where: str) -> Quantity:
    """The statistic, per-step scalar or evaluation called `name` (with `_` or `-`; `evaluations/dead_fraction` where several groups have it).

    `where` is what the run is called in titles. Raises ConfigError with a suggestion and the list for an unknown name, RunFileError for one that
    this run did not record.
    """
    group, _, plain = tidied(name).rpartition("/")
    known = names(run)
    if group and group not in known:
        raise ConfigError(unknown("group", group, known))
    found = next((each for each in ([group] if group else known) if plain in known[each]), None)
    if found is None and plain in (*registry.records("statistic"), *SCALARS):
        raise RunFileError(f"{where} did not record {plain}, or it is not defined for any layer of this net")
    if found is None:
        shown = dict.fromkeys(each for names_of_group in known.values() for each in names_of_group)
        others = [each for each in shown if each not in run.statistics]
        raise ConfigError(unknown("statistic", plain, shown, f"{', '.join(others)} and {registry.listing('statistic')}"))
    return _quantity(run, found, plain, where)


def names(run: Run) -> dict[str, tuple[str, ...]]:
    """What the run holds, by group; a name that several groups have means the first."""
    evaluated = (run.evaluations, run.evaluation_layers, run.evaluation_classes, run.evaluation_targets)
    evaluations = tuple(name for group in evaluated for name in group if name != "step")
    instruments = tuple(name for name in run.instruments if name != "step")
    return {"statistics": run.statistics, "scalars": run.scalars, "evaluations": evaluations, "instruments": instruments, "derived": DERIVED}


def _quantity(run: Run, group: str, name: str, where: str) -> Quantity:
    if group == "derived":
        return _noise_scale(run, name, where)
    definition = layout.data_sets()[f"{GROUPS[group]}/{name}"].meaning
    if group == "statistics":
        return Quantity(where, name, definition, run.steps, run.statistic(name), run.layers.names, group)
    if group == "scalars":
        return Quantity(where, name, definition, run.steps, run.scalar(name), (), group)
    if group == "instruments":
        values = run.instruments[name]
        return Quantity(where, name, definition, run.instruments["step"], values, run.layers.names if values.ndim == 2 else (), group)
    steps = run.evaluations["step"]
    if name in run.evaluations:
        return Quantity(where, name, definition, steps, run.evaluations[name], (), group)
    if name in run.evaluation_classes:
        return Quantity(where, name, definition, steps, run.evaluation_classes[name], tuple(run.data["class_names"]), group)
    if name in run.evaluation_targets:
        return Quantity(where, name, definition, steps, run.evaluation_targets[name], tuple(run.data["target_names"]), group)
    return Quantity(where, name, definition, steps, run.evaluation_layers[name], run.layers.names, group)


def _noise_scale(run: Run, name: str, where: str) -> Quantity:
    """Per layer, and of all weights together in a last column."""
    found = noise_scale(run)
    values = np.column_stack([found.layers, found.whole])
    return Quantity(where, name, registry.get("instrument", name).summary, found.steps, values, (*run.layers.names, "all weights"), "derived")
