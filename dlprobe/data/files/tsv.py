"""TSV: text separated by tabs."""

from __future__ import annotations

from pathlib import Path

from dlprobe.data.columns import DataTable
from dlprobe.data.dataset import Options
from dlprobe.data.delimited import read_delimited
from dlprobe.data.file_format import add_format


def read_tsv(path: Path, options: Options, like: DataTable | None = None) -> DataTable:
    return read_delimited(path, options, "\t", like)


add_format(
    name="TSV",
    summary="text table separated by tabs, else as CSV",
    suffixes=(".tsv", ".tab", ".tsv.gz", ".tab.gz"),
    read=read_tsv,
    text=True,
)
