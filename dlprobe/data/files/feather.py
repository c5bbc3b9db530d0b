"""Feather, Arrow's file format, read by polars."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlprobe.data.columns import DataTable
from dlprobe.data.dataset import Options
from dlprobe.data.file_format import add_format
from dlprobe.data.frame_tiles import large_frame, whole_frame
from dlprobe.data.frames import table_of_frame
from dlprobe.data.large_files import LargeTable

if TYPE_CHECKING:
    import polars


def read_feather(path: Path, options: Options, like: DataTable | None = None) -> DataTable:
    return table_of_frame(path, whole_frame(path, scan, "Feather"), options, like=like)


def large_feather(path: Path, options: Options, beside: bool) -> LargeTable | None:
    return large_frame(path, scan, beside, lambda frame: [])


def scan(path: Path) -> polars.LazyFrame:
    import polars

    return polars.scan_ipc(path, glob=False, hive_partitioning=False)


add_format(
    name="Feather",
    summary="table with typed columns (Arrow IPC)",
    suffixes=(".feather", ".arrow", ".ipc"),
    read=read_feather,
    signatures=(b"ARROW1",),
    large=large_feather,
)
