"""HDF5: data sets X (samples, features) and y (samples,) at the root, read by the guarded
loader.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dlprobe.data.arrays import NUMBERS, Arrays, refuse_several
from dlprobe.data.columns import DataTable
from dlprobe.data.dataset import Options, Tile
from dlprobe.data.file_format import add_format
from dlprobe.data.given_parts import array_pairs, arrays_of_parts, usual_names
from dlprobe.data.large_files import LargeArrays, is_large
from dlprobe.data.packing import refuse_bomb
from dlprobe.data.places import in_one_line, problem, quoted, visible
from dlprobe.data.tiles import TILE
from dlprobe.dataclass import dataclass
from dlprobe.errors import DataError, RunFileError

KEPT = "data/"  # the group of a run file


def read_hdf5(path: Path, options: Options, like: DataTable | None = None) -> Arrays:
    from dlprobe.hdf5 import declared, read_arrays

    refuse_several(path, options.target)
    names = ("X", options.target or "y")
    try:
        pairs = _pairs(path) if options.target is None else {}
        wanted = [name for pair in pairs.values() for name in pair] or names
        for name, stored in declared(path, wanted).items():
            refuse_bomb(path, stored.size, stored.packed, f"data set {quoted(name)} ")
        arrays = read_arrays(path, wanted)
    except RunFileError as error:
        message = in_one_line(error)
        if "neither integer, float nor fixed-length text" in message:
            message += "; save labels as np.array(labels, dtype='S'), truth values as whole numbers"
        raise DataError(
            message if visible(path) in message else f"{visible(path)}: {message}"
        ) from None
    if pairs:
        return arrays_of_parts(
            path, {part: (arrays[x], arrays[y]) for part, (x, y) in pairs.items()}, pairs
        )
    return Arrays(path, arrays[names[0]], arrays[names[1]], names)


def _pairs(path: Path) -> dict[str, tuple[str, str]]:
    """Names of the inputs and targets of each part: at the root, or where a run file holds what
    its recorder was given to keep.
    """
    from dlprobe.hdf5 import there

    usual = list(usual_names())
    names = array_pairs(there(path, usual))
    if names:
        return names
    kept = array_pairs(
        [name.removeprefix(KEPT) for name in there(path, [KEPT + name for name in usual])]
    )
    return {part: (KEPT + x, KEPT + y) for part, (x, y) in kept.items()}


def large_hdf5(path: Path, options: Options, beside: bool) -> LargeArrays | None:
    """X and y where X is a large array of numbers."""
    from dlprobe.hdf5 import declared, read_arrays

    if options.target is not None and "," in options.target:
        return None
    names = ("X", options.target or "y")
    try:
        declaration = declared(path, names)
        if (
            len(declaration) < 2
            or declaration["X"].dtype.kind not in NUMBERS
            or len(declaration["X"].shape) < 2
        ):
            return None
        rows, *sample = declaration["X"].shape
        refuse_bomb(path, declaration["X"].size, declaration["X"].packed, "data set 'X' ")
        if not is_large(path, rows, math.prod(sample), beside):
            return None
        targets = read_arrays(path, names[1:])[names[1]]
    except RunFileError:
        return None  # the reader of whole files says what is wrong
    tiles = Hdf5Tiles(path, names[0], (rows, math.prod(sample)))
    return LargeArrays(path, tuple(sample), targets, names, tiles, declaration["X"].dtype)


@dataclass(frozen=True)
class Hdf5Tiles:
    """A data set whose samples are flattened to rows."""

    path: Path
    name: str
    shape: tuple[int, int]

    def __iter__(self) -> Iterator[Tile]:
        from dlprobe.hdf5 import slabs

        first = 0
        for slab in slabs(self.path, self.name):
            flat = slab.reshape(len(slab), -1)
            if flat.shape[1] != self.shape[1] or first + len(flat) > self.shape[0]:
                raise problem(
                    self.path, "was changed while it was read: try again when nothing writes it"
                )
            step = max(1, TILE // self.shape[1])
            for row in range(0, len(flat), step):
                values = np.array(flat[row : row + step], np.float64, order="C")
                yield Tile(
                    slice(first + row, first + row + len(values)), slice(0, self.shape[1]), values
                )
            first += len(flat)


add_format(
    name="HDF5",
    summary="data sets X (samples, features) and y (samples,), or y named by --target, or "
    "x_train, y_train, x_test, y_test",
    suffixes=(".h5", ".hdf5"),
    read=read_hdf5,
    signatures=(b"\x89HDF\r\n\x1a\n",),
    large=large_hdf5,
)
