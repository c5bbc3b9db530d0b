"""The files that a configuration names: whoever wrote it decides what is opened on the machine
that reads it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dlprobe.config.records import RunConfig
from dlprobe.dataclass import dataclass
from dlprobe.registry import Spec


@dataclass(frozen=True)
class NamedFile:
    """A file that the value of a key makes dlprobe open. path: as it is written, a home
    folder's `~` in its place.
    """

    key: str
    path: Path


def named_files(config: RunConfig) -> tuple[NamedFile, ...]:
    """Every file that is opened to carry out `config`: the data, and the arrays of each part
    that is read `from_file`.
    """
    files = []
    if config.data.path is not None:
        files.append(NamedFile("data", at_home(Path(config.data.data.strip()))))
    files += [
        NamedFile(key, at_home(Path(path.strip())))
        for key in ("val_data", "test_data")
        if (path := getattr(config.data, key)) is not None
    ]
    for table in (config.data, config.model, config.training, config.recording):
        for key in type(table).definitions:
            value = getattr(table, key)
            specs = [
                entry
                for entry in (value if isinstance(value, tuple) else (value,))
                if isinstance(entry, Spec)
            ]
            files += [
                NamedFile(key, Path(str(spec.parameters["path"])))
                for spec in specs
                if getattr(spec.record, "from_file", False)
            ]
    return tuple(files)


def files_elsewhere(source: Path, configs: Iterable[RunConfig]) -> list[NamedFile]:
    """Files that configurations of `source` name outside its folder and the working folder:
    what is asked for before they are opened, each once.
    """
    named = dict.fromkeys(file for config in configs for file in named_files(config))
    return [
        file
        for file in named
        if not any(lies_in(file.path, folder) for folder in (real(source).parent, Path.cwd()))
    ]


def lies_in(path: Path, folder: Path) -> bool:
    """Whether a file lies in or below a folder, symbolic links followed; False for the root
    folder.
    """
    folder = real(folder)
    return folder != folder.parent and real(path).is_relative_to(folder)


def real(path: Path) -> Path:
    """The path with links followed; one that leads nowhere is as it is written, from the root."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return path.absolute()


def at_home(path: Path) -> Path:
    """The path with a home folder in place of `~`; as it is where nobody has that name, which
    is said when it is opened.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        return path
