"""What can be known of an HDF5 file before the HDF5 library touches it: signature, superblock
version, consistency flags, length.
"""

from __future__ import annotations

import os

from dlprobe.errors import RunFileError
from dlprobe.hdf5.files import read_at

SIGNATURE = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK"
CHECKSUMMED_SUPERBLOCKS = (2, 3)
ANY_SUPERBLOCK = (0, 2, 3)
_OFFSETS = 8  # bytes of an address; every file in use has 8


def examine(descriptor: int, name: str, superblocks: tuple[int, ...]) -> None:
    """Raise RunFileError unless the file looks like a whole HDF5 file with one of the given
    superblock versions.
    """
    head = read_at(descriptor, 0, 96)
    size = os.fstat(descriptor).st_size
    if not head:
        raise RunFileError(
            f"{name} is empty: the program that should have written it stopped before it began"
        )
    if head.startswith(ZIP):
        raise RunFileError(
            f"{name} is a zip archive, as torch.save and np.savez write them, and no run "
            "file: of a state_dict "
            'np.savez("weights.npz", **{k: v.cpu().numpy() for k, v in '
            "model.state_dict().items()}) makes what `dlprobe inspect weights.npz`, "
            "`dlprobe theory weights.npz`, `dlprobe train weights.npz` and --init "
            "'file(path=weights.npz)' take; a training is recorded by "
            "dlprobe.recorders.torch.record(model, optimizer, path)"
        )
    if not head.startswith(SIGNATURE):
        raise RunFileError(
            f"{name} is not an HDF5 file (it begins with {head[:8]!r}): give a run file that "
            "dlprobe wrote"
        )
    if len(head) < 48:
        raise RunFileError(f"{name} is cut after {size} bytes: fetch or make it again")
    _examine_version(head, name, superblocks)
    _examine_length(head, size, name)


def _examine_version(head: bytes, name: str, superblocks: tuple[int, ...]) -> None:
    version = head[8]
    if version not in superblocks:
        known = ", ".join(map(str, superblocks))
        raise RunFileError(
            f"{name} has an HDF5 superblock of version {version}, dlprobe reads {known}: "
            "write the file again with h5py or h5repack"
        )
    if version >= 2 and head[11] != 0:
        raise RunFileError(
            f"{name} was not closed by its writer (consistency flags {head[11]}): wait for "
            "the writer to end, or make the file again"
        )
    if (head[13] if version == 0 else head[9]) != _OFFSETS:
        raise RunFileError(
            f"{name} is damaged: its HDF5 superblock has addresses of a size that is not in use"
        )


def _examine_length(head: bytes, size: int, name: str) -> None:
    at = 40 if head[8] == 0 else 28
    end = int.from_bytes(head[at : at + 8], "little")
    if end > size:
        raise RunFileError(
            f"{name} is cut or damaged: it has {size} bytes and should have {end}: fetch or "
            "make it again"
        )
