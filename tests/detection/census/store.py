"""The census's file: a first line that says what was measured, then one line per configuration,
in order, so that it can be gone on with after a kill.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .measuring import Entry


class Store:
    """Entries of one file. Raises ValueError where the file is of another census."""

    def __init__(self, path: Path, header: dict[str, Any], resume: bool) -> None:
        """header: what has to be the same to go on. A file that is there and not to be resumed
        is refused with ValueError.
        """
        self.path = path
        self.entries: list[Entry] = []
        if path.exists() and not resume:
            raise ValueError(f"{path} exists: add --resume to go on with it, or take it away")
        if path.exists():
            lines = list(complete_lines(path))
            if lines and lines[0] != header:
                raise ValueError(
                    f"{path} holds another census ({lines[0]}), this one is {header}: give "
                    "another --folder"
                )
            self.entries = [Entry(**each) for each in lines[1:]]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "".join(json.dumps(each) + "\n" for each in [header, *map(asdict, self.entries)]),
            encoding="utf-8",
        )

    def add(self, entry: Entry) -> None:
        """Keep an entry, on disk at once."""
        self.entries.append(entry)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(entry)) + "\n")


def complete_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines that were written whole; a kill may have cut the last one."""
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)
