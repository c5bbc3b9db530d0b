"""Writing a configuration: as a JSON-able mapping, and as a TOML file with a comment above every key. Both read back equal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlprobe.config.records import TABLES, RunConfig


def to_mapping(config: RunConfig) -> dict[str, dict[str, Any]]:
    """`{table: {key: value}}` with JSON-able values: names as their short text, layers and split as lists, auto, none and never as such."""
    mapping = {}
    for name, table in TABLES.items():
        record = getattr(config, name)
        mapping[name] = {key: form.plain(getattr(record, key)) for key, form in table.forms().items()}
    return mapping


def to_toml(config: RunConfig, reasons: Mapping[str, str] | None = None) -> str:
    """The configuration as TOML text; above each key stand its help, what is allowed and, by `table.key`, why it has its value."""
    import tomlkit  # here, not above: no reader needs it

    mapping = to_mapping(config)
    document = tomlkit.document()
    for name, table in TABLES.items():
        section = tomlkit.table()
        for key, form in table.forms().items():
            section.add(tomlkit.comment(f"{table.model_fields[key].description} ({form.allowed})"))
            if reason := (reasons or {}).get(f"{name}.{key}"):
                section.add(tomlkit.comment(" ".join(reason.split())))
            section.add(key, mapping[name][key])
        document.add(name, section)
    return tomlkit.dumps(document)
