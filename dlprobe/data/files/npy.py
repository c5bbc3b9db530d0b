"""NPY: one two-dimensional array, the target in one of its columns. Pickles are never loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from dlprobe.data.arrays import as_matrix
from dlprobe.data.columns import Column, Table, used_columns
from dlprobe.data.dataset import Options
from dlprobe.data.file_format import FileFormat
from dlprobe.data.numpy_stream import read_stream
from dlprobe.data.places import problem
from dlprobe.registry import register


def read_npy(path: Path, options: Options, like: Table | None = None) -> Table:
    with path.open("rb") as stream:
        array = read_stream(path, "", stream, path.stat().st_size)
    if array.ndim != 2:
        raise problem(path, f"the array has shape {array.shape}, expected (samples, columns) with the target in the last column, or an .npz with X and y")
    matrix, _ = as_matrix(path, array, "")
    columns = tuple(Column(f"x{j + 1}", j + 1, numbers=np.ascontiguousarray(matrix[:, j])) for j in range(matrix.shape[1]))
    table, chosen = used_columns(Table(path, columns, lambda i: i + 1), options, like)
    return replace(table, notes=(*notes_on_sibling(path), *chosen))


def notes_on_sibling(path: Path) -> tuple[str, ...]:
    """Where y.npy lies beside X.npy, which is how some save a pair: how to make one file of both."""
    other = path.with_name("y.npy")
    if path.stem not in ("X", "x") or not other.is_file():
        return ()
    joined = f"np.savez('data.npz', X=np.load('{path.name}'), y=np.load('y.npy'))"
    return (f"y.npy beside it was not read and a column of {path.name} is the target; if the targets are there: {joined}",)


register(
    "file_format",
    FileFormat(
        name="NPY",
        summary="one NumPy array (samples, columns), target in the last column or in --target",
        suffixes=(".npy",),
        read=read_npy,
        signatures=(b"\x93NUMPY",),
    ),
)
