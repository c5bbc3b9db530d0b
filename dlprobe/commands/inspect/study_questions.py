"""`inspect STUDY --statistic NAME`: a quantity of the chosen runs, group by group; what is
shown of a run is kept, the rest is read and let go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from dlprobe.analysis.comparing.grouped_runs import RunGrid, RunGroup, over_runs
from dlprobe.commands.inspect.quantities import find_quantity
from dlprobe.commands.inspect.selection import StepSelection
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError, RunFileError
from dlprobe.registry import counted
from dlprobe.reports.study_statistic import (
    Asked,
    ExtremePlace,
    Extremes,
    GroupCurves,
    curves,
    extremes,
    profiles,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dlprobe.render.document import Document
    from dlprobe.reports.statistic import Quantity
    from dlprobe.runs import Study

T = TypeVar("T")


@dataclass(frozen=True)
class Question:
    """A quantity by name, the part of it, and the runs: conditions by axis, axes that make
    groups (None: those on which the runs differ), order of groups.
    """

    statistic: str
    selection: StepSelection
    where: Mapping[str, Sequence[str]]
    by: tuple[str, ...] | None = None
    order: str = "name"


@dataclass(frozen=True)
class Answered(Generic[T]):
    """The groups, and what was kept of each run that holds the quantity, by id."""

    asked: Asked
    groups: list[RunGroup]
    kept: dict[str, T]

    def of(self, group: RunGroup) -> list[T]:
        """What was kept of the runs of a group."""
        return [self.kept[id] for id in group.runs if id in self.kept]


def answer(study: Study, path: str, question: Question, over: str | None) -> Document:
    """Medians and ranges by group, over the steps, or at one moment through the layers. Raises
    ConfigError or RunFileError.
    """
    selection = question.selection
    if over == "step" and selection.at is not None:
        raise ConfigError("--over step shows all steps, --at one: give one of them")
    if over == "layer" and selection.at is None:
        selection = replace(selection, at="end")
    whole = bool(selection.layers) or selection.at is not None
    reading = _read(
        study,
        path,
        replace(question, selection=selection),
        (lambda quantity: quantity) if whole else _ends,
    )
    names = _layers(list(reading.kept.values()), whole)
    if over == "layer" and names == [""]:
        raise ConfigError(
            f"{reading.asked.name} is one number per step, not one per layer: leave --over out"
        )
    return (curves if selection.at is None else profiles)(
        reading.asked,
        [_summaries(group, reading.of(group), names, selection) for group in reading.groups],
        question.order,
    )


def _summaries(
    group: RunGroup, quantities: Sequence[Quantity], names: Sequence[str], selection: StepSelection
) -> GroupCurves:
    """What the runs of a group have in common, by layer."""
    held = {
        name: [_column(quantity, name) for quantity in quantities if name in _names(quantity)]
        for name in names
    }
    return GroupCurves(
        group,
        {
            name: over_runs(columns, aligned=selection.at is not None)
            for name, columns in held.items()
            if columns
        },
    )


def extreme_values(study: Study, path: str, question: Question) -> Document:
    """Where the smallest and largest values are: of all chosen runs, or of each group where
    --by makes some.
    """
    answered = _read(study, path, replace(question, by=question.by or ()), _extremes)
    return extremes(
        answered.asked,
        [
            _merged(group, {id: answered.kept[id] for id in group.runs if id in answered.kept})
            for group in answered.groups
        ],
        True,
    )


def extreme_values_of_run(quantity: Quantity) -> Document:
    """The smallest and largest values of one run."""
    question = Asked(
        quantity.path,
        quantity.name,
        quantity.definition,
        quantity.group,
        (),
        {},
        1,
        1,
        share=quantity.share,
    )
    return extremes(question, [_extremes(quantity)], False)


def _read(
    study: Study, path: str, question: Question, keep: Callable[[Quantity], T]
) -> Answered[T]:
    """What is kept of the chosen quantity of each chosen run. Raises the first error where no
    run holds it.
    """
    if not study.runs:
        raise RunFileError(f"{path} is a study without a run: there is nothing to show")
    whole = RunGrid(study.axes, {id: study.coordinates.get(id, {}) for id in study.runs})
    grid, selection = whole.where(question.where), question.selection
    by = tuple(grid.varying if question.by is None else map(grid.axis, question.by))
    kept, layers, first, failure = dict[str, T](), dict[str, None](), None, None
    for id in grid.coordinates:
        try:
            quantity = find_quantity(
                study.runs.open(id), question.statistic, f"{path}#{id}", selection
            )
        except RunFileError as error:
            failure = failure or error
            continue
        layers |= dict.fromkeys(quantity.all_layers)
        if not quantity.empty:
            first, kept[id] = first or quantity, keep(quantity)
    if failure is not None and not kept:
        raise failure
    selection.refuse_unknown(list(layers))
    if first is None:
        raise ConfigError(
            f"{path}: {selection.empty} of {question.statistic} in any of the "
            f"{counted(len(grid.coordinates), 'run')}"
        )
    chosen, lacking = len(grid.coordinates), len(grid.coordinates) - len(kept)
    asked = Asked(
        path,
        first.name,
        first.definition,
        first.group,
        by,
        grid.fixed,
        chosen,
        len(whole.coordinates),
        selection.at,
        lacking,
        first.share,
    )
    return Answered(asked, grid.by(by), kept)


def _names(quantity: Quantity) -> tuple[str, ...]:
    """Its columns; one without a name where it is one number per step."""
    return quantity.layers or ("",)


def _ends(quantity: Quantity) -> Quantity:
    """The first and the last hidden layer alone, which are shown where no layers are asked for."""
    hidden = [
        index for index, name in enumerate(quantity.layers) if name.startswith("hidden_")
    ] or list(range(len(quantity.layers)))
    return (
        quantity.columns_only(list(dict.fromkeys([hidden[0], hidden[-1]]))) if hidden else quantity
    )


def _layers(quantities: Sequence[Quantity], whole: bool) -> list[str]:
    """The columns that are shown: all, or first and last where all runs have the same, else the
    first.
    """
    # the deepest net says the order
    columns = sorted(dict.fromkeys(map(_names, quantities)), key=len, reverse=True)
    names = list(dict.fromkeys(name for column in columns for name in column))
    return names if whole or len(columns) == 1 else names[:1]


def _column(quantity: Quantity, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    return quantity.steps, quantity.columns[:, _names(quantity).index(name)]


def _extremes(quantity: Quantity) -> Extremes:
    values = quantity.columns.astype(np.float64)
    finite, infinite = np.isfinite(values), np.argwhere(np.isinf(values))
    ends: list[ExtremePlace | None] = [None, None]
    if finite.any():
        ends = [
            _place(quantity, *np.unravel_index(position, values.shape))
            for position in (
                np.where(finite, values, np.inf).argmin(),
                np.where(finite, values, -np.inf).argmax(),
            )
        ]
    return Extremes(
        "",
        {},
        ends[0],
        ends[1],
        _place(quantity, *infinite[0]) if len(infinite) else None,
        len(infinite),
    )


def _place(quantity: Quantity, row: Any, column: Any) -> ExtremePlace:
    return ExtremePlace(
        float(quantity.columns[row, column]),
        "",
        quantity.layers[column] if quantity.layers else "",
        int(quantity.steps[row]),
    )


def _merged(group: RunGroup, runs: Mapping[str, Extremes]) -> Extremes:
    places = {
        kind: [
            replace(place, run=id)
            for id, member in runs.items()
            if (place := getattr(member, kind)) is not None
        ]
        for kind in ("smallest", "largest", "infinite")
    }
    smallest = min(places["smallest"], key=_size, default=None)
    largest = max(places["largest"], key=_size, default=None)
    return Extremes(
        group.label,
        group.place,
        smallest,
        largest,
        next(iter(places["infinite"]), None),
        sum(member.infinite_count for member in runs.values()),
    )


def _size(place: ExtremePlace) -> float:
    return place.value
