"""Text tables. Everything is read as text and then cast, so that the first cell that is no
number can be named.
"""

from __future__ import annotations

import csv
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
from dlprobe.data.delimited_header import MISSING, as_numbers, header, is_filled, table_of_names
from dlprobe.data.delimited_typed import typed_table
from dlprobe.data.frames import number_column, text_column
from dlprobe.data.places import in_one_line, problem, quoted
from dlprobe.data.row_names import without_row_names
from dlprobe.data.text_file import SEPARATOR_NAMES, TextFile, opened
from dlprobe.data.written_numbers import all_in_thousands, as_plain, hint

if TYPE_CHECKING:
    import polars

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
        frame = frame.with_columns(
            [as_plain(series, options.decimal) for series in frame.get_columns()]
        )
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
    """The rows in which some cell is filled, and int64 (rows,) their positions in the file from 0.

    before: number of lines above the first row of `frame`.
    """
    import polars

    filled = frame.select(filled=polars.any_horizontal(polars.all().is_not_null())).to_series()
    return frame.filter(filled), np.flatnonzero(filled.to_numpy()).astype(np.int64) + before


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
