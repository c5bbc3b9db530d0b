"""Writing a configuration: as a JSON-able mapping, and as a TOML file with a comment above
every key. Both read back equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlprobe.config.records import TABLES, RunConfig
from dlprobe.config.table import ConfigTable, default_of, younger_keys


def to_mapping(config: RunConfig, *, whole: bool = False) -> dict[str, dict[str, Any]]:
    """`{table: {key: value}}` with JSON-able values: names as their short text, layers and split as
    lists, auto, none and never as such.

    Younger keys are there where they are not the default, as run files store them, or all
    (`whole`).
    """
    return {name: table_mapping(getattr(config, name), whole=whole) for name in TABLES}


def table_mapping(record: ConfigTable, *, whole: bool = False) -> dict[str, Any]:
    """`{key: value}` of one table of `to_mapping`."""
    return {
        key: form.plain(getattr(record, key))
        for key, form in record.forms().items()
        if whole or is_stored(record, key)
    }


def is_stored(record: ConfigTable, key: str) -> bool:
    """Whether a run file holds the key."""
    table: Any = type(record)
    return key not in younger_keys(table) or bool(getattr(record, key) != default_of(table, key))


def to_toml(
    config: RunConfig, reasons: Mapping[str, str] | None = None, *, brief: bool = False
) -> str:
    """The configuration as TOML text; above each key stand its help, what is allowed and, by
    `table.key`, why it has its value.

    brief: only the keys that are not as by default, and those with a reason; without their help.
    """
    import tomlkit  # here, not above: no reader needs it

    mapping, plain = to_mapping(config, whole=True), to_mapping(RunConfig(), whole=True)
    document = tomlkit.document()
    for name, table in TABLES.items():
        section = tomlkit.table()
        for key, form in table.forms().items():
            reason = (reasons or {}).get(f"{name}.{key}")
            if brief and not reason and mapping[name][key] == plain[name][key]:
                continue
            if not brief:
                section.add(
                    tomlkit.comment(f"{table.definitions[key].description} ({form.allowed})")
                )
            if reason:
                section.add(tomlkit.comment(" ".join(reason.split())))
            section.add(key, mapping[name][key])
        if section or not brief:
            document.add(name, section)
    return tomlkit.dumps(document)
