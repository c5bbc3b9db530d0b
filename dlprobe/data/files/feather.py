"""Feather, Arrow's file format, read by polars."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlprobe.data.columns import Table
from dlprobe.data.dataset import LARGEST_ELEMENTS, Options
from dlprobe.data.file_format import FileFormat
from dlprobe.data.frame_tiles import large_frame
from dlprobe.data.frames import refuse_packed, silent_stderr, table_of_frame
from dlprobe.data.large_files import LargeTable
from dlprobe.data.places import in_one_line, problem
from dlprobe.registry import register

if TYPE_CHECKING:
    import polars


def read_feather(path: Path, options: Options, like: Table | None = None) -> Table:
    return table_of_frame(path, read_frame(path), options, like=like)


def large_feather(path: Path, options: Options, beside: bool) -> LargeTable | None:
    return large_frame(path, scan, beside, lambda frame: [])


def scan(path: Path) -> polars.LazyFrame:
    import polars

    return polars.scan_ipc(path, glob=False, hive_partitioning=False)


def read_frame(path: Path) -> polars.DataFrame:
    """The whole file. Raises DataError where it cannot be read, or is too large."""
    import polars

    try:
        with silent_stderr():
            lazy = scan(path)
            rows, width = int(lazy.select(polars.len()).collect().item()), len(lazy.collect_schema())
            if rows * width > LARGEST_ELEMENTS:
                raise problem(path, f"declares {rows} rows × {width} columns, dlprobe takes up to {LARGEST_ELEMENTS} numbers")
            refuse_packed(path, lazy.collect_schema(), rows)
            return lazy.collect()
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException) as error:
        raise problem(path, f"cannot be read as Feather, it looks damaged ({in_one_line(error)}): write the file again") from None


register(
    "file_format",
    FileFormat(
        name="Feather",
        summary="table with typed columns (Arrow IPC)",
        suffixes=(".feather", ".arrow", ".ipc"),
        read=read_feather,
        signatures=(b"ARROW1",),
        large=large_feather,
    ),
)
