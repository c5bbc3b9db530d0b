"""The arrays of an .npz archive: sizes are judged before anything is unpacked, and pickles are
never loaded.
"""

from __future__ import annotations

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from dlprobe.data.dataset import Array
from dlprobe.data.file_format import first_bytes, one_clear_line
from dlprobe.data.numpy_stream import read_stream
from dlprobe.data.packing import refuse_bomb
from dlprobe.data.places import problem, quoted

# deflate packs 1,032 bytes into one at most: more is a lie
LARGEST_RATIO = 1100
# of an archive with members, and of one without
SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")


def read_arrays(path: Path) -> dict[str, Array]:
    """Every array of an .npz file by name, as it is stored. Raises DataError, one line,
    whatever is wrong with the file.
    """
    with one_clear_line(path):
        if not first_bytes(path).startswith(SIGNATURES):
            raise problem(
                path, "is not an .npz file: save the arrays with np.savez(path, name=array, …)"
            )
        with ZipFile(path) as archive:
            return {name: read_member(path, archive, name) for name in array_names(archive)}


def array_names(archive: ZipFile) -> list[str]:
    return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def read_member(path: Path, archive: ZipFile, name: str) -> Array:
    """One array, its declared size compared with its packed size before it is unpacked."""
    info = archive.getinfo(f"{name}.npy")
    if info.flag_bits & 1 or info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise problem(
            path,
            f"array {quoted(name)} is encrypted or packed in a way that NumPy does not write: "
            "save it with np.savez_compressed",
        )
    if info.file_size > info.compress_size * LARGEST_RATIO + 2**20:
        raise problem(
            path,
            f"array {quoted(name)} declares {info.file_size} bytes packed into "
            f"{info.compress_size}, which is not possible",
        )
    refuse_bomb(path, info.file_size, info.compress_size, f"array {quoted(name)} ")
    with archive.open(info) as stream:
        return read_stream(path, name, stream, info.file_size)
