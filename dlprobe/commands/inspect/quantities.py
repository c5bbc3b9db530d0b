"""Finding a recorded quantity of a run by the name that somebody typed, and reading the part of
it that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dlprobe import registry
from dlprobe.commands.inspect.selection import StepSelection
from dlprobe.errors import ConfigError, RunFileError
from dlprobe.record import layout
from dlprobe.record.scalars import SCALARS
from dlprobe.registry import tidied, unknown
from dlprobe.reports.statistic import Quantity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dlprobe.runs import Run

GROUPS = {
    "statistics": "stats",
    "scalars": "scalars",
    "evaluations": "evaluations",
    "instruments": "instruments",
}
DERIVED = ("gradient_noise_scale",)  # made from statistics when asked for
HISTOGRAM = "_histogram"
TRACKED = "unit_percentiles"


def distribution(name: str) -> str | None:
    """What a name means that is shown as a distribution: `weight_histogram` weight,
    `unit_percentiles` itself; None for every other name.
    """
    plain = tidied(name).removeprefix("instruments/")
    if plain in (TRACKED, "tracked"):
        return TRACKED
    kinds = registry.get("instrument", "histogram").of
    if plain in ("histogram", "percentiles"):
        return str(kinds[0])
    kind = plain.removeprefix("histograms/").removesuffix(HISTOGRAM)
    return kind if kind != plain and kind in kinds else None


def distributions() -> tuple[str, ...]:
    """Every name that `distribution` knows, in the form that is shown."""
    return (*(f"{kind}{HISTOGRAM}" for kind in registry.get("instrument", "histogram").of), TRACKED)


def complete_statistic(incomplete: str) -> list[str]:
    """Names for the shell: statistics, scalars, what is evaluated, instruments and
    distributions.
    """
    evaluated = [
        path.rpartition("/")[2]
        for path in layout.data_sets()
        if path.startswith("evaluations/") and not path.endswith("/step")
    ]
    instruments = [
        name
        for name in registry.records("instrument")
        if name not in ("histogram", "percentiles", TRACKED)
    ]
    known = dict.fromkeys(
        [*registry.records("statistic"), *SCALARS, *evaluated, *instruments, *distributions()]
    )
    return [name for name in known if name.startswith(incomplete.replace("-", "_"))]


def find_quantity(
    run: Run,
    name: str,
    where: str,
    selection: StepSelection = StepSelection(),  # noqa: B008  (frozen)
) -> Quantity:
    """The statistic, per-step scalar or evaluation called `name` (with `_` or `-`;
    `evaluations/dead_fraction` where several groups have it).

    `where` is what the run is called in titles. Only the rows of the selection are read. Raises
    ConfigError with a suggestion and the list for an unknown name, RunFileError for one that this
    run did not record.
    """
    group, _, plain = tidied(name).rpartition("/")
    home = _home(run, group, plain)
    if home is None:
        raise _missing(run, group, plain, where)
    return _read(run, home, plain, where, selection)


def _home(run: Run, group: str, name: str) -> str | None:
    """The first group that has the name; nothing else is looked up."""
    has = {
        "statistics": lambda: name in registry.records("statistic") and run.is_recorded(name),
        "scalars": lambda: name in SCALARS and run.is_recorded(name),
        "evaluations": lambda: name != "step" and run.contents.has(f"evaluations/{name}"),
        "instruments": lambda: run.contents.has(f"instruments/{name}"),
        "derived": lambda: name in DERIVED,
    }
    return next((word for word in has if group in ("", word) and has[word]()), None)


def _missing(run: Run, group: str, name: str, where: str) -> ConfigError | RunFileError:
    known = names(run)
    if group and group not in known:
        return ConfigError(unknown("group", group, known))
    if name in (*registry.records("statistic"), *SCALARS):
        return RunFileError(
            f"{where} did not record {name}, or it is not defined for any layer of this net"
        )
    shown = [
        *dict.fromkeys(name for names_of_group in known.values() for name in names_of_group),
        *distributions(),
    ]
    others = [entry for entry in shown if entry not in run.statistics]
    return ConfigError(
        unknown(
            "statistic", name, shown, f"{', '.join(others)} and {registry.listing('statistic')}"
        )
    )


def names(run: Run) -> dict[str, tuple[str, ...]]:
    """What the run holds, by group; a name that several groups have means the first."""
    evaluated = (
        run.evaluations,
        run.evaluation_layers,
        run.evaluation_classes,
        run.evaluation_targets,
    )
    evaluations = tuple(name for group in evaluated for name in group if name != "step")
    instruments = tuple(name for name in run.instruments if name != "step")
    return {
        "statistics": run.statistics,
        "scalars": run.scalars,
        "evaluations": evaluations,
        "instruments": instruments,
        "derived": DERIVED,
    }


def _read(run: Run, group: str, name: str, where: str, selection: StepSelection) -> Quantity:
    if group == "derived":
        return _noise_scale(run, name, where, selection)
    line = layout.data_sets()[f"{GROUPS[group]}/{name}"]
    steps = (
        run.steps
        if group in ("statistics", "scalars")
        else run.contents.read(f"{'histograms' if group == 'instruments' else group}/step")
    )
    rows = selection.rows(steps)
    values = run.contents.read_rows(line.path, rows.start, rows.stop)
    share = name in ("train_error", "val_error") and run.data.get("task") == "classification"
    return _selected(
        Quantity(
            where,
            name,
            line.meaning,
            steps[rows],
            values,
            _columns(run, line.dims),
            group,
            share=share,
        ),
        selection,
    )


def _columns(run: Run, dims: Sequence[str]) -> tuple[str, ...]:
    """What the columns of a data set are called; empty where it is one number per row."""
    if len(dims) < 2:
        return ()
    if dims[1] == "layer":
        return run.layers.names
    return tuple(run.data[{"class": "class_names", "output": "target_names"}[dims[1]]])


def _selected(quantity: Quantity, selection: StepSelection) -> Quantity:
    """The columns that are asked for. Raises ConfigError for layers of what has none."""
    if not selection.layers:
        return replace(quantity, all_layers=quantity.layers)
    if not quantity.layers:
        raise ConfigError(
            f"{quantity.name} is one number per step, not one per layer: leave --layers out"
        )
    return replace(
        quantity.columns_only(selection.columns(quantity.layers)), all_layers=quantity.layers
    )


def _noise_scale(run: Run, name: str, where: str, selection: StepSelection) -> Quantity:
    """Per layer, and of all weights together in a last column."""
    from dlprobe.analysis.learning.noise_scale import noise_scale

    scale = noise_scale(run)
    steps: NDArray[Any] = np.asarray(scale.steps)
    rows = selection.rows(steps)
    values = np.column_stack([scale.layers, scale.whole])[rows]
    meaning = registry.get("instrument", name).summary
    return _selected(
        Quantity(
            where, name, meaning, steps[rows], values, (*run.layers.names, "all weights"), "derived"
        ),
        selection,
    )
