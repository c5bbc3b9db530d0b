"""HDF5: data sets X (samples, features) and y (samples,) at the root, read by the guarded loader."""

from __future__ import annotations

from pathlib import Path

from dlprobe.data.arrays import dataset_from_arrays, refuse_several
from dlprobe.data.dataset import Dataset, Options
from dlprobe.data.file_format import FileFormat
from dlprobe.data.places import in_one_line, visible
from dlprobe.errors import DataError, RunFileError
from dlprobe.registry import register


def read_hdf5(path: Path, options: Options) -> Dataset:
    from dlprobe.hdf5 import read_arrays

    refuse_several(path, options.target)
    names = ("X", options.target or "y")
    try:
        arrays = read_arrays(path, names)
    except RunFileError as error:
        message = in_one_line(error)
        if "neither integer, float nor fixed-length text" in message:
            message += "; save labels as np.array(labels, dtype='S'), truth values as whole numbers"
        raise DataError(message if visible(path) in message else f"{visible(path)}: {message}") from None
    return dataset_from_arrays(path, arrays[names[0]], arrays[names[1]], names, options)


register(
    "file_format",
    FileFormat(
        name="HDF5",
        summary="data sets X (samples, features) and y (samples,), or y named by --target",
        suffixes=(".h5", ".hdf5"),
        read=read_hdf5,
        signatures=(b"\x89HDF\r\n\x1a\n",),
    ),
)
