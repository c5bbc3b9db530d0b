"""From polars frames to tables: what typed formats share."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlprobe.data.dataset import Dataset, Options
from dlprobe.data.places import problem, quoted
from dlprobe.data.row_names import without_row_names
from dlprobe.data.tables import Column, Table, dataset_from_table

if TYPE_CHECKING:
    import polars


def number_column(series: polars.Series, name: str, number: int) -> Column:
    """A column of numbers; null becomes NaN, which is missing."""
    import polars

    return Column(name, number, numbers=np.array(series.cast(polars.Float64).to_numpy(), dtype=np.float64))


def text_column(series: polars.Series, name: str, number: int) -> Column:
    """A column of texts as codes into its sorted distinct texts; null becomes −1, which is missing."""
    import polars

    texts = series.cast(polars.String)
    distinct = texts.drop_nulls().unique().sort()
    codes = texts.cast(polars.Enum(distinct)).to_physical().cast(polars.Int64).fill_null(-1)
    return Column(name, number, codes=np.array(codes.to_numpy(), dtype=np.int64), texts=tuple(distinct.to_list()))


def dataset_of_frame(path: Path, frame: polars.DataFrame, options: Options, index: Collection[str] = ()) -> Dataset:
    """Dataset of a table with typed columns; `index`: names of the columns that the file calls an index."""
    columns = [column_of(path, series, number) for number, series in enumerate(frame.get_columns(), start=1) if series.name not in index]
    if not columns:
        raise problem(path, "has no columns")
    numbering, row_notes = without_row_names(columns, [True] * len(columns), options.target)
    notes = (*(f"column {quoted(name)} is the index that pandas stored: left out" for name in index), *row_notes)
    kept = tuple(column for column in columns if column not in numbering)
    return dataset_from_table(Table(path, kept, lambda i: i + 1, notes), options)


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
