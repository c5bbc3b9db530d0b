"""NPZ: arrays X (samples, features) and y (samples,). Pickles are never loaded."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from dlprobe.data.arrays import dataset_from_arrays
from dlprobe.data.dataset import Array, Dataset, Options
from dlprobe.data.file_format import FileFormat
from dlprobe.data.numpy_stream import read_stream
from dlprobe.data.places import problem, quoted, quoted_list
from dlprobe.registry import register

# deflate packs 1,032 bytes into one at most: more is a lie
LARGEST_RATIO = 1100


def read_npz(path: Path, options: Options) -> Dataset:
    with ZipFile(path) as archive:
        found = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        inputs_name, targets_name = choose_arrays(path, found, options.target)
        inputs = read_member(path, archive, inputs_name)
        targets = read_member(path, archive, targets_name)
    return dataset_from_arrays(path, inputs, targets, (inputs_name, targets_name), options)


def choose_arrays(path: Path, found: list[str], target: str | None) -> tuple[str, str]:
    """Names of the inputs and the targets: X (or x) and y (or Y); `target` names another y, and then the only other array is X."""
    ys = [target] if target is not None else ["y", "Y"]
    y = next((name for name in ys if name in found), None)
    others = [name for name in found if name != y]
    x = next((name for name in ("X", "x") if name in others), others[0] if target is not None and len(others) == 1 else None)
    if x is None or y is None:
        listed = f"arrays {quoted_list(found)}" if found else "no arrays"
        wanted = quoted(target) if target is not None else "'y'"
        raise problem(path, f"holds {listed}, expected 'X' and {wanted}: save with np.savez(path, X=…, y=…), or name the target array with target")
    return x, y


def read_member(path: Path, archive: ZipFile, name: str) -> Array:
    """One array, its declared size compared with its packed size before it is unpacked."""
    info = archive.getinfo(f"{name}.npy")
    if info.flag_bits & 1 or info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise problem(path, f"array {quoted(name)} is encrypted or packed in a way that NumPy does not write: save it with np.savez_compressed")
    if info.file_size > info.compress_size * LARGEST_RATIO + 2**20:
        raise problem(path, f"array {quoted(name)} declares {info.file_size} bytes packed into {info.compress_size}, which is not possible")
    with archive.open(info) as stream:
        return read_stream(path, name, stream, info.file_size)


register(
    "file_format",
    FileFormat(
        name="NPZ",
        summary="NumPy arrays X (samples, features) and y (samples,), or y named by --target",
        suffixes=(".npz",),
        read=read_npz,
        signatures=(b"PK\x03\x04",),
    ),
)
