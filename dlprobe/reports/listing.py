"""What `list` says: the kinds of things there are, or the things of one kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlprobe.registry import Parameter
from dlprobe.render.document import Column, Document, Facts, Hint, Table

SCHEMA = "dlprobe-list/1"


def all_kinds(shelves: Mapping[str, Mapping[str, Any]]) -> Document:
    """Every kind with its names."""
    facts = Facts([(f"{kind} ({len(shelf)})", ", ".join(map(_called, shelf.values()))) for kind, shelf in shelves.items()])
    data = {"schema": SCHEMA, "kinds": {kind: list(shelf) for kind, shelf in shelves.items()}}
    return Document("", [facts, Hint("dlprobe list activation"), Hint("dlprobe explain relu")], data)


def one_kind(kind: str, shelf: Mapping[str, Any]) -> Document:
    """Every thing of one kind, with its parameters and what it is."""
    heading = "what it is (its parameters)" if any(record.parameters for record in shelf.values()) else "what it is"
    table = Table([Column("name"), Column(heading)], [[_called(record), record.summary + _names(record.parameters)] for record in shelf.values()])
    records = [{**_codes(record), "summary": record.summary, "parameters": [parameter_data(each) for each in record.parameters]} for record in shelf.values()]
    first = next(iter(shelf), "")
    data = {"schema": SCHEMA, "kind": kind, "records": records}
    return Document(kind.replace("_", " "), [table, Hint(f"dlprobe explain {kind}:{first}")], data)


def _codes(record: Any) -> dict[str, Any]:
    """Name, and of a rule code and severity."""
    return {"name": record.name, **{key: getattr(record, key) for key in ("code", "severity") if hasattr(record, key)}}


def _called(record: Any) -> str:
    """The name as people look it up; a rule goes by its code."""
    return f"{record.code} {record.title}" if hasattr(record, "code") else str(record.name)


def _names(parameters: Sequence[Parameter]) -> str:
    return f" ({', '.join(each.name for each in parameters)})" if parameters else ""


def parameter_data(parameter: Parameter) -> dict[str, Any]:
    """A parameter as data; `low` and `high` are null where a side is open."""
    return {
        "name": parameter.name,
        "default": parameter.default,
        "help": parameter.help,
        "low": parameter.low,
        "high": parameter.high,
        "choices": list(parameter.choices),
        "allowed": parameter.allowed,
    }
