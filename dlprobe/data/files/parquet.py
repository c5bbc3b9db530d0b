"""Parquet, read by polars."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from dlprobe.data.columns import DataColumn, DataTable, is_asked_for
from dlprobe.data.dataset import Options
from dlprobe.data.file_format import add_format
from dlprobe.data.frame_tiles import large_frame, whole_frame
from dlprobe.data.frames import table_of_frame
from dlprobe.data.large_files import LargeTable

if TYPE_CHECKING:
    import polars


def read_parquet(path: Path, options: Options, like: DataTable | None = None) -> DataTable:
    frame = whole_frame(path, scan, "Parquet")
    return table_of_frame(
        path, frame, options, [] if like else index_of_pandas(path, frame, options.target), like
    )


def large_parquet(path: Path, options: Options, beside: bool) -> LargeTable | None:
    return large_frame(
        path, scan, beside, lambda frame: index_of_pandas(path, frame, options.target)
    )


def scan(path: Path) -> polars.LazyFrame:
    import polars

    return polars.scan_parquet(path, glob=False, hive_partitioning=False)


def index_of_pandas(path: Path, frame: polars.DataFrame, target: str | None) -> list[str]:
    """Names of the columns that the file's metadata call a pandas index, without the target; none
    where fewer than two others would be left.

    Of the layout in https://pandas.pydata.org/docs/development/developer.html: "index_columns" has
    names, and records for ranges, which have no column.
    """
    import polars

    try:
        told = json.loads(polars.read_parquet_metadata(path).get("pandas", "{}"))
    except (
        polars.exceptions.PolarsError,
        polars.exceptions.PanicException,
        ValueError,
        RecursionError,
    ):
        return []  # the table itself was read: what cannot be understood says nothing
    listed = told.get("index_columns") if isinstance(told, dict) else None
    stubs = [DataColumn(name, number) for number, name in enumerate(frame.columns, start=1)]
    names = [
        stub.name
        for stub in stubs
        if isinstance(listed, list) and stub.name in listed and not is_asked_for(stub, target)
    ]
    return names if frame.width - len(names) >= 2 else []


add_format(
    name="Parquet",
    summary="table with typed columns",
    suffixes=(".parquet", ".pq"),
    read=read_parquet,
    signatures=(b"PAR1",),
    large=large_parquet,
)
