"""Small text files that commands write: configurations."""

from __future__ import annotations

import contextlib
from pathlib import Path

from dlprobe.errors import ConfigError


def write_text(path: Path, text: str) -> None:
    """Write a file, its folder first. Half a file on a full disk would pass for a whole one: it is removed. Raises ConfigError that names the file."""
    was_there = path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        if not was_there:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}: give another place") from None
