"""CSV: comma-separated text, or semicolons, tabs and bars where the first line has them."""

from __future__ import annotations

from pathlib import Path

from dlprobe.data.dataset import Dataset, Options
from dlprobe.data.delimited import read_delimited
from dlprobe.data.file_format import FileFormat
from dlprobe.registry import register


def read_csv(path: Path, options: Options) -> Dataset:
    return read_delimited(path, options, ",")


register(
    "file_format",
    FileFormat(name="CSV", summary="text table; header, types and categorical columns are inferred", suffixes=(".csv", ".txt", ".data"), read=read_csv),
)
