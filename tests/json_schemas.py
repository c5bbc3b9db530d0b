"""Validating the records that commands print by the JSON Schemas of the package."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from dlprobe import registry


@functools.cache
def validator(name: str) -> Draft202012Validator:
    """The validator of a schema by its title. Raises ConfigError where there is no such schema."""
    return Draft202012Validator(registry.get("schema", name).content)


def problems(record: dict[str, Any]) -> list[str]:
    """What a record has that the schema it names does not allow, one line each."""
    return [
        line for error in validator(record["schema"]).iter_errors(record) for line in _lines(error)
    ]


def _lines(error: ValidationError) -> Iterator[str]:
    """Place and reason; of a record with several forms, those of the form that fits best."""
    if not error.context:
        yield f"{error.json_path}: {error.message[:200]}"
        return
    by_form: dict[Any, list[ValidationError]] = {}
    for inner in error.context:
        by_form.setdefault(inner.schema_path[0], []).append(inner)
    for inner in min(by_form.values(), key=len):
        yield from _lines(inner)


def form_of(record: dict[str, Any]) -> tuple[str, str]:
    """(schema, title of the form that the record has); the title is empty where the schema has
    one form.
    """
    content = registry.get("schema", record["schema"]).content
    forms = [
        form["title"]
        for form in content.get("anyOf", ())
        if not any(Draft202012Validator({**content, "anyOf": [form]}).iter_errors(record))
    ]
    assert len(forms) == ("anyOf" in content), (
        f"{record['schema']} has no form for these keys, or several: {forms}"
    )
    return record["schema"], forms[0] if forms else ""
