"""From polars frames to tables: what typed formats share."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlprobe.data.columns import DataColumn, DataTable, pasted, special_columns, used_columns
from dlprobe.data.dataset import Options
from dlprobe.data.packing import refuse_bomb
from dlprobe.data.places import problem, quoted, quoted_list
from dlprobe.data.row_names import without_row_names

if TYPE_CHECKING:
    import polars


def number_column(series: polars.Series, name: str, number: int) -> DataColumn:
    """A column of numbers; null becomes NaN, which is missing."""
    import polars

    return DataColumn(
        name, number, numbers=np.asarray(series.cast(polars.Float64).to_numpy(), dtype=np.float64)
    )


def text_column(series: polars.Series, name: str, number: int) -> DataColumn:
    """A column of texts as codes into its sorted distinct texts; null becomes −1, which is
    missing.
    """
    import polars

    texts = series.cast(polars.String)
    distinct = texts.drop_nulls().unique().sort()
    codes = texts.cast(polars.Enum(distinct)).to_physical().cast(polars.Int64).fill_null(-1)
    return DataColumn(
        name,
        number,
        codes=np.array(codes.to_numpy(), dtype=np.int64),
        texts=tuple(distinct.to_list()),
    )


def table_of_frame(
    path: Path,
    frame: polars.DataFrame,
    options: Options,
    index: Collection[str] = (),
    like: DataTable | None = None,
) -> DataTable:
    """A table with typed columns; `index`: names of the columns that the file calls an index;
    `like`: the table whose columns it must have.
    """
    stubs = [DataColumn(name, number) for number, name in enumerate(frame.columns, start=1)]
    table = DataTable(
        path, tuple(stub for stub in stubs if stub.name not in index), lambda i: i + 1
    )
    if not table.columns:
        raise problem(path, "has no columns")
    table, chosen = used_columns(table, options, like)
    refuse_unreadable(table, frame, options.dates)
    columns = [column_of(frame.to_series(stub.number - 1), stub) for stub in table.columns]
    if like is not None:
        columns = [
            column_like(path, column, model)
            for column, model in zip(columns, like.columns, strict=True)
        ]
    numbering: list[DataColumn] = []
    row_notes: list[str] = []
    if options.columns is None and like is None:
        apart = special_columns(table, options).values()
        numbering, row_notes = without_row_names(
            columns,
            [True] * len(columns),
            options.target,
            apart=[column.number for column in apart],
        )
    notes = (
        *(f"column {quoted(name)} is the index that pandas stored: left out" for name in index),
        *row_notes,
        *chosen,
    )
    kept = tuple(column for column in columns if column not in numbering)
    return DataTable(path, kept, lambda i: i + 1, notes)


def refuse_packed(path: Path, schema: polars.Schema, rows: int) -> None:
    """Raise DataError where a file declares very many more bytes than it holds, as one of equal
    values does.
    """
    bits = {
        8: ("Int8", "UInt8", "Boolean"),
        16: ("Int16", "UInt16"),
        32: ("Int32", "UInt32", "Float32"),
    }
    sizes = {name: size // 8 for size, names in bits.items() for name in names}
    refuse_bomb(
        path, rows * sum(sizes.get(str(kind), 8) for kind in schema.dtypes()), path.stat().st_size
    )


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Nothing reaches file descriptor 2: a panic prints a backtrace there before Python hears
    of it, and people would take it for a crash.
    """
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error to keep silent
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def refuse_unreadable(table: DataTable, frame: polars.DataFrame, dates: str) -> None:
    """Raise DataError where columns hold neither numbers nor text, with the option that leaves
    them out.
    """
    odd = [stub for stub in table.columns if not is_readable(frame.dtypes[stub.number - 1], dates)]
    if odd:
        kind = quoted(frame.dtypes[odd[0].number - 1])
        others = (
            f"; so it is with {quoted_list([stub.name for stub in odd[1:]])}" if odd[1:] else ""
        )
        dated = all(is_readable(frame.dtypes[stub.number - 1], "ordinal") for stub in odd)
        how = "--dates ordinal makes numbers of dates, " if dated else ""
        what = (
            f"holds {kind}, expected numbers or text{others}: {how}--drop {pasted(odd)} leaves "
            f"{'it' if len(odd) == 1 else 'them'} out"
        )
        raise problem(table.path, what, None, odd[0].number, odd[0].name)


def is_readable(kind: polars.DataType, dates: str) -> bool:
    """Whether a column of this type can be read: numbers, booleans, text, or all null; dates, with
    or without a time, unless `dates` is "refuse" (else "drop" or "ordinal").
    """
    import polars

    dated = dates != "refuse" and kind in (polars.Date, polars.Datetime)
    return (
        dated
        or kind.is_numeric()
        or kind in (polars.Boolean, polars.Null, polars.String, polars.Categorical, polars.Enum)
    )


def column_of(series: polars.Series, stub: DataColumn) -> DataColumn:
    """Numbers and truth values as numbers, text as text, dates as text in the form of ISO 8601,
    times of a zone in UTC.
    """
    import polars

    if isinstance(series.dtype, polars.Datetime) and series.dtype.time_zone is not None:
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if series.dtype in (polars.Date, polars.Datetime):
        series = series.dt.to_string("iso")
    text = series.dtype in (polars.String, polars.Categorical, polars.Enum)
    return (text_column if text else number_column)(series, stub.name, stub.number)


def column_like(path: Path, column: DataColumn, model: DataColumn) -> DataColumn:
    """A column of the kind that the training file has it in: numbers, or text. Raises DataError
    for text where it has numbers.
    """
    if (column.codes is None) == (model.codes is None):
        return column
    if model.codes is None:
        content = quoted(column.texts[0]) if column.texts else "text"
        raise problem(
            path,
            f"holds {content}, expected numbers as in the training file",
            None,
            column.number,
            column.name,
        )
    assert column.numbers is not None
    missing = np.isnan(column.numbers)
    texts = np.array([f"{number:g}" for number in column.numbers])
    used, codes = np.unique(texts, return_inverse=True)
    return DataColumn(
        column.name,
        column.number,
        codes=np.where(missing, -1, codes.reshape(-1)).astype(np.int64),
        texts=tuple(str(text) for text in used),
    )
