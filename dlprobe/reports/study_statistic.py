"""A recorded quantity of many runs: medians and ranges by group, over the steps or through the
layers; and where its smallest and largest values are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any

from dlprobe.dataclass import dataclass
from dlprobe.render.document import (
    Block,
    Cell,
    Chart,
    Column,
    Document,
    Facts,
    Hint,
    LayerSeries,
    Paragraph,
    Profile,
    Series,
    Table,
)
from dlprobe.reports.statistic import LINES, SCHEMA, NamedQuantity, spans_decades, spread

if TYPE_CHECKING:
    from dlprobe.analysis.comparing.grouped_runs import RunGroup, Summary

MOMENTS = 3
NAMED = 8  # layers that are all shown; of more, some
ORDERS = ("name", "smallest", "largest")


@dataclass(frozen=True)
class Asked(NamedQuantity):
    """What was asked of a study. by: the axes that make groups; fixed: axes on which all chosen
    runs agree; runs, of_runs: how many were chosen of how many;
    at: `start`, `end` or a step, None for all steps; lacking: chosen runs that hold none of it;
        share: whether values are shares of samples.
    """

    path: str
    name: str
    definition: str
    group: str
    by: tuple[str, ...]
    fixed: Mapping[str, Any]
    runs: int
    of_runs: int
    at: str | int | None = None
    lacking: int = 0
    share: bool = False

    @property
    def facts(self) -> Facts:
        """Which runs they are."""
        fixed = ", ".join(
            f"{axis} = {value}" for axis, value in self.fixed.items() if axis not in self.by
        )
        pairs: list[tuple[str, Cell]] = [
            ("runs", f"{self.runs} of {self.of_runs}" + (f", all with {fixed}" if fixed else ""))
        ]
        pairs += [("groups by", ", ".join(self.by))] if self.by else []
        return Facts(
            [*pairs, *([("without it", f"{self.lacking} of these runs")] if self.lacking else [])]
        )

    @property
    def data(self) -> dict[str, Any]:
        """The head of the record."""
        head = {
            "schema": SCHEMA,
            "kind": "study",
            "path": self.path,
            "statistic": self.name,
            "definition": self.definition,
            "group": self.group,
        }
        return {**head, "by": list(self.by), "fixed": dict(self.fixed)}


@dataclass(frozen=True)
class GroupCurves:
    """One group and by layer (empty name: one number per step) what its runs have in common."""

    group: RunGroup
    layers: Mapping[str, Summary]

    def records(self) -> dict[str, Any]:
        """The group as data."""
        layers = [
            {
                "layer": name or None,
                "steps": [None if step < 0 else step for step in place.steps.tolist()],
                "median": place.median,
                "low": place.low,
                "high": place.high,
                "runs": place.runs,
            }
            for name, place in self.layers.items()
        ]
        return {
            "coordinates": dict(self.group.place),
            "runs": list(self.group.runs),
            "layers": layers,
        }


def curves(question: Asked, groups: Sequence[GroupCurves], order: str) -> Document:
    """Over the steps: a curve and a row for each layer of each group."""
    lines = [
        (_named(group, layer, groups), group, layer, summary)
        for group in groups
        for layer, summary in group.layers.items()
    ]
    lines = _ordered(
        lines,
        [float(summary.median[-1]) if len(summary.median) else math.nan for *_, summary in lines],
        order,
    )
    drawn = [lines[index] for index in spread(len(lines), LINES)]
    series = [
        Series(
            name,
            summary.steps.tolist(),
            (question.scale * summary.median).tolist(),
            runs=_several((question.scale * summary.values).tolist()),
        )
        for name, _, _, summary in drawn
    ]
    steps = sorted({step for *_, summary in lines for step in summary.steps.tolist()})
    moments = [steps[index] for index in spread(len(steps), MOMENTS)]
    columns = [
        Column("group" if question.by else "layer"),
        Column("runs", align="right"),
        *(Column(f"step {step}", align="right") for step in moments),
    ]
    rows: list[list[Cell]] = [
        [name, len(group.group.runs), *(_at(summary, step, question.scale) for step in moments)]
        for name, group, _, summary in lines
    ]
    blocks: list[Block] = [question.facts, Paragraph(question.definition)]
    if any(len(curve.x) > 1 for curve in series):
        some = f"; {len(drawn)} of {len(lines)} curves" if len(drawn) < len(lines) else ""
        log = spans_decades([value for curve in series for value in curve.y])
        blocks.append(
            Chart(series, "step", question.title, log_y=log, caption=f"medians over runs{some}")
        )
    blocks += [
        Table(columns, rows, "Median (smallest … largest) over the runs of a group"),
        _next(question),
    ]
    data = {
        **question.data,
        "over": "step",
        "at": None,
        "groups": [group.records() for group in groups],
    }
    return Document(f"{question.path}: {question.name} over the steps", blocks, data)


def profiles(question: Asked, groups: Sequence[GroupCurves], order: str) -> Document:
    """At one moment: through the layers, or one number for each group."""
    names = list(dict.fromkeys(layer for group in groups for layer in group.layers))
    shown = (
        names if len(names) <= NAMED else [names[index] for index in spread(len(names), MOMENTS)]
    )
    ordered = _ordered(
        list(groups),
        [_value(group.layers.get(shown[0])) if shown else math.nan for group in groups],
        order,
    )
    columns = [
        Column("group"),
        Column("runs", align="right"),
        *(Column(name or question.title, align="right") for name in shown),
    ]
    rows: list[list[Cell]] = [
        [
            line.group.label,
            len(line.group.runs),
            *(_one(line.layers.get(name), question.scale) for name in shown),
        ]
        for line in ordered
    ]
    blocks: list[Block] = [question.facts, Paragraph(question.definition)]
    if len(names) > 1:
        drawn = [ordered[index] for index in spread(len(ordered), LINES)]
        alike = all(list(picture.layers) == names for picture in drawn)
        series = [
            LayerSeries(
                picture.group.label,
                [_value(summary) for summary in picture.layers.values()],
                runs=_several(_through(picture.layers.values())),
            )
            for picture in drawn
        ]
        some = f"; {len(drawn)} of {len(ordered)} groups" if len(drawn) < len(ordered) else ""
        blocks.append(
            Profile(
                series,
                names if alike else (),
                caption=f"medians over runs through the layers{some}",
            )
        )
    part = (
        f"; {len(shown)} of {len(names)} layers, name others by --layers"
        if len(shown) < len(names)
        else ""
    )
    blocks += [
        Table(columns, rows, f"Median (smallest … largest) over the runs of a group{part}"),
        _next(question),
    ]
    data = {
        **question.data,
        "over": "layer",
        "at": question.at,
        "groups": [group.records() for group in groups],
    }
    where = {"start": "at the first recorded step", "end": "at the last recorded step"}.get(
        str(question.at), f"at step {question.at}"
    )
    return Document(f"{question.path}: {question.name} {where}", blocks, data)


def _next(question: Asked) -> Hint:
    return Hint(f"dlprobe inspect {quoted(question.path)} --statistic {question.name} --extreme")


def _named(group: GroupCurves, layer: str, groups: Sequence[GroupCurves]) -> str:
    several_layers = len(group.layers) > 1
    if len(groups) == 1 and not group.group.place:
        return layer or group.group.label
    return f"{group.group.label} · {layer}" if several_layers else group.group.label


def _at(summary: Summary, step: int, scale: float) -> Cell:
    rows = [row for row, own in enumerate(summary.steps.tolist()) if own == step]
    return _cell(summary, rows[0], scale) if rows else None


def _ordered(items: list[Any], values: Sequence[float], order: str) -> list[Any]:
    """By name as they are, or by value; what has none comes last."""
    if order == ORDERS[0]:
        return items
    sign = -1 if order == "largest" else 1
    ranked = sorted(
        zip(values, range(len(items)), strict=True),
        key=lambda pair: (math.isnan(pair[0]), sign * pair[0], pair[1]),
    )
    return [items[index] for _, index in ranked]


def _several(runs: Sequence[Sequence[float]]) -> Sequence[Sequence[float]]:
    """The runs behind a median; nothing of a single one, which is its own."""
    return runs if len(runs) > 1 else ()


def _through(layers: Iterable[Summary]) -> list[tuple[float, ...]]:
    columns = [summary.values[:, 0].tolist() for summary in layers]
    return list(zip(*columns, strict=True)) if len(set(map(len, columns))) == 1 else []


def _value(summary: Summary | None) -> float:
    return float(summary.median[0]) if summary is not None and len(summary.median) else math.nan


def _one(summary: Summary | None, scale: float) -> Cell:
    return None if summary is None or not len(summary.median) else _cell(summary, 0, scale)


def _cell(summary: Summary, row: int, scale: float) -> str:
    if not summary.runs[row]:
        return "-"
    middle, low, high = (
        scale * float(values[row]) for values in (summary.median, summary.low, summary.high)
    )
    return f"{middle:.3g}" if summary.runs[row] == 1 else f"{middle:.3g} ({low:.3g} … {high:.3g})"


@dataclass(frozen=True)
class ExtremePlace:
    """A value and where it stands; layer: empty for one number per step."""

    value: float
    run: str
    layer: str
    step: int


@dataclass(frozen=True)
class Extremes:
    """Of a group of runs: the smallest and largest finite value, and how many are infinite and
    the first of these. None where there is none.
    """

    label: str
    place: Mapping[str, Any]
    smallest: ExtremePlace | None
    largest: ExtremePlace | None
    infinite: ExtremePlace | None
    infinite_count: int


def extremes(question: Asked, groups: Sequence[Extremes], study: bool) -> Document:
    """Where the smallest and the largest values are."""
    kinds = ("smallest", "largest", "infinite")
    places = [
        (group, kind, place)
        for group in groups
        for kind in kinds
        if (place := getattr(group, kind)) is not None
    ]
    grouped = len(groups) > 1
    layered = any(place.layer for _, _, place in places)
    columns = [
        *([Column("group")] if grouped else []),
        Column(""),
        Column("value [%]" if question.share else "value", align="right", digits=5),
        *([Column("run")] if study else []),
    ]
    columns += [*([Column("layer")] if layered else []), Column("step", align="right")]
    rows: list[list[Cell]] = []
    for group, kind, place in places:
        name = f"first of {group.infinite_count} infinite" if kind == "infinite" else kind
        head: list[Cell] = [group.label] if grouped else []
        rows.append(
            [
                *head,
                name,
                question.scale * place.value,
                *([place.run] if study else []),
                *([place.layer] if layered else []),
                place.step,
            ]
        )
    blocks: list[Block] = [*([question.facts] if study else []), Paragraph(question.definition)]
    blocks.append(Table(columns, rows) if rows else Paragraph("No value of it was recorded."))
    if places:
        place = places[0][2]
        file = f"{question.path}#{place.run}" if study else question.path
        layer = f" --layers {quoted(place.layer)}" if place.layer else ""
        blocks.append(Hint(f"dlprobe inspect {quoted(file)} --statistic {question.name}{layer}"))
    listed = [_extremes_data(group) for group in groups]
    return Document(
        f"{question.path}: extremes of {question.name}",
        blocks,
        {**question.data, "kind": "study" if study else "run", "extremes": listed},
    )


def _extremes_data(group: Extremes) -> dict[str, Any]:
    places = {
        kind: None if (place := getattr(group, kind)) is None else _place_data(place)
        for kind in ("smallest", "largest")
    }
    return {"coordinates": dict(group.place), **places, "infinite": group.infinite_count}


def _place_data(place: ExtremePlace) -> dict[str, Any]:
    return {
        "value": place.value,
        "run": place.run or None,
        "layer": place.layer or None,
        "step": place.step,
    }
