"""HDF5: data sets X (samples, features) and y (samples,) at the root, read by the guarded loader."""

from __future__ import annotations

from pathlib import Path

from dlprobe.data.arrays import Arrays, refuse_several
from dlprobe.data.columns import Table
from dlprobe.data.dataset import Options
from dlprobe.data.file_format import FileFormat
from dlprobe.data.given_parts import PART_WORDS, array_pairs, arrays_of_parts
from dlprobe.data.places import in_one_line, visible
from dlprobe.errors import DataError, RunFileError
from dlprobe.registry import register


def read_hdf5(path: Path, options: Options, like: Table | None = None) -> Arrays:
    from dlprobe.hdf5 import read_arrays, there

    refuse_several(path, options.target)
    names = ("X", options.target or "y")
    usual = [f"{letter}_{word}" for words in PART_WORDS.values() for word in words for letter in ("x", "X", "y")]
    try:
        pairs = array_pairs(there(path, usual)) if options.target is None else {}
        arrays = read_arrays(path, [name for pair in pairs.values() for name in pair] or names)
    except RunFileError as error:
        message = in_one_line(error)
        if "neither integer, float nor fixed-length text" in message:
            message += "; save labels as np.array(labels, dtype='S'), truth values as whole numbers"
        raise DataError(message if visible(path) in message else f"{visible(path)}: {message}") from None
    if pairs:
        return arrays_of_parts(path, {part: (arrays[x], arrays[y]) for part, (x, y) in pairs.items()}, pairs)
    return Arrays(path, arrays[names[0]], arrays[names[1]], names)


register(
    "file_format",
    FileFormat(
        name="HDF5",
        summary="data sets X (samples, features) and y (samples,), or y named by --target, or x_train, y_train, x_test, y_test",
        suffixes=(".h5", ".hdf5"),
        read=read_hdf5,
        signatures=(b"\x89HDF\r\n\x1a\n",),
    ),
)
