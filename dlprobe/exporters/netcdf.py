"""netCDF-4, which xarray opens: a variable for each array on named axes; the runs of a study
are groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlprobe.exporters import kinds
from dlprobe.exporters.formats import register
from dlprobe.exporters.parts import Part
from dlprobe.record import layout

if TYPE_CHECKING:
    from dlprobe.hdf5.writer import PackedWriter


def write(path: Path, parts: Sequence[Part]) -> None:
    """Write the file. Raises RunFileError where a run is damaged, OSError where the disk is
    full.
    """
    from dlprobe.hdf5.writer import PackedWriter

    writer = PackedWriter(path)
    try:
        writer.text("/", "schema", kinds.SCHEMA)
        for part in parts:
            _write_part(writer, part)
        writer.finish()
    except BaseException:
        writer.abandon()
        raise


def _write_part(writer: PackedWriter, part: Part) -> None:
    above = f"{part.id}/" if part.id else ""
    for dim in part.dims:
        _write_array(
            writer,
            f"{above}{dim}",
            part.labels[dim].dtype,
            part.labels[dim].shape,
            [part.labels[dim]],
            {},
        )
        writer.scale(f"{above}{dim}", dim)
    for name, dtype in part.dtypes.items():
        _write_array(
            writer, f"{above}{name}", dtype, part.shape, part.pieces(name), _attributes(name)
        )
        for axis, dim in enumerate(part.dims):
            writer.attach(f"{above}{name}", axis, f"{above}{dim}")
    if above:
        writer.release(above)


def _write_array(
    writer: PackedWriter,
    path: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    pieces: Iterable[NDArray[Any]],
    attributes: Mapping[str, str],
) -> None:
    """One array; texts, which are few, as UTF-8."""
    if dtype.kind == "U":
        pieces = [np.char.encode(piece, "utf-8") for piece in pieces]
        dtype = max(
            (piece.dtype for piece in pieces),
            key=lambda piece: piece.itemsize,
            default=np.dtype("S1"),
        )
    writer.data_set(path, dtype, shape, attributes)
    for piece in pieces:
        writer.append(path, piece.astype(dtype, copy=False))


def _attributes(name: str) -> dict[str, str]:
    """Meaning and unit of what the layout table knows."""
    for group in ("stats", "scalars", "evaluations"):
        line = layout.data_sets().get(f"{group}/{name}")
        if line is not None:
            return {"long_name": line.meaning, "units": line.units}
    return {}


register("netcdf", "netCDF-4 on named axes, for xarray", ".nc", kinds.NETCDF, write)
