"""NumPy's archive: every axis and array under its name, those of a study's runs under RUN/name;
texts as `U`. np.load reads it without pickle.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlprobe.exporters import kinds
from dlprobe.exporters.formats import register
from dlprobe.exporters.parts import Part

_DAY = (1980, 1, 1, 0, 0, 0)  # the same content gives the same file


def write(path: Path, parts: Sequence[Part]) -> None:
    """Write the archive. Raises RunFileError where a run is damaged, OSError where the disk is
    full.
    """
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.comment = kinds.ARCHIVE_COMMENT
        for part in parts:
            above = f"{part.id}/" if part.id else ""
            for dim in part.dims:
                _add(
                    archive,
                    f"{above}{dim}",
                    part.labels[dim].dtype,
                    part.labels[dim].shape,
                    [part.labels[dim]],
                )
            for name, dtype in part.dtypes.items():
                _add(archive, f"{above}{name}", dtype, part.shape, part.pieces(name))


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """An archive of arrays that are in memory. Raises OSError."""
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.comment = kinds.ARCHIVE_COMMENT
        for name, array in arrays.items():
            _add(archive, name, array.dtype, array.shape, [array])


def _add(
    archive: zipfile.ZipFile,
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    pieces: Iterable[NDArray[Any]],
) -> None:
    member = zipfile.ZipInfo(f"{name}.npy", _DAY)
    member.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(member, "w", force_zip64=True) as file:
        header = {
            "descr": np.lib.format.dtype_to_descr(dtype),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_1_0(file, header)
        for piece in pieces:
            file.write(np.ascontiguousarray(piece, dtype).tobytes())


register("npz", "NumPy arrays by name", ".npz", kinds.NPZ, write)
