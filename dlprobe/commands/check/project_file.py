"""Options that a project keeps in a file: `[tool.dlprobe]` of `pyproject.toml`, or `dlprobe.toml`;
the command line wins.

They can make a check pass, so only the user's own project has a say: the folders from the working
folder up to that of the repository (the one with `.git` or `.hg`), the working folder alone where
there is none, and never a file or folder that belongs to somebody else.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlprobe.config.named_files import lies_in
from dlprobe.config.toml_text import loads
from dlprobe.dataclass import dataclass
from dlprobe.errors import FAIL_ON, FAIL_ON_DEFAULT, ConfigError
from dlprobe.registry import unknown
from dlprobe.render.checked import ProjectSettings

if TYPE_CHECKING:
    from dlprobe.commands.base.screen import Screen

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
    "gate": (list, 'a list of bounds, e.g. ["val_error<=5%"]'),
}
PATHS = ("baseline", "against")
DEFAULTS = {"fail-on": FAIL_ON_DEFAULT}
REPOSITORY = (".git", ".hg")
FILES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("dlprobe.toml", ()),
    ("pyproject.toml", ("tool", "dlprobe")),
)


@dataclass(frozen=True)
class ProjectFile:
    """The options of a project file by key; paths are relative to its folder. `path` None: there is
    none.

    root: the folder of the whole project. refused: why a file that was found has no say, in a
        sentence; empty where there is none.
    """

    path: Path | None
    options: Mapping[str, Any]
    root: Path
    refused: str = ""

    def texts(self, key: str) -> list[str]:
        """A list of texts; empty where it is not given."""
        return [str(value) for value in self.options.get(key, ())]


def project_file(start: Path | None = None) -> ProjectFile:
    """The nearest file from `start` (the working folder) up to the repository's. Raises
    ConfigError for unknown keys, wrong types and what is no TOML.
    """
    here = (start or Path.cwd()).resolve()
    root = next(
        (
            folder
            for folder in (here, *here.parents)
            if any(os.path.lexists(folder / mark) for mark in REPOSITORY)
        ),
        here,
    )
    for folder in (here, *here.parents):
        distrust = _distrust_of_folder(folder, here)
        for name, inside in FILES:
            path = folder / name
            if not path.is_file():
                continue
            if reason := distrust or _distrust_of_file(path, root):
                if _has_settings(path, inside):
                    return ProjectFile(
                        None,
                        {},
                        root,
                        f"{shown(path)} is not used: {reason}; give its options on the "
                        "command line, or make it your own",
                    )
            elif (table := _table(path, inside)) is not None:
                return ProjectFile(path, _checked(table, path, ".".join(inside)), root)
        if folder == root or distrust:
            break
    return ProjectFile(None, {}, root)


def shown(path: Path | str) -> str:
    """A path from the working folder."""
    return os.path.relpath(path)


def _distrust_of_folder(folder: Path, here: Path) -> str:
    """Why files in a folder may be somebody else's; empty where they may not."""
    state = folder.stat()
    if not _is_ours(state):
        return "its folder belongs to another user"
    if folder != here and state.st_mode & stat.S_IWOTH:
        return "everybody can write to its folder"
    return ""


def _distrust_of_file(path: Path, root: Path) -> str:
    """Why a file in a folder of ours is somebody else's, itself or what it links to; empty
    where it is not.
    """
    if not (_is_ours(path.lstat()) and _is_ours(path.stat())):
        return "it belongs to another user"
    return "" if path.resolve().is_relative_to(root) else f"it leads out of {shown(root)}"


def _is_ours(state: os.stat_result) -> bool:
    """Whether the user that runs this owns it; where files have no owners, everything is."""
    return not hasattr(os, "geteuid") or state.st_uid == os.geteuid()


def _has_settings(path: Path, inside: tuple[str, ...]) -> bool:
    """Whether a file that is not trusted would have a say; one that cannot be read as TOML
    would only where it is made for this.
    """
    with suppress(ConfigError):
        return _table(path, inside) is not None
    return not inside


def _table(path: Path, inside: tuple[str, ...]) -> Any:
    try:
        table: Any = loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    for key in inside:
        table = table.get(key) if isinstance(table, dict) else None
    return table


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
        if not isinstance(value, kind) or (
            isinstance(value, list) and not all(isinstance(entry, str) for entry in value)
        ):
            raise ConfigError(f"{place}: {name} = {str(value)[:60]}: expected {words}")
        checked[name] = _relative(value, path.parent) if name in PATHS else value
    return checked


def in_effect(project: ProjectFile, typed: Collection[str]) -> dict[str, Any]:
    """The options that change something: those without the keys that the command line gives, and
    without what is so anyway.

    Raises ConfigError for a file outside the project and the working folder: one that a project
    names has to be given by hand.
    """
    chosen = {
        key: value
        for key, value in project.options.items()
        if key not in typed and value and value != DEFAULTS.get(key)
    }
    for key in PATHS:
        for item in [chosen[key]] if isinstance(chosen.get(key), str) else chosen.get(key, ()):
            if project.path is not None and not any(
                lies_in(Path(item), folder) for folder in (project.root, Path.cwd())
            ):
                where = (
                    f"{shown(project.path)} names {key} = {item}, which lies outside the project "
                    "and the working folder"
                )
                raise ConfigError(f"{where}: to have it read, type --{key} {shlex.quote(item)}")
    return chosen


def settings_told(
    project: ProjectFile, typed: Collection[str], thresholds: Iterable[str], screen: Screen
) -> ProjectSettings | None:
    """Say, quiet or not, what a project file changes, or why one has no say; the same for the
    result, None where nothing is changed. Raises ConfigError.

    given: the keys that the command line gives; thresholds: those that it sets, as "CODE.name".
    """
    if project.refused:
        screen.announce(project.refused)
    changed = in_effect(project, typed)
    if "set" in changed:
        from dlprobe.rules.gate import settings_of

        tables = settings_of(changed["set"])
        own = {
            f"{code}.{name}": value
            for code, table in tables.items()
            for name, value in table.items()
        }
        changed["set"] = {
            name: value
            for name, value in own.items()
            if name not in {threshold.replace("-", "_") for threshold in thresholds}
        }
        changed = {key: value for key, value in changed.items() if key != "set" or value}
    changed |= {
        key: [shown(change) for change in changed[key]] if key == "against" else shown(changed[key])
        for key in PATHS
        if key in changed
    }
    if project.path is None or not changed:
        return None
    settings = ProjectSettings(shown(project.path), changed)
    screen.announce(settings.sentence)
    return settings


def _relative(value: Any, folder: Path) -> Any:
    return (
        [str(folder / entry) for entry in value] if isinstance(value, list) else str(folder / value)
    )
