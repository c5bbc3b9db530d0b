"""NPY: one two-dimensional array, the target in one of its columns. Pickles are never loaded."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dlprobe.data.arrays import NUMBERS, as_matrix
from dlprobe.data.columns import DataColumn, DataTable, used_columns
from dlprobe.data.dataset import Options, Tile
from dlprobe.data.file_format import add_format
from dlprobe.data.large_files import LargeTable, is_large
from dlprobe.data.numpy_stream import checked_header, read_stream
from dlprobe.data.places import problem
from dlprobe.data.tiles import LARGEST_TILED, TILE
from dlprobe.dataclass import dataclass


def read_npy(path: Path, options: Options, like: DataTable | None = None) -> DataTable:
    with path.open("rb") as stream:
        array = read_stream(path, "", stream, path.stat().st_size)
    if array.ndim != 2:
        raise problem(
            path,
            f"the array has shape {array.shape}, expected (samples, columns) with the target "
            "in the last column, or an .npz with X and y",
        )
    matrix, _ = as_matrix(path, array, "")
    columns = tuple(
        DataColumn(f"x{j + 1}", j + 1, numbers=np.ascontiguousarray(matrix[:, j]))
        for j in range(matrix.shape[1])
    )
    table, chosen = used_columns(DataTable(path, columns, lambda i: i + 1), options, like)
    return replace(table, notes=(*notes_on_sibling(path), *chosen))


def large_npy(path: Path, options: Options, beside: bool) -> LargeTable | None:
    """The array where it is a large matrix of numbers, row by row."""
    with path.open("rb") as stream:
        shape, fortran, dtype = checked_header(path, "", stream, path.stat().st_size, LARGEST_TILED)
        start = stream.tell()
    if (
        len(shape) != 2
        or fortran
        or dtype.kind not in NUMBERS
        or not is_large(path, shape[0], shape[1], beside)
    ):
        return None
    every = NpyTiles(path, start, shape, dtype, tuple(range(shape[1])))

    def load(numbers: Sequence[int]) -> list[DataColumn]:
        tiles = [tile.values for tile in every.only(numbers)]
        return [
            DataColumn(
                f"x{number}", number, numbers=np.concatenate([values[:, k] for values in tiles])
            )
            for k, number in enumerate(numbers)
        ]

    names = [f"x{number}" for number in range(1, shape[1] + 1)]
    numbers = range(1, shape[1] + 1)
    return LargeTable(
        path, names, shape[0], load, every.only, numbers, numbers, notes=notes_on_sibling(path)
    )


@dataclass(frozen=True)
class NpyTiles:
    """Some columns, by position, of a matrix `whole` that begins at byte `start` of a file, row
    by row.
    """

    path: Path
    start: int
    whole: tuple[int, ...]
    dtype: np.dtype[np.generic]
    chosen: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int]:
        return self.whole[0], len(self.chosen)

    def only(self, numbers: Sequence[int]) -> NpyTiles:
        """The columns of these numbers, from 1."""
        return replace(self, chosen=tuple(number - 1 for number in numbers))

    def __iter__(self) -> Iterator[Tile]:
        rows, columns = self.whole
        step = max(1, TILE // columns)
        buffer = np.empty((min(step, rows), columns), self.dtype)
        chosen = slice(None) if self.chosen == tuple(range(columns)) else list(self.chosen)
        with self.path.open("rb", buffering=0) as stream:
            stream.seek(self.start)
            for first in range(0, rows, step):
                piece = buffer[: min(step, rows - first)]
                if filled(stream, piece.reshape(-1).view(np.uint8).data) < piece.nbytes:
                    raise problem(
                        self.path,
                        "became shorter while it was read: try again when nothing writes it",
                    )
                yield Tile(
                    slice(first, first + len(piece)),
                    slice(0, len(self.chosen)),
                    np.array(piece[:, chosen], np.float64, order="C"),
                )


def filled(stream: io.FileIO, view: memoryview) -> int:
    """Read until the view is full or the file ends; returns how many bytes were read."""
    done = 0
    while done < len(view) and (count := stream.readinto(view[done:])):
        done += count
    return done


def notes_on_sibling(path: Path) -> tuple[str, ...]:
    """Where y.npy lies beside X.npy, which is how some save a pair: how to make one file of
    both.
    """
    other = path.with_name("y.npy")
    if path.stem not in ("X", "x") or not other.is_file():
        return ()
    joined = f"np.savez('data.npz', X=np.load('{path.name}'), y=np.load('y.npy'))"
    return (
        (
            f"y.npy beside it was not read and a column of {path.name} is the target; if the "
            f"targets are there: {joined}"
        ),
    )


add_format(
    name="NPY",
    summary="one NumPy array (samples, columns), target in the last column or in --target",
    suffixes=(".npy",),
    read=read_npy,
    signatures=(b"\x93NUMPY",),
    large=large_npy,
)
