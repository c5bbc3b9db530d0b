"""Completing run files for the shell: files, folders to go into, and the runs of a study behind
`#`.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from dlprobe.errors import DlprobeError

RUNS = (".h5", ".h5.journal")


def complete_configurations(incomplete: str) -> list[str]:
    """Complete the names of run files and of TOML files."""
    return _complete(incomplete, (*RUNS, ".toml"))


def complete_runs(incomplete: str) -> list[str]:
    """Run files and folders that begin so; behind STUDY# the ids of its runs."""
    return _complete(incomplete, RUNS)


def _complete(incomplete: str, suffixes: tuple[str, ...]) -> list[str]:
    file, mark, begun = incomplete.rpartition("#")
    if mark:
        return [f"{file}#{id}" for id in _ids(Path(file)) if id.startswith(begun)]
    folder, slash, name = incomplete.rpartition("/")
    try:
        entries = sorted(Path(f"{folder}{slash}" or ".").iterdir())
    except OSError:
        return []
    shown = [
        entry
        for entry in entries
        if entry.name.startswith(name) and (name.startswith(".") or not entry.name.startswith("."))
    ]
    return [
        f"{folder}{slash}{entry.name}{'/' if entry.is_dir() else ''}"
        for entry in shown
        if entry.is_dir() or entry.name.endswith(suffixes)
    ]


def _ids(path: Path) -> list[str]:
    from dlprobe.runs import Study, open_run

    with contextlib.suppress(DlprobeError, OSError), open_run(path) as opened:
        return list(opened.runs) if isinstance(opened, Study) else []
    return []
