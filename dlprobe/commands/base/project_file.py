"""Options that a project keeps in a file: `[tool.dlprobe]` of `pyproject.toml`, or `dlprobe.toml`; the command line wins."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlprobe.errors import FAIL_ON, ConfigError
from dlprobe.registry import unknown

# key -> the type it must have, and how that type is called
KEYS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "select": (list, "a list of codes or prefixes"),
    "ignore": (list, "a list of codes or prefixes"),
    "extend-select": (list, "a list of codes or prefixes"),
    "set": (dict, 'a table, e.g. [tool.dlprobe.set] with "G001.share" = 0.8'),
    "fail-on": (str, f"one of {', '.join(FAIL_ON)}"),
    "exit-zero": (bool, "true or false"),
    "baseline": (str, "the path of a findings baseline"),
    "against": (list, "a list of run files"),
}
PATHS = ("baseline", "against")
FILES: tuple[tuple[str, tuple[str, ...]], ...] = (("dlprobe.toml", ()), ("pyproject.toml", ("tool", "dlprobe")))


@dataclass(frozen=True)
class ProjectFile:
    """The options of a project file by key; paths are relative to its folder. `path` None: there is none."""

    path: Path | None
    options: Mapping[str, Any]

    def texts(self, key: str) -> list[str]:
        """A list of texts; empty where it is not given."""
        return [str(each) for each in self.options.get(key, ())]


def project_file(start: Path | None = None) -> ProjectFile:
    """The nearest file upwards from `start` (the working folder). Raises ConfigError for unknown keys, wrong types and what is no TOML."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        for name, inside in FILES:
            path = folder / name
            table = _table(path, inside) if path.is_file() else None
            if table is not None:
                return ProjectFile(path, _checked(table, path, ".".join(inside)))
    return ProjectFile(None, {})


def _table(path: Path, inside: tuple[str, ...]) -> Any:
    try:
        found: Any = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    for key in inside:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _checked(table: Any, path: Path, where: str) -> dict[str, Any]:
    place = f"{path}{f', [{where}]' if where else ''}"
    if not isinstance(table, dict):
        raise ConfigError(f"{place}: expected a table with keys among {', '.join(KEYS)}")
    checked = {}
    for key, value in table.items():
        name = key.replace("_", "-")
        if name not in KEYS:
            raise ConfigError(f"{place}: {unknown('key', key[:60], KEYS)}")
        kind, words = KEYS[name]
        if not isinstance(value, kind) or (isinstance(value, list) and not all(isinstance(each, str) for each in value)):
            raise ConfigError(f"{place}: {name} = {str(value)[:60]}: expected {words}")
        checked[name] = _relative(value, path.parent) if name in PATHS else value
    return checked


def _relative(value: Any, folder: Path) -> Any:
    return [str(folder / each) for each in value] if isinstance(value, list) else str(folder / value)
