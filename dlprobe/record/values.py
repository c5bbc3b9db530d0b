"""Python values to the arrays of the layout table and back: dtype, rank and text encoding of
every data set are decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlprobe.record import layout
from dlprobe.registry import unknown


def line_of(group: str, name: str) -> layout.DataSet:
    """The table's line for `group/name`. Raises ValueError for a name that the table does not
    have.
    """
    line = layout.data_sets().get(f"{group}/{name}")
    if line is None:
        raise ValueError(
            f"{group}: {unknown('data set', name, layout.names(group))}; a new one needs a "
            "line in dlprobe/record/layout.py"
        )
    return line


def stored(line: layout.DataSet, value: Any, real: np.dtype[Any]) -> NDArray[Any]:
    """`value` as the array that the file holds, the caller's own where it is one of that dtype.
    `real` is the run's float dtype. Raises ValueError where the rank does not fit.
    """
    array = texts(value) if line.dtype == "text" else _numbers(line, value, real)
    if not line.admits_rank(array.ndim):
        raise ValueError(
            f"{line.path} has dimensions {line.dims}, got an array of shape {array.shape}"
        )
    return array


def loaded(line: layout.DataSet, array: NDArray[Any]) -> Any:
    """What the reader hands out: text, a tuple of texts, a number, or an array."""
    if line.dtype == "text":
        return untexts(array)
    return array[()].item() if array.ndim == 0 else array


def stored_groups(
    groups: Mapping[str, Mapping[str, Any]], real: np.dtype[Any]
) -> dict[str, NDArray[Any]]:
    """The values of several groups as arrays by path of the layout table."""
    lines = [
        (line_of(group, name), value)
        for group, values in groups.items()
        for name, value in values.items()
    ]
    return {line.path: stored(line, value, real) for line, value in lines}


def texts(value: Any) -> NDArray[Any]:
    """A text, or texts, as fixed-length UTF-8 bytes; longer than `layout.TEXT_BYTES` is cut at
    a character boundary.
    """
    if isinstance(value, str):
        return np.array(_bytes(value))
    encoded = [_bytes(str(text)) for text in value]
    return np.array(encoded, dtype=f"S{max([1, *map(len, encoded)])}")


def untexts(array: NDArray[Any]) -> Any:
    """The text or tuple of texts in an array of bytes. Control characters stay: what shows them
    escapes them.
    """
    if array.ndim == 0:
        return bytes(array[()]).decode("utf-8", "replace")
    return tuple(bytes(text).decode("utf-8", "replace") for text in array.ravel())


def _bytes(text: str) -> bytes:
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= layout.TEXT_BYTES:
        return data
    return data[: layout.TEXT_BYTES].decode("utf-8", "ignore").encode()


def _numbers(line: layout.DataSet, value: Any, real: np.dtype[Any]) -> NDArray[Any]:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{line.path} holds numbers, got {array.dtype}")
    if line.dtype == "number":
        return array.astype("<i8" if array.dtype.kind in "biu" else "<f8", copy=False)
    if line.dtype == "float" and array.dtype.kind == "f":
        return array.astype("<f4" if array.dtype.itemsize <= 4 else "<f8", copy=False)
    # a float32 run that diverges may hand over larger float64 numbers: they become infinite
    with np.errstate(over="ignore"):
        dtype = real if line.dtype in ("f", "float") else np.dtype(f"<{line.dtype}")
        return array.astype(dtype, copy=False)
