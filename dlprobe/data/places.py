"""Errors that name file, row and column, always on one line: what comes from a file is quoted,
so that it can neither break the line nor the terminal.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from dlprobe.errors import DataError
from dlprobe.registry import first_of

# Fault(row index from 0, what is wrong) -> an error that names the row as the user counts it
Fault: TypeAlias = Callable[[int, str], DataError]

LONGEST_QUOTE = 40
LONGEST_MESSAGE = 300


def visible(text: object) -> str:
    """`text` with every character that does not print written as an escape."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


def quoted(value: object) -> str:
    """A cell or name from a file, in quotes, escaped and cut to 40 characters."""
    text = visible(value)
    return f"'{text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + '…'}'"


def in_one_line(error: object) -> str:
    """A library's message without its line breaks, cut to 300 characters."""
    return visible(" ".join(str(error).split()))[:LONGEST_MESSAGE] or type(error).__name__


def quoted_list(names: list[str] | tuple[str, ...], most: int = 8) -> str:
    """The first names in quotes, and how many more there are."""
    return first_of([quoted(name) for name in names], most)


def nearest(wanted: str, names: Sequence[str]) -> str:
    """`did you mean 'Price'? ` for a name that is nearly, or but for capitals, one of `names`;
    empty where none is.
    """
    lower = {name.strip().lower(): name for name in reversed(names)}
    close = difflib.get_close_matches(wanted.strip().lower(), list(lower), n=1, cutoff=0.6)
    return f"did you mean {quoted(lower[close[0]])}? " if close else ""


def problem(
    path: Path, what: str, row: int | None = None, column: int | None = None, name: str = ""
) -> DataError:
    """DataError "path: row 3, column 2 'age': what". Row and column are as a person counts
    them: row 1 is the first line of the file.
    """
    title = f" {quoted(name)}" if name else ""
    place = [f"row {row}"] if row is not None else []
    place += [f"column {column}{title}"] if column is not None else [title.strip()] if title else []
    return DataError(": ".join([visible(path), *([", ".join(place)] if place else []), what]))


def at_home(text: str) -> Path:
    """The path with `~` and `~name` replaced by that home folder. Raises DataError where nobody
    has that name.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise DataError(
            f"{visible(text)}: there is no such home folder: write ./{visible(text)} for a "
            "file of that name"
        ) from None
