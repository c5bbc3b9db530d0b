"""Reading a configuration from a mapping, a TOML file or option texts. Nothing but ConfigError
comes out, one line each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from dlprobe.config.naming import LONGEST_NAME
from dlprobe.config.problems import ALL_KEYS, FieldError, StrayKeyError, stray_key
from dlprobe.config.records import TABLES, RunConfig, keys_by_table, other_keys
from dlprobe.config.scalars import show
from dlprobe.config.table import ConfigTable
from dlprobe.config.toml_text import loads, read_start
from dlprobe.errors import ConfigError
from dlprobe.registry import listed, nearby, unknown

LARGEST_FILE = 1_000_000  # bytes; the longest hand-written configuration has a few thousand
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# What is measured on the way beside the statistics, which nobody asks of the many runs of a study:
# key of [recording] -> the value with which nothing is measured.
INSTRUMENTS = {
    "histogram_every": "never",
    "track_unit": "none",
    "track_every": "auto",
    "jacobian": "none",
    "sharpness": "none",
    "mc_dropout": "none",
}


def from_mapping(mapping: Mapping[str, Any]) -> RunConfig:
    """The configuration that `{table: {key: value}}` describes; what is left out has its default.
    Keys are taken with `_` or `-`; a table may be a record that was read already.

    Raises ConfigError for an unknown table or key, a wrong value, an impossible combination.
    """
    if not isinstance(mapping, Mapping):
        raise ConfigError(f"expected the tables {', '.join(TABLES)}, found {show(mapping)}")
    tables: dict[str, Any] = {}
    for name, values in _tidied("the configuration", mapping).items():
        if name not in TABLES:
            raise stray_key("", name, keys_by_table(), other_keys())
        if isinstance(values, TABLES[name]):
            tables[name] = values
            continue
        if not isinstance(values, Mapping):
            raise StrayKeyError(
                "",
                name,
                f"{name} = {show(values)}: expected a table with keys among "
                f"{listed(list(TABLES[name].definitions), ALL_KEYS)}",
            )
        tables[name] = TABLES[name](**_tidied(f"[{name}]", values))
    return RunConfig(**tables)


def from_stored(stored: Mapping[str, Any]) -> RunConfig:
    """`from_mapping` of what a run file holds, JSON: a table that other runs have too is read once.
    Raises ConfigError.
    """
    return from_mapping(
        {
            name: _stored_table(name, json.dumps(values))
            if name in TABLES and isinstance(values, dict)
            else values
            for name, values in stored.items()
        }
    )


def completed(stored: Any, task: str) -> Any:
    """A configuration as a file holds it, with what its format did not say yet: how its runs were
    trained.

    Before `target_scaling` (format 1.0) every regression was trained on its targets as they are,
    and so is what has an unknown task; classes are never scaled. Another thing than a configuration
    comes back as it is.
    """
    data = stored.get("data") if isinstance(stored, Mapping) else None
    if not isinstance(data, Mapping) or "scaling" not in data or "target_scaling" in data:
        return stored
    return {
        **stored,
        "data": {**data, "target_scaling": "auto" if task == "classification" else "none"},
    }


@lru_cache(1024)  # the largest studies: each is passed over twice
def _stored_table(name: str, text: str) -> ConfigTable:
    return TABLES[name](**_tidied(f"[{name}]", json.loads(text)))


def from_options(base: RunConfig | None, options: Mapping[str, str | None]) -> RunConfig:
    """`base` (None: the defaults) with the option texts by key, e.g. {"batch_size": "64"}; None is
    an option that was not given.

    `steps` replaces the base's `epochs` and the other way round. Raises ConfigError in the option's
    spelling.
    """
    homes = {key: table for table, keys in keys_by_table().items() for key in keys}
    typed = {key: text for key, text in _tidied("the options", options).items() if text is not None}
    for key in typed:
        if key not in homes:
            raise ConfigError(unknown("option", key[:LONGEST_NAME], homes, ALL_KEYS, other_keys()))
    try:
        return with_values(
            base or RunConfig(), {f"{homes[key]}.{key}": text for key, text in typed.items()}
        )
    except FieldError as error:
        raise (error.as_option() if error.key in typed else error) from None


def with_values(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """`config` with some values replaced, by "table.key" or by key alone, as text or value;
    validated again.

    `steps` replaces `epochs` and the other way round. Raises ConfigError.
    """
    changed: dict[str, dict[str, Any]] = {}
    for place, value in _tidied("the values", values).items():
        table, key = _place(place)
        if key in changed.get(table, {}):
            raise ConfigError(f"{key!r} is given twice: expected each key once")
        changed.setdefault(table, {})[key] = value
    tables: dict[str, Any] = {name: getattr(config, name) for name in TABLES}
    for name in TABLES:
        if name in changed:
            mapping = vars(tables[name]) | changed[name]
            if name == "training":
                _let_one_length_replace_the_other(mapping, changed[name])
            tables[name] = tables[name].changed(mapping)
    return RunConfig(**tables)


def is_change(config: RunConfig, patch: Mapping[str, Any]) -> bool:
    """Whether a configuration takes the values, and differs with them."""
    try:
        return with_values(config, patch) != config
    except ConfigError:
        return False


def without_instruments(config: RunConfig) -> RunConfig:
    """The configuration with all instruments switched off."""
    return with_values(config, {f"recording.{key}": off for key, off in INSTRUMENTS.items()})


def _place(place: str) -> tuple[str, str]:
    table, dot, key = place.rpartition(".")
    homes = {known: name for name, keys in keys_by_table().items() for known in keys}
    if not dot:
        if place not in homes:
            raise ConfigError(unknown("key", place[:LONGEST_NAME], homes, ALL_KEYS, other_keys()))
        return homes[place], place
    if table not in TABLES:
        raise stray_key("", table, keys_by_table(), other_keys())
    if key not in TABLES[table].definitions:
        raise stray_key(table, key, keys_by_table(), other_keys())
    return table, key


def _let_one_length_replace_the_other(training: dict[str, Any], changed: Mapping[str, Any]) -> None:
    for key, other in (("steps", "epochs"), ("epochs", "steps")):
        if (
            key in changed
            and other not in changed
            and (changed[key] not in (None, "none") or training[other] is None)
        ):
            del training[other]


def from_toml(path: str | Path) -> RunConfig:
    """The configuration in a TOML file. Raises ConfigError naming the file, and the line where
    there is one.
    """
    return parse_toml(_text_of(Path(path)), str(path))


def parse_toml(text: str, source: str) -> RunConfig:
    """The configuration in a TOML text; `source` is what errors call it. Raises ConfigError."""
    try:
        mapping = loads(text)
    except RecursionError:
        raise ConfigError(f"{source}: not a configuration: it is nested too deeply") from None
    except ValueError as error:
        raise ConfigError(_toml_problem(source, text, error)) from None
    try:
        return from_mapping(mapping)
    except (FieldError, StrayKeyError) as error:
        line = _line_of(text, error.table, error.key)
        raise ConfigError(f"{source}{f', line {line}' if line else ''}: {error}") from None
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None


def _text_of(path: Path) -> str:
    try:
        content = read_start(path, LARGEST_FILE + 1)
    except FileNotFoundError:
        raise ConfigError(
            f"{show(str(path))[1:-1]}: no such file: {nearby(path)}expected a TOML "
            "configuration, write one with dlprobe new"
        ) from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a directory, expected a TOML file") from None
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{show(str(path))[1:-1]}: cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    if content.startswith(HDF5_SIGNATURE):
        raise ConfigError(f"{path}: is an HDF5 file, expected a TOML file")
    if len(content) > LARGEST_FILE:
        raise ConfigError(
            f"{path}: is larger than {LARGEST_FILE:,} bytes: expected a TOML configuration"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8 text: save "
            "the file as UTF-8"
        ) from None


def _toml_problem(source: str, text: str, error: ValueError) -> str:
    """tomllib's "Invalid value (at line 3, column 5)" with the place in front."""
    message = str(error).replace("Cannot overwrite a value", "this key is given twice")
    message = re.sub(
        r"Cannot declare \('(.*)',\) twice",
        r"the table [\1] is given twice: join its keys",
        message,
    )
    place = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    if place is None:
        return f"{source}: not TOML: {message}"
    line, column = place.group(1) or str(text.count("\n") + 1), place.group(2)
    return (
        f"{source}, line {line}{f', column {column}' if column else ''}: not TOML: "
        f"{message[: place.start()]}"
    )


def _line_of(text: str, table: str, key: str) -> int | None:
    """The line on which a key (or, with table "", a table) is written; None where the notation
    is one this does not follow.
    """
    name = rf"[\"']?{re.escape(key).replace('_', '[-_]')}[\"']?"
    at_top = rf"\s*{table}\.{name}\s*=" if table else rf"\s*{name}\s*[.=]"
    header = ""
    for number, line in enumerate(text.split("\n"), 1):
        if match := re.match(r"\s*\[+\s*([^\]]*?)\s*\]", line):
            header = match.group(1)
        pattern = at_top if not header else rf"\s*{name}\s*=" if header == table else None
        if (pattern and re.match(pattern, line)) or (
            match and re.fullmatch(rf"{table}\.{name}" if table else name, header)
        ):
            return number
    return None


def _tidied(where: str, values: Mapping[Any, Any]) -> dict[str, Any]:
    """Keys with `_`. Raises ConfigError for a key that is not text, or given with `-` and with
    `_`.
    """
    tidied: dict[str, Any] = {}
    for key, value in values.items():
        if not isinstance(key, str):
            raise ConfigError(f"{where}: the key {show(key)} is not text")
        if key.replace("-", "_") in tidied:
            raise ConfigError(
                f"{where}: {show(key.replace('-', '_'))} is given twice: expected each key once"
            )
        tidied[key.replace("-", "_")] = value
    return tidied
