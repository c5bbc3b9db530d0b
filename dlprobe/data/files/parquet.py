"""Parquet, read by polars."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dlprobe.data.dataset import LARGEST_ELEMENTS, Dataset, Options
from dlprobe.data.file_format import FileFormat
from dlprobe.data.frames import number_column, text_column
from dlprobe.data.places import in_one_line, problem, quoted
from dlprobe.data.row_names import is_wanted, without_row_names
from dlprobe.data.tables import Column, Table, dataset_from_table
from dlprobe.registry import register

if TYPE_CHECKING:
    import polars


def read_parquet(path: Path, options: Options) -> Dataset:
    frame = read_frame(path)
    index = index_of_pandas(path, frame, options.target)
    columns = [column_of(path, series, number) for number, series in enumerate(frame.get_columns(), start=1) if series.name not in index]
    if not columns:
        raise problem(path, "has no columns")
    numbering, row_notes = without_row_names(columns, [True] * len(columns), options.target)
    notes = (*(f"column {quoted(name)} is the index that pandas stored: left out" for name in index), *row_notes)
    kept = tuple(column for column in columns if column not in numbering)
    return dataset_from_table(Table(path, kept, lambda i: i + 1, notes), options)


def index_of_pandas(path: Path, frame: polars.DataFrame, target: str | None) -> list[str]:
    """Names of the columns that the file's metadata call a pandas index, without the target; none where fewer than two others would be left.

    Of the layout in https://pandas.pydata.org/docs/development/developer.html: "index_columns" has names, and records for ranges, which have no column.
    """
    import polars

    try:
        told = json.loads(polars.read_parquet_metadata(path).get("pandas", "{}"))
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException, ValueError, RecursionError):
        return []  # the table itself was read: what cannot be understood says nothing
    listed = told.get("index_columns") if isinstance(told, dict) else None
    stubs = [Column(name, number) for number, name in enumerate(frame.columns, start=1)]
    found = [stub.name for stub in stubs if isinstance(listed, list) and stub.name in listed and not is_wanted(stub, target)]
    return found if frame.width - len(found) >= 2 else []


def read_frame(path: Path) -> polars.DataFrame:
    """The whole file, its declared size checked first. polars panics on some damaged files, and a panic is no Exception."""
    import polars

    try:
        with silent_stderr():
            lazy = polars.scan_parquet(path, glob=False, hive_partitioning=False)
            rows, width = int(lazy.select(polars.len()).collect().item()), len(lazy.collect_schema())
            if rows * width > LARGEST_ELEMENTS:
                raise problem(path, f"declares {rows} rows × {width} columns, dlprobe takes up to {LARGEST_ELEMENTS} numbers")
            frame = lazy.collect()
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException) as error:
        raise problem(path, f"cannot be read as Parquet, it looks damaged ({in_one_line(error)}): write the file again") from None
    if frame.height != rows:
        raise problem(path, f"declares {rows} rows and holds {frame.height}: write the file again")
    return frame


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Nothing reaches file descriptor 2: a panic prints a backtrace there before Python hears of it, and people would take it for a crash."""
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


def column_of(path: Path, series: polars.Series, number: int) -> Column:
    """Numbers and truth values as numbers, text as text; anything else is refused by name."""
    import polars

    kind = series.dtype
    if kind.is_numeric() or kind in (polars.Boolean, polars.Null):
        return number_column(series, series.name, number)
    if kind in (polars.String, polars.Categorical, polars.Enum):
        return text_column(series, series.name, number)
    raise problem(path, f"holds {quoted(kind)}, expected numbers or text: make numbers of it or leave it out", None, number, series.name)


register("file_format", FileFormat(name="Parquet", summary="table with typed columns", suffixes=(".parquet", ".pq"), read=read_parquet, signatures=(b"PAR1",)))
