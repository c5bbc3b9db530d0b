"""The JSON Schemas of what people write: a run's TOML, from the configuration's records, and
`dlprobe.toml`, from the keys that it may have.

`python -m tests.guide.toml_schemas` writes both anew; a test compares the files with what the
records say.
"""

from __future__ import annotations

import json
from typing import Any

from dlprobe.commands.check.project_file import KEYS
from dlprobe.config import forms, list_forms
from dlprobe.config.records import TABLES
from dlprobe.guide.schemas import FOLDER

DRAFT = "https://json-schema.org/draft/2020-12/schema"
TEXT = {"type": "string"}


def schemas() -> dict[str, dict[str, Any]]:
    """Both schemas, by file name."""
    return {"run.toml.json": run_toml(), "dlprobe.toml.json": dlprobe_toml()}


def run_toml() -> dict[str, Any]:
    """A table per record, a key per field. Values are checked as far as their type and bounds;
    names of things are checked by dlprobe itself.
    """
    tables = {
        name: {
            "description": record.__doc__,
            **_closed({key: _key(record, key) for key in record.forms()}),
        }
        for name, record in TABLES.items()
    }
    about = (
        "What `dlprobe train FILE.toml` reads: the configuration of a run. Every table and key "
        "may be left out; the default then holds."
    )
    commands = ["dlprobe new", "dlprobe train FILE.toml"]
    return {
        "$schema": DRAFT,
        "title": "run.toml",
        "description": about,
        "x-commands": commands,
        **_closed(tables),
    }


def _key(record: type, key: str) -> dict[str, Any]:
    form, field = record.forms()[key], record.definitions[key]  # type: ignore[attr-defined]
    return {
        "description": f"{field.description} ({form.allowed}; default: {field.default or 'none'})",
        **_values(form),
    }


def _values(form: forms.Form) -> dict[str, Any]:
    """The TOML values that a form takes. A number may be written as text too, as on the command
    line.
    """
    text: dict[str, Any] = {"enum": list(form.choices)} if form.choices else TEXT
    match form:
        case forms.Separator():
            return TEXT
        case forms.YesNo():
            return {"anyOf": [{"type": "boolean"}, text]}
        case forms.Whole():
            return {"anyOf": [_bounded("integer", form.low, form.high), text]}
        case forms.Number():
            low = {"exclusiveMinimum" if form.open_low else "minimum": form.low}
            high = (
                {"exclusiveMaximum": form.below}
                if form.below is not None
                else {"maximum": form.high}
                if form.high is not None
                else {}
            )
            return {"anyOf": [{"type": "number", **low, **high}, text]}
        case forms.NamedPerLayer():
            return {
                "anyOf": [
                    text,
                    {"type": "object"},
                    {"type": "array", "items": {"anyOf": [text, {"type": "object"}]}},
                ]
            }
        case forms.NamedOrYes():
            return {"anyOf": [text, {"type": "object"}, {"type": "boolean"}]}
        case forms.Named() | forms.DataSource():
            return {"anyOf": [text, {"type": "object"}]}
        case list_forms.LayerSizes():
            return {
                "anyOf": [
                    text,
                    {"type": "integer", "minimum": 1},
                    {"type": "array", "items": {"type": ["integer", "string"]}},
                ]
            }
        case list_forms.ClassWeights() | list_forms.Split():
            return {"anyOf": [text, {"type": "array", "items": {"type": ["number", "string"]}}]}
        case list_forms.Columns():
            return {
                "anyOf": [
                    text,
                    {"type": "integer"},
                    {"type": "array", "items": {"type": ["integer", "string"]}},
                ]
            }
        case list_forms.Units():
            return {"anyOf": [text, {"type": "array", "items": TEXT}]}
    return text


def _bounded(kind: str, low: float, high: float | None) -> dict[str, Any]:
    return {"type": kind, "minimum": low, **({} if high is None else {"maximum": high})}


def dlprobe_toml() -> dict[str, Any]:
    """The options of `check` that a project keeps."""
    shapes: dict[Any, dict[str, Any]] = {
        list: {"type": "array", "items": TEXT},
        dict: {"type": "object"},
        str: TEXT,
        bool: {"type": "boolean"},
    }
    keys = {
        key: {"description": f"As `dlprobe check --{key}`: {words}.", **shapes[kind]}
        for key, (kind, words) in KEYS.items()
    }
    about = (
        "What `dlprobe.toml`, or `[tool.dlprobe]` of `pyproject.toml`, may hold: options of "
        "`dlprobe check`; the command line wins."
    )
    return {
        "$schema": DRAFT,
        "title": "dlprobe.toml",
        "description": about,
        "x-commands": ["dlprobe check"],
        **_closed(keys),
    }


def _closed(keys: dict[str, Any]) -> dict[str, Any]:
    """A table with these keys, none of them required, and no other."""
    return {"type": "object", "properties": keys, "additionalProperties": False}


def text_of(schema: dict[str, Any]) -> str:
    """A schema as its file has it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, schema in schemas().items():
        FOLDER.joinpath(name).write_text(text_of(schema), encoding="utf-8")  # type: ignore[attr-defined]
