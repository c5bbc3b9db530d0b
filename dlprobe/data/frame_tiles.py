"""Parquet and Feather files: whole, or as tiles of a few whole columns, since that is how such
files lie on the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlprobe.data.columns import DataColumn
from dlprobe.data.dataset import LARGEST_ELEMENTS, Array, Tile
from dlprobe.data.frames import column_of, is_readable, number_column, refuse_packed, silent_stderr
from dlprobe.data.large_files import LargeTable, is_large
from dlprobe.data.places import in_one_line, problem
from dlprobe.dataclass import dataclass

if TYPE_CHECKING:
    import polars

TILE = 2**20  # numbers of whole columns that are read at a time, about: 8 MiB as float64
Scan = Callable[[Path], "polars.LazyFrame"]


def large_frame(
    path: Path, scan: Scan, beside: bool, left_out: Callable[[polars.DataFrame], Sequence[str]]
) -> LargeTable | None:
    """A large table, or one beside such; None where it is small. `left_out`: names that the
    file calls an index.
    """
    import polars

    try:
        with silent_stderr():
            lazy = scan(path)
            schema, rows = lazy.collect_schema(), int(lazy.select(polars.len()).collect().item())
            if not is_large(path, rows, len(schema), beside):
                return None
            refuse_packed(path, schema, rows)
            names = schema.names()
            index = left_out(lazy.head(0).collect())
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException):
        return None  # the reader of whole files says what is wrong

    def load(numbers: Sequence[int]) -> list[DataColumn]:
        frame = columns_of(path, scan, [names[number - 1] for number in numbers])
        return [
            column_of(frame.to_series(k), DataColumn(names[number - 1], number))
            for k, number in enumerate(numbers)
        ]

    def tiles(numbers: Sequence[int]) -> FrameTiles:
        return FrameTiles(path, scan, tuple(names[number - 1] for number in numbers), rows)

    notes = tuple(f"column '{name}' is the index that pandas stored: left out" for name in index)
    kinds = dict(enumerate(schema.dtypes(), start=1))
    readable = [number for number, kind in kinds.items() if is_readable(kind, "refuse")]
    numeric = [
        number for number, kind in kinds.items() if kind.is_numeric() or kind == polars.Boolean
    ]
    indexed = [names.index(name) + 1 for name in index]
    return LargeTable(
        path,
        names,
        rows,
        load,
        tiles,
        readable,
        numeric,
        counted=True,
        left_out=indexed,
        notes=notes,
    )


def whole_frame(path: Path, scan: Scan, called: str) -> polars.DataFrame:
    """All of a file, its declared size checked first. polars panics on some damaged files, and
    a panic is no Exception.
    """
    import polars

    try:
        with silent_stderr():
            lazy = scan(path)
            rows, schema = int(lazy.select(polars.len()).collect().item()), lazy.collect_schema()
            if rows * len(schema) > LARGEST_ELEMENTS:
                raise problem(
                    path,
                    f"declares {rows} rows × {len(schema)} columns, dlprobe takes up to "
                    f"{LARGEST_ELEMENTS} numbers",
                )
            refuse_packed(path, schema, rows)
            frame = lazy.collect()
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException) as error:
        raise problem(
            path,
            f"cannot be read as {called}, it looks damaged ({in_one_line(error)}): write the "
            "file again",
        ) from None
    if frame.height != rows:
        raise problem(path, f"declares {rows} rows and holds {frame.height}: write the file again")
    return frame


def columns_of(path: Path, scan: Scan, names: Sequence[str]) -> polars.DataFrame:
    """The columns of these names, as a frame. polars panics on some damaged files, and a panic is
    no Exception.
    """
    import polars

    try:
        with silent_stderr():
            return scan(path).select([polars.col(name) for name in names]).collect()
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException):
        raise problem(path, "cannot be read, it looks damaged: write the file again") from None


@dataclass(frozen=True)
class FrameTiles:
    """Columns of these names, all rows."""

    path: Path
    scan: Scan
    names: tuple[str, ...]
    rows: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows, len(self.names)

    def __iter__(self) -> Iterator[Tile]:
        """As many whole columns as a tile has room for, one at least: what polars has freed
        stays in its pool, so that more would not be free.
        """
        width = max(1, TILE // max(1, self.rows))
        for first in range(0, len(self.names), width):
            frame = columns_of(self.path, self.scan, self.names[first : first + width])
            if frame.height != self.rows:
                raise problem(
                    self.path,
                    f"declares {self.rows} rows and holds {frame.height}: write the file again",
                )
            columns = [numbers_of(series) for series in frame.get_columns()]
            step = max(1, TILE // (4 * len(columns)))
            for row in range(0, self.rows, step):
                values = np.stack(
                    [column[row : row + step] for column in columns],
                    axis=1,
                    dtype=np.float64,
                    casting="unsafe",
                )
                yield Tile(
                    slice(row, row + len(values)), slice(first, first + len(columns)), values
                )


def numbers_of(series: polars.Series) -> Array:
    """The numbers of a column as NumPy has them, NaN where missing; without a copy where it can
    be.
    """
    if series.dtype.is_decimal() or series.null_count():
        numbers = number_column(series, "", 0).numbers
        assert numbers is not None
        return numbers
    return series.to_numpy()
