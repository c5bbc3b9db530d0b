"""The header of a text table: whether row 1 is one, and what its columns are called."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlprobe.data.columns import DataColumn, DataTable
from dlprobe.data.places import problem, quoted, quoted_list

if TYPE_CHECKING:
    import polars
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars


MISSING = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "None", "\\N", "?")


def as_numbers(series: polars.Series) -> polars.Series:
    """Texts as Float64, null where a text is no number."""
    import polars

    return series.str.strip_chars().cast(polars.Float64, strict=False)


def is_filled(series: polars.Series) -> polars.Series:
    """Where a text is not one of the ways to say missing."""
    stripped = series.str.strip_chars()
    return stripped.is_not_null() & ~stripped.fill_null("").is_in(MISSING)


def is_empty(series: polars.Series) -> bool:
    """Whether every cell is null or, in a text column, blank."""
    import polars

    return series.null_count() == len(series) or (
        series.dtype == polars.String and not is_filled(series).any()
    )


def polars_row(frame: polars.DataFrame, k: int) -> polars.Series:
    import polars

    return polars.Series(frame.row(k), dtype=polars.String)


HEADER_SAMPLE = 1000


TITLE_ROWS = 6  # below so many rows of a title no header is looked for


SURELY_COUNTED = 10  # so many cells in a row that are 0, 1, 2, … are no data


def header(
    path: Path, frame: polars.DataFrame, like: DataTable | None = None
) -> tuple[list[str] | None, str]:
    """The names in row 1, or None where row 1 is data; with the note that says which. Beside a
    table `like` it, row 1 with its names is the header.

    Raises DataError where row 1 looks like a title.
    """
    refuse_title(path, frame)
    names, renamed = distinct(
        [(cell or "").strip() for cell in frame.row(0)] if frame.height else []
    )
    same = like is not None and {column.name.strip() for column in like.columns} <= set(names)
    if not frame.height or not (same or has_header(frame)):
        return None, f"row 1 is data: columns are called x1 to x{frame.width}"
    return names, f"row 1 is the header{renamed}"


def distinct(names: Sequence[str]) -> tuple[list[str], str]:
    """Names that differ: of equal ones all but the first with .1, .2, … behind them, as pandas
    calls them; and words on that, empty where all differ.
    """
    result: list[str] = []
    renamed = []
    for number, name in enumerate(names, start=1):
        free = name
        if name and name in result:
            free = next(
                one
                for k in itertools.count(1)
                if (one := f"{name}.{k}") not in names and one not in result
            )
            renamed.append(
                f"column {number} is called {quoted(free)}, since column "
                f"{result.index(name) + 1} is {quoted(name)} already"
            )
        result.append(free)
    return result, "".join(f"; {words}" for words in renamed[:3]) + (
        f"; and {len(renamed) - 3} more" if len(renamed) > 3 else ""
    )


def refuse_title(path: Path, frame: polars.DataFrame) -> None:
    """Raise DataError where row 1 has a single cell and one of the next rows names every
    column, as in sheets with a title.
    """
    if frame.width < 3 or not frame.height or is_filled(polars_row(frame, 0)).sum() != 1:
        return
    for k in range(1, min(frame.height, TITLE_ROWS)):
        row = polars_row(frame, k)
        if is_filled(row).all() and not as_numbers(row).count() and has_header(frame.slice(k)):
            what = (
                f"has a single cell, and the row {quoted_list(row.to_list(), 3)} below it names "
                "the columns: delete the rows above that one"
            )
            raise problem(path, what, 1)


def has_header(frame: polars.DataFrame) -> bool:
    """Whether row 1 names the columns: a text stands above numbers, or no cell is a number and
    none occurs again below.
    """
    import polars

    first, below = polars.Series(frame.row(0), dtype=polars.String), frame.slice(1, HEADER_SAMPLE)
    if below.height and counts_columns(first, below):
        return True
    filled, numbers = is_filled(first), as_numbers(first)
    texts = [j for j in range(frame.width) if filled[j] and numbers[j] is None]
    if any(mostly_numbers(below.to_series(j)) for j in texts):
        return True
    return len(texts) == filled.sum() and not any(
        (below.to_series(j) == first[j]).any() for j in texts
    )


def counts_columns(first: polars.Series, below: polars.DataFrame) -> bool:
    """Whether row 1 is 0, 1, 2, … as pandas numbers an array's columns, and not data. Such a row
    counts as one where an empty cell stands before it, it has at least SURELY_COUNTED numbers, or a
    column below has fractions.
    """
    cells = [(cell or "").strip() for cell in first]
    counted = cells[1:] if cells[0] == "" else cells
    if len(counted) < 2 or counted != [str(number) for number in range(len(counted))]:
        return False
    return (
        cells[0] == ""
        or len(counted) >= SURELY_COUNTED
        or not all(whole_numbers(below.to_series(j)) for j in range(below.width))
    )


def whole_numbers(series: polars.Series) -> bool:
    """Whether every filled cell is a whole number."""
    numbers = as_numbers(series.filter(is_filled(series)))
    return not numbers.null_count() and bool((numbers == numbers.floor()).all())


def mostly_numbers(series: polars.Series) -> bool:
    """Whether at least half of the filled cells, and one at least, are numbers."""
    filled = is_filled(series)
    count = int((as_numbers(series).is_not_null() & filled).sum())
    return count > 0 and 2 * count >= int(filled.sum())


def table_of_names(
    path: Path,
    body: polars.DataFrame,
    names: list[str],
    row_of: Callable[[int], int],
    has_header: bool,
) -> tuple[DataTable, list[str]]:
    """The columns by name and number, nothing read yet, without those that have neither name
    nor value, which separators at the ends of lines make.
    """
    columns = [
        DataColumn(name or f"x{number}", number) for number, name in enumerate(names, start=1)
    ]
    empty = [
        c
        for c in columns
        if has_header and not names[c.number - 1] and is_empty(body.to_series(c.number - 1))
    ]
    if len(columns) - len(empty) < 2:
        empty = []
    notes = [f"column {column.number} has no name and no values: left out" for column in empty]
    return DataTable(
        path, tuple(column for column in columns if column not in empty), row_of
    ), notes
