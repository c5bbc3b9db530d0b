"""What `inspect` says of a study: what it is, its axes, its runs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any

from dlprobe.dataclass import dataclass
from dlprobe.render.document import Block, Cell, Column, Document, Facts, Hint, Table, Toned
from dlprobe.reports.inspect_run import toml_lines
from dlprobe.reports.statistic import SCHEMA
from dlprobe.reports.tones import STATE_TONES, STATUS_TONES, VERDICT_TONES

if TYPE_CHECKING:
    from dlprobe.runs import Study

# experiments whose command shows a saved study again
COMMANDS = ("gradients", "compare", "bias-variance", "recipe")


@dataclass(frozen=True)
class RunLine:
    """One run of a study in a line: `numbers` are results by name, `verdicts` those of the first
    and last recorded step (None: no step).

    shares: errors are shares of samples, told in percent. state: the state of the run.
    """

    id: str
    coordinates: Mapping[str, Any]
    status: str
    numbers: Mapping[str, float | None]
    verdicts: tuple[str, str] | None
    shares: bool = False
    state: str = ""


def overview(study: Study, lines: Sequence[RunLine]) -> Document:
    """The study with a table of its runs."""
    where = quoted(str(study.path))
    blocks: list[Block] = [Facts(_facts(study, lines))]
    if lines:
        blocks += [_table(lines), *_next(study, where, lines[0].id)]
    data = {
        "schema": SCHEMA,
        "kind": "study",
        "path": str(study.path),
        "status": study.status,
        "experiment": study.description.get("experiment"),
        "axes": study.axes,
        "damage": study.damage,
        "runs": [_record(line) for line in lines],
        "table": study.table,
    }
    return Document(f"{study.path}", blocks, data)


def _next(study: Study, where: str, first: str) -> list[Block]:
    experiment = str(study.description.get("experiment", ""))
    again = [Hint(f"dlprobe {experiment} {where}")] if experiment in COMMANDS else []
    return [*again, Hint(f"dlprobe inspect {quoted(f'{study.path}#{first}')}")]


def _facts(study: Study, lines: Sequence[RunLine]) -> list[tuple[str, Cell]]:
    pairs: list[tuple[str, Cell]] = [("status", Toned(study.status, STATUS_TONES[study.status]))]
    if study.damage:
        pairs.append(("damage", Toned(study.damage, "bad")))
    pairs += [("study", str(study.description.get("experiment", "-"))), ("runs", len(lines))]
    return pairs + [
        (name, ", ".join(map(str, values)) if isinstance(values, list) else str(values))
        for name, values in study.axes.items()
    ]


def _table(lines: Sequence[RunLine]) -> Table:
    """A row per run; axes whose values the run's id says already, and a status that all share,
    are left out.
    """
    axes = [
        axis
        for axis in dict.fromkeys(axis for line in lines for axis in line.coordinates)
        if not all(_says(line, axis) for line in lines)
    ]
    numbers = list(dict.fromkeys(name for line in lines for name in line.numbers))
    status = len({line.status for line in lines}) > 1
    columns = [
        Column("run"),
        *map(Column, axes),
        Column("at first"),
        Column("at last"),
        *([Column("status")] if status else []),
    ]
    columns += [Column(name.replace("_", " "), align="right") for name in numbers]
    told = any(line.state for line in lines)
    columns += [Column("state")] if told else []
    rows: list[list[Cell]] = []
    for line in lines:
        verdicts = (
            [Toned(verdict, VERDICT_TONES[verdict]) for verdict in line.verdicts]
            if line.verdicts
            else [None, None]
        )
        states = [Toned(line.status, STATUS_TONES[line.status])] if status else []
        came_to = (
            [Toned(line.state, STATE_TONES[line.state]) if line.state else None] if told else []
        )
        rows.append(
            [
                line.id,
                *(_cell(line.coordinates.get(axis)) for axis in axes),
                *verdicts,
                *states,
                *(_number(line, name) for name in numbers),
                *came_to,
            ]
        )
    return Table(columns, rows)


def _number(line: RunLine, name: str) -> Cell:
    value = line.numbers.get(name)
    if value is not None and line.shares and name.endswith("_error"):
        return f"{100 * value:.1f} %"
    return value


def _says(line: RunLine, axis: str) -> bool:
    """Whether the id of a run holds its value on an axis, but for the characters that an id
    cannot have.
    """
    value, name = (
        re.sub(r"[^A-Za-z0-9]", "", text).lower()
        for text in (str(line.coordinates.get(axis, "")), line.id)
    )
    return value in name


def _cell(value: Any) -> Cell:
    return value if value is None or isinstance(value, str | int | float) else json.dumps(value)


def _record(line: RunLine) -> dict[str, Any]:
    first, last = line.verdicts or (None, None)
    return {
        "id": line.id,
        "coordinates": line.coordinates,
        "status": line.status,
        "state": line.state or None,
        **line.numbers,
        "initial_verdict": first,
        "final_verdict": last,
    }


def description(study: Study) -> Document:
    """What the study was asked to do."""
    data = {"schema": SCHEMA, "kind": "study", "path": str(study.path), "config": study.description}
    return Document(f"{study.path}: study", [_lines(study.description)], data)


def _lines(results: Mapping[str, Any]) -> Block:
    from dlprobe.render.document import Lines

    tables = {name: value for name, value in results.items() if isinstance(value, Mapping)}
    lists = {
        name: value
        for name, value in results.items()
        if isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value)
    }
    plain = [
        _line(name, value)
        for name, value in results.items()
        if name not in tables and name not in lists
    ]
    return Lines(
        [
            *plain,
            *([""] if plain and tables else []),
            *toml_lines(tables),
            *(line for name, value in lists.items() for line in _entries(name, value)),
        ]
    )


def _line(name: str, value: Any) -> str:
    return f"{name} = {json.dumps(value, ensure_ascii=False)}"


def _entries(name: str, entries: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "",
        f"# {name}: the configuration of each is in its runs, inspect STUDY#ID --show config",
    ]
    for entry in entries:
        lines += [
            "",
            f"[[{name}]]",
            *(_line(key, value) for key, value in entry.items() if key != "config"),
        ]
    return lines
