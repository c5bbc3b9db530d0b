"""NumPy arrays from bytes nobody vouches for: the header is judged before any memory is taken,
and pickles are never loaded.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as numpy_format

from dlprobe.data.arrays import KIND_NAMES, NUMBERS, TEXTS, titled
from dlprobe.data.dataset import LARGEST_ELEMENTS, Array
from dlprobe.data.places import in_one_line, problem, quoted


def read_stream(path: Path, name: str, stream: IO[bytes], size: int) -> Array:
    """The array in `stream`, which holds `size` bytes in all. Raises DataError; `name` is the
    array's name in an archive, or empty.
    """
    shape, fortran, dtype = checked_header(path, name, stream, size, LARGEST_ELEMENTS)
    label, declared = titled(name), math.prod(shape) * dtype.itemsize
    data = stream.read(declared)
    stream.read(1)  # an archive compares its checksum when it is read to the end
    if len(data) != declared:
        raise problem(
            path,
            f"{label} declares {declared} bytes of data, the file holds {len(data)}: it was "
            "cut or damaged",
        )
    if not declared:
        return np.zeros(shape, dtype=dtype)
    return np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran else "C")


def checked_header(
    path: Path, name: str, stream: IO[bytes], size: int, most: int
) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Shape, Fortran order and dtype of an array of numbers or text, `most` at most, that fills
    the `size` bytes of a stream. Raises DataError.
    """
    shape, fortran, dtype = read_header(path, name, stream)
    label = titled(name)
    if dtype.hasobject:
        raise problem(
            path,
            f"{label} holds Python objects, which only a pickle can store and dlprobe never "
            "loads: save numbers or text",
        )
    if dtype.kind not in NUMBERS + TEXTS or not dtype.itemsize:
        raise problem(
            path,
            f"{label} holds {KIND_NAMES.get(dtype.kind, 'something else')} ({quoted(dtype)}), "
            "expected numbers or text labels",
        )
    if any(length < 0 for length in shape):
        raise problem(path, f"{label} declares the shape {shape}, expected lengths of 0 and more")
    if math.prod(shape) > most:
        raise problem(
            path, f"{label} declares {math.prod(shape)} numbers, dlprobe takes up to {most}"
        )
    declared, held = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if declared != held:
        raise problem(
            path,
            f"{label} declares {declared} bytes of data, the file holds {held}: it was cut "
            "or damaged",
        )
    return shape, fortran, dtype


def read_header(
    path: Path, name: str, stream: IO[bytes]
) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Shape, Fortran order and dtype of a .npy header (formats 1 and 2; 3 is for records)."""
    try:
        with warnings.catch_warnings(action="error"):
            version = numpy_format.read_magic(stream)
            readers = {
                (1, 0): numpy_format.read_array_header_1_0,
                (2, 0): numpy_format.read_array_header_2_0,
            }
            if version in readers:
                return readers[version](stream)
    except Exception as error:
        raise problem(
            path,
            f"{titled(name)}: its NumPy header cannot be read ({in_one_line(error)}): write "
            "the file again",
        ) from None
    raise problem(
        path,
        f"{titled(name)} is of NumPy format {version[0]}.{version[1]}, dlprobe reads 1.0 and "
        "2.0: save plain numbers",
    )
