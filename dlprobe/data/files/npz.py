"""NPZ: arrays X (samples, features) and y (samples,). Pickles are never loaded."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

from dlprobe.data.arrays import dataset_from_arrays, refuse_several
from dlprobe.data.dataset import Dataset, Options
from dlprobe.data.file_format import FileFormat
from dlprobe.data.npz_archive import array_names, read_member
from dlprobe.data.places import nearest, problem, quoted, quoted_list
from dlprobe.registry import register


def read_npz(path: Path, options: Options) -> Dataset:
    with ZipFile(path) as archive:
        found = array_names(archive)
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
    if y is None:
        refuse_several(path, target)
    if x is None or y is None:
        listed = f"arrays {quoted_list(found)}" if found else "no arrays"
        wanted = quoted(target) if target is not None else "'y'"
        near = nearest(target, found) if target is not None and y is None else ""
        raise problem(path, f"holds {listed}, expected 'X' and {wanted}: {near}save with np.savez(path, X=…, y=…), or name the target array with target")
    return x, y


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
