"""Small files that would unpack to hundreds of MiB and more: each is refused in one line, in
the memory that its packed bytes take.
"""

from __future__ import annotations

import gzip
import io
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import polars
import pytest

from dlprobe.config.records import DataConfig
from dlprobe.data import load
from dlprobe.errors import DataError

ROWS = 2**22 + 2**17  # of 8 float64 each: 264 MiB
MIB = 2**20


def zeros_npz(path: Path) -> Path:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (ROWS, 8)}
    )
    with zipfile.ZipFile(path / "zeros.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("X.npy", "w") as stream:
            stream.write(header.getvalue())
            for _ in range(ROWS * 64 // (8 * MIB)):
                stream.write(bytes(8 * MIB))
        with archive.open("y.npy", "w") as stream:
            np.lib.format.write_array(stream, np.zeros(8))
    return path / "zeros.npz"


def zeros_hdf5(path: Path) -> Path:
    with h5py.File(path / "zeros.h5", "w") as file:
        x = file.create_dataset("X", (ROWS, 8), "f8", chunks=(2**17, 8), compression="gzip")
        packed = zlib.compress(bytes(8 * MIB))
        for row in range(0, ROWS, 2**17):
            x.id.write_direct_chunk((row, 0), packed)
        file["y"] = np.zeros(ROWS, "i1")
    return path / "zeros.h5"


def zeros_gzip(path: Path) -> Path:
    (path / "zeros.csv.gz").write_bytes(
        gzip.compress(b"0,0\n" * (2 * MIB), 1) * 40
    )  # 8 MiB, 40 times: 320 MiB
    return path / "zeros.csv.gz"


def zeros_idx(path: Path) -> Path:
    head = b"\0\0\x08\x03" + struct.pack(">3I", 320 * 1024, 32, 32)
    (path / "t-images-idx3-ubyte.gz").write_bytes(
        gzip.compress(head) + gzip.compress(bytes(8 * MIB), 1) * 40
    )
    return path / "t-images-idx3-ubyte.gz"


def ones_parquet(path: Path) -> Path:
    polars.select(
        a=polars.repeat(1.0, 2**25), y=polars.repeat(1, 2**25, dtype=polars.Int8)
    ).write_parquet(path / "ones.parquet")
    return path / "ones.parquet"


def long_cell(path: Path) -> Path:
    (path / "cell.csv").write_bytes(b"a,y\n1,2\n" + b"x" * 100_000_000 + b",3\n4,5\n")
    return path / "cell.csv"


BOMBS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "npz": (zeros_npz, "array 'X' unpacks to 276824192 bytes or more from"),
    "hdf5": (zeros_hdf5, "data set 'X' unpacks to 276824064 bytes or more from"),
    "gzip": (zeros_gzip, "unpacks to 272629760 bytes or more from"),
    "idx": (zeros_idx, "unpacks to 335544320 bytes or more from"),
    "parquet": (ones_parquet, "unpacks to 301989888 bytes or more from"),
    "cell": (long_cell, "has a line of more than 1048576 bytes"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_before_it_unpacks(bomb: str, tmp_path: Path) -> None:
    """What Python and NumPy take is traced; a text is looked at while it unpacks, everything
    else before.
    """
    make, message = BOMBS[bomb]
    path = make(tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as refused:
            load(DataConfig(data=str(path)), 0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        path.unlink()
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert peak < (300 if bomb == "gzip" else 20) * MIB
