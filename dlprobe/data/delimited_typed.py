"""Large text tables, read straight as numbers: two thirds of the time of reading texts and casting
them.

What the first thousand rows show decides which columns are numbers. Wherever the rest does not
agree, or may be meant otherwise, the table is read as text instead, which gives the same numbers
and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dlprobe.data.dataset import Indices
from dlprobe.data.text_file import TextFile
from dlprobe.dataclass import dataclass

if TYPE_CHECKING:
    import polars

LARGE_TEXT = 2**24  # bytes from which on it is worth it
SAMPLE = 1000  # rows that decide, as far as they lie in the first bytes
SAMPLED_BYTES = 2**22


@dataclass(frozen=True)
class TypedTable:
    """The rows below the header, numbers as Float64 and the rest as String, without blank lines.
    names: of row 1, None where row 1 is data; note: says which.

    rows: position in the file (from 0) of every row that is not blank, the header's first where
        there is one.
    """

    body: polars.DataFrame
    names: list[str] | None
    note: str
    rows: Indices


def typed_table(
    file: TextFile,
    blank: int,
    read: Callable[..., polars.DataFrame],
    header: Callable[[polars.DataFrame], tuple[list[str] | None, str]],
) -> TypedTable | None:
    """A large table of a file whose first `blank` lines are blank; None where it is small, or to be
    read as text.

    `read(file, skipped, **options)` reads it by polars, `header(frame)` tells names from data.
    """
    import polars

    # where semicolons separate, what dots mean is looked for in the texts
    if file.size < LARGE_TEXT or file.separator == ";":
        return None
    try:
        head = read(beginning(file), blank, n_rows=SAMPLE + 1)
        names, note = header(head)
        first = 0 if names is None else 1
        kinds = [
            polars.Float64 if is_number(head.to_series(k).slice(first)) else polars.String
            for k in range(head.width)
        ]
        if (
            head.width < 2
            or polars.Float64 not in kinds
            or any("\n" in (cell or "") for cell in head.row(0))
        ):
            return None
        schema: Any = dict(zip(head.columns, kinds, strict=True))
        whole = read(
            file, blank + first, schema=schema
        ).rechunk()  # in threads here; one by one when they become arrays
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException):
        return None
    filled = whole.select(filled=polars.any_horizontal(polars.all().is_not_null())).to_series()
    positions = np.flatnonzero(filled.to_numpy()).astype(np.int64) + blank + first
    body = whole if len(positions) == whole.height else whole.filter(filled)
    if body.height < SAMPLE or body.to_series(body.width - 1).null_count():
        return None  # nulls at the end may be lines that are too short
    return TypedTable(
        body, names, note, positions if names is None else np.concatenate([[blank], positions])
    )


def beginning(file: TextFile) -> TextFile:
    """The whole lines of the first bytes: given a file, polars looks at all of it for a few
    rows.
    """
    with file.open() as stream:
        content = stream.read(SAMPLED_BYTES)
    return replace(
        file,
        content=content if len(content) < SAMPLED_BYTES else content[: content.rfind(b"\n") + 1],
    )


def is_number(texts: polars.Series) -> bool:
    """Whether every cell that is not empty is a number, and some is."""
    import polars

    filled = texts.drop_nulls()
    return len(filled) > 0 and not filled.cast(polars.Float64, strict=False).null_count()
