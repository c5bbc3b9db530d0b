"""Text tables. Everything is read as text and then cast, so that the first cell that is no
number can be named.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlprobe.data.columns import (
    DataColumn,
    DataTable,
    choose_targets,
    pasted,
    special_columns,
    used_columns,
)
from dlprobe.data.dataset import Indices, Options
from dlprobe.data.delimited_faults import blank_lines_before, first_fault, first_line, line_numbers
from dlprobe.data.delimited_typed import typed_table
from dlprobe.data.frames import number_column, text_column
from dlprobe.data.places import in_one_line, problem, quoted, quoted_list
from dlprobe.data.row_names import without_row_names
from dlprobe.data.text_file import SEPARATOR_NAMES, TextFile, opened
from dlprobe.data.written_numbers import all_in_thousands, as_plain, hint

if TYPE_CHECKING:
    import polars

MISSING = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "None", "\\N", "?")
DECIMAL_NOTES = {
    "point": (
        "commas, blanks and apostrophes separate thousands; currency and percent signs were "
        "dropped (12 % is 12)"
    ),
    "comma": (
        "dots, blanks and apostrophes separate thousands; currency and percent signs were dropped "
        "(12 % is 12)"
    ),
}
HEADER_SAMPLE = 1000
TITLE_ROWS = 6  # below so many rows of a title no header is looked for
SURELY_COUNTED = 10  # so many cells in a row that are 0, 1, 2, … are no data


def read_delimited(
    path: Path, options: Options, usual: str, like: DataTable | None = None
) -> DataTable:
    """A text table; `usual` is the separator that the suffix promises, `like` the table whose
    columns it must have.

    Raises DataError naming the first wrong line or cell.
    """
    file = opened(path, usual, options.sep)
    notes = list(file.notes)
    before = blank_lines_before(file)
    typed = (
        typed_table(file, before, polars_texts, partial(header, path))
        if like is None and options.decimal == "auto"
        else None
    )
    frame, rows = (
        without_blank_lines(read_texts(file, before), before)
        if typed is None
        else (typed.body, typed.rows)
    )
    if options.decimal != "auto":
        frame = in_plain_numbers(frame, options.decimal)
        notes.append(f"decimal = {options.decimal}: {DECIMAL_NOTES[options.decimal]}")
    if blank := len(rows) and int(rows[-1]) + 1 - len(rows) - sum(
        line < rows[-1] for line in file.skipped
    ):
        notes.append(f"skipped {blank} blank lines" if blank > 1 else "skipped 1 blank line")
    names, header_note = header(path, frame, like) if typed is None else (typed.names, typed.note)
    skipped = 0 if names is None else 1
    if len(rows) <= skipped:
        raise problem(
            path, "has a header and no rows of data" if skipped else "has no rows of data"
        )
    lines = TextLines(file, frame, rows)

    def row_of(i: int) -> int:
        return lines.of(i + skipped)

    body = frame.slice(skipped) if typed is None else frame
    table, left_out = table_of_names(
        path, body, names or [""] * frame.width, row_of, names is not None
    )
    table, chosen = used_columns(table, options, like)
    columns = read_columns(table, body, options, like)
    if options.columns is None and like is None:
        named = [names is None or bool(names[column.number - 1]) for column in columns]
        numbering, row_notes = without_row_names(
            columns,
            named,
            options.target,
            apart=[column.number for column in special_columns(table, options).values()],
        )
        columns = [column for column in columns if column not in numbering]
        left_out += row_notes
    if file.separator == ";" and options.decimal == "auto":
        notes += notes_on_dots(body, columns)
    return DataTable(path, tuple(columns), row_of, (*notes, header_note, *left_out, *chosen))


def notes_on_dots(body: polars.DataFrame, columns: Sequence[DataColumn]) -> list[str]:
    """Where semicolons separate, decimal commas are usual, and 852.892 may be 852892."""
    doubtful = [
        c
        for c in columns
        if c.numbers is not None and all_in_thousands(body.to_series(c.number - 1))
    ]
    told = (
        "every number has a dot before its last three digits, read as a decimal point: --decimal "
        "comma reads it as separator of thousands"
    )
    return [f"column {c.number} {quoted(c.name)}: {told}" for c in doubtful]


def read_texts(file: TextFile, blank: int) -> polars.DataFrame:
    """The file behind its first `blank` lines as text, one row per line, blank lines as nulls.
    Names the first line that is malformed or of another length.
    """
    short = 0
    try:
        frame = polars_texts(file, blank)
    except Exception as error:
        completed = below_short_header(file, blank)
        if completed is None:
            raise first_fault(file) or problem(
                file.path, f"cannot be read as text table ({in_one_line(error)})"
            ) from None
        frame, short = completed, 1
    if frame.width == 0:
        raise problem(file.path, "has no rows of data")
    if frame.width == 1:
        raise problem(
            file.path,
            "has a single column, expected features and a target, separated by "
            f"{' | '.join(SEPARATOR_NAMES.values())}",
        )
    if gaps := frame.to_series(frame.width - 1).null_count():  # polars fills short lines with nulls
        fault = first_fault(
            file, spare=int(gaps + short == frame.height and frame.width > 2), short=short
        )
        if fault is not None:
            raise fault
    return frame


def polars_texts(file: TextFile, skipped: int, **options: Any) -> polars.DataFrame:
    """The file behind its first `skipped` lines, every cell as text where no option gives a
    schema. Raises what polars raises.
    """
    import polars

    return polars.read_csv(
        file.path if file.content is None else file.content,
        separator=file.separator,
        has_header=False,
        infer_schema=False,
        glob=False,
        raise_if_empty=False,
        skip_rows=skipped,
        **options,
    )


def below_short_header(file: TextFile, blank: int) -> polars.DataFrame | None:
    """The table of a file whose header lacks one name, that of row names before it, as R and
    pandas write it, or of nothing behind it; else None.
    """
    import polars

    names = next(csv.reader([first_line(file)], delimiter=file.separator), [])
    try:
        body = polars_texts(file, blank + 1)
    except polars.exceptions.PolarsError:
        return None
    header = polars.Series(names, dtype=polars.String)
    if body.width != len(names) + 1 or not is_filled(header).all() or as_numbers(header).count():
        return None
    # nulls: blank lines
    first, last = body.to_series(0).drop_nulls(), body.to_series(body.width - 1)
    if not is_filled(last).any():
        names = [*names, ""]
    elif is_filled(first).all() and first.n_unique() == len(first):
        names = ["", *names]
    else:
        return None
    return polars.concat([polars.DataFrame([names], schema=body.schema, orient="row"), body])


def without_blank_lines(frame: polars.DataFrame, before: int) -> tuple[polars.DataFrame, Indices]:
    """The rows with anything in them, and their positions in the file (from 0), of which
    `before` lines were not read.
    """
    import polars

    filled = frame.select(filled=polars.any_horizontal(polars.all().is_not_null())).to_series()
    return frame.filter(filled), np.flatnonzero(filled.to_numpy()).astype(np.int64) + before


def in_plain_numbers(frame: polars.DataFrame, decimal: str) -> polars.DataFrame:
    """The texts of a table with numbers in that form written plainly."""
    return frame.with_columns([as_plain(series, decimal) for series in frame.get_columns()])


class TextLines:
    """Which line of the file a row starts on. Counted only when somebody asks and quoted cells
    hold line breaks; else lines and rows go together.
    """

    def __init__(self, file: TextFile, frame: polars.DataFrame, rows: Indices) -> None:
        self.file, self.frame, self.rows = file, frame, rows
        self.starts: list[int] | None = None
        self.counted = False

    def of(self, i: int) -> int:
        """The line, from 1, on which row i (from 0, blank lines left out) starts."""
        if not self.counted:
            self.starts = line_numbers(self.file) if self.has_line_breaks() else None
            self.counted = True
        record = int(self.rows[i])
        return self.starts[record] if self.starts else record + 1

    def has_line_breaks(self) -> bool:
        import polars

        texts = self.frame.select(polars.col(polars.String))
        if not texts.width:
            return False
        broken = polars.any_horizontal(
            polars.all().str.contains("\n", literal=True).fill_null(False)
        ).any()
        return bool(texts.select(broken=broken).item())


def as_numbers(series: polars.Series) -> polars.Series:
    """Texts as Float64, null where a text is no number."""
    import polars

    return series.str.strip_chars().cast(polars.Float64, strict=False)


def is_filled(series: polars.Series) -> polars.Series:
    """Where a text is not one of the ways to say missing."""
    stripped = series.str.strip_chars()
    return stripped.is_not_null() & ~stripped.fill_null("").is_in(MISSING)


def is_empty(series: polars.Series) -> bool:
    """Whether no cell has a value."""
    import polars

    return series.null_count() == len(series) or (
        series.dtype == polars.String and not is_filled(series).any()
    )


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


def polars_row(frame: polars.DataFrame, k: int) -> polars.Series:
    """The cells of row k."""
    import polars

    return polars.Series(frame.row(k), dtype=polars.String)


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
    """Whether row 1 is 0, 1, 2, … as pandas heads an array's columns, and not data: behind an
    empty cell above the row numbers, or long, or above fractions.
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


def read_columns(
    table: DataTable, body: polars.DataFrame, options: Options, like: DataTable | None = None
) -> list[DataColumn]:
    """Every column of the table as numbers or text, as a table `like` it has them. Labels may
    mix both, where the task is classification, and so may groups.
    """
    if like is not None:
        return [
            read_column_like(table.path, body.to_series(stub.number - 1), stub, table.row_of, model)
            for stub, model in zip(table.columns, like.columns, strict=True)
        ]
    special = list(special_columns(table, options).values())
    targets, _ = choose_targets(
        table.of([column for column in table.columns if column not in special]), options.target
    )
    mixed = [*special, *(targets if options.task == "classification" else ())]
    return [
        read_column(table.path, body.to_series(stub.number - 1), stub, table.row_of, stub in mixed)
        for stub in table.columns
    ]


def read_column_like(
    path: Path,
    series: polars.Series,
    stub: DataColumn,
    row_of: Callable[[int], int],
    model: DataColumn,
) -> DataColumn:
    """Numbers or text, as the training file has the column. Raises DataError naming the first
    cell that is no number where it has numbers.
    """
    filled, numbers = is_filled(series), as_numbers(series)
    if model.codes is not None:
        return text_column(series.str.strip_chars().set(~filled, None), stub.name, stub.number)
    strange = filled & numbers.is_null()
    if strange.any():
        i = int(np.argmax(strange.to_numpy()))
        raise problem(
            path,
            f"found {quoted(series[i])}, expected a number as in the training file",
            row_of(i),
            stub.number,
            stub.name,
        )
    return number_column(numbers.set(~filled, None), stub.name, stub.number)


def read_column(
    path: Path, series: polars.Series, stub: DataColumn, row_of: Callable[[int], int], mixed: bool
) -> DataColumn:
    """Numbers where at least half of the filled cells are; then every other must be one too.
    Else text.
    """
    import polars

    if series.dtype == polars.Float64:
        return number_column(series, stub.name, stub.number)
    plain = series.cast(polars.Float64, strict=False)
    # nothing but numbers: most columns of most files, and a third of the time
    if not plain.null_count():
        return number_column(plain, stub.name, stub.number)
    filled, numbers = is_filled(series), as_numbers(series)
    count, strange = int((filled & numbers.is_not_null()).sum()), filled & numbers.is_null()
    if 2 * count < int(filled.sum()) or (mixed and strange.any()):
        return text_column(series.str.strip_chars().set(~filled, None), stub.name, stub.number)
    if strange.any():
        i = int(np.argmax(strange.to_numpy()))
        told = (
            hint([series[i]]) or f" (missing is an empty cell or one of {', '.join(MISSING[1:])})"
        )
        row = ", or delete the row if it holds units or a total" * (i in (0, len(series) - 1))
        cure = (
            f": mend the cell{row}, or --drop {pasted([stub])} leaves the column out"
            if told.startswith(" (missing")
            else ""
        )
        what = (
            f"found {quoted(series[i])}, expected a number as in {count} of the column's "
            f"{int(filled.sum())} values{told}{cure}"
        )
        raise problem(path, what, row_of(i), stub.number, stub.name)
    return number_column(numbers.set(~filled, None), stub.name, stub.number)
