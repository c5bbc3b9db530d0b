"""CSV: comma-separated text, or semicolons, tabs, bars or blanks where most lines agree on
them; plain or gzip.
"""

from __future__ import annotations

from pathlib import Path

from dlprobe.data.columns import DataTable
from dlprobe.data.dataset import Options
from dlprobe.data.delimited import read_delimited
from dlprobe.data.file_format import add_format


def read_csv(path: Path, options: Options, like: DataTable | None = None) -> DataTable:
    return read_delimited(path, options, ",", like)


add_format(
    name="CSV",
    summary="text table; separator, header, types and categorical columns are inferred",
    suffixes=(".csv", ".txt", ".data", ".dat", ".csv.gz", ".txt.gz", ".data.gz", ".dat.gz"),
    read=read_csv,
    text=True,
)
