"""What `explain` says of a kind of things: the name of each, what it is, and the keys of the
configuration that take one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlprobe.registry import Parameter
from dlprobe.render.document import Column, Document, Facts, Hint, Table

SCHEMA = "dlprobe-list/1"


def one_kind(kind: str, shelf: Mapping[str, Any], keys: Sequence[Any] = ()) -> Document:
    """Every thing of one kind, with its parameters and what it is; `keys` of the configuration
    take one.
    """
    heading = (
        "what it is (its parameters)"
        if any(record.parameters for record in shelf.values())
        else "what it is"
    )
    table = Table(
        [Column("name"), Column(heading)],
        [
            [_called(record), record.summary + _names(record.parameters)]
            for record in shelf.values()
        ],
    )
    records = [
        {
            **_codes(record),
            "summary": record.summary,
            "parameters": [parameter_data(parameter) for parameter in record.parameters],
        }
        for record in shelf.values()
    ]
    first = next(iter(shelf), "")
    data = {"schema": SCHEMA, "kind": kind, "records": records}
    takes = (
        [Facts([(key.option, f"{key.help} [default: {key.default}]") for key in keys])]
        if keys
        else []
    )
    return Document(
        kind.replace("_", " "), [*takes, table, Hint(f"dlprobe explain {kind}:{first}")], data
    )


def _codes(record: Any) -> dict[str, Any]:
    return {
        "name": record.name,
        **{key: getattr(record, key) for key in ("code", "severity") if hasattr(record, key)},
    }


def _called(record: Any) -> str:
    return f"{record.code} {record.title}" if hasattr(record, "code") else str(record.name)


def _names(parameters: Sequence[Parameter]) -> str:
    return f" ({', '.join(parameter.name for parameter in parameters)})" if parameters else ""


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
