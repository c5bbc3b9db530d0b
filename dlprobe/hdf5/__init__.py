"""Guarded reading and atomic writing of HDF5 files; the only folder that imports h5py.

`files` looks at a file before HDF5 does, `guard` reads what nobody vouches for, `writer` writes new
files. This module loads none of h5py by itself.
May import `errors` only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from dlprobe.hdf5.guard import Stored


def read_arrays(path: Path | str, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Arrays of numbers or fixed-length texts (bytes) from anybody's HDF5 file, with every guard
    on.

    `names` are paths inside the file such as `X` or `group/X`. Raises RunFileError where the file
    or one of the names cannot be read.
    """
    from dlprobe.hdf5.guard import ANY_SUPERBLOCK, GuardedFile

    with GuardedFile(Path(path), ANY_SUPERBLOCK) as file:
        return {name: file.read(name) for name in names}


def there(path: Path | str, names: Iterable[str]) -> list[str]:
    """The names, of those given, that an HDF5 file has. Raises RunFileError where the file cannot
    be read.
    """
    from dlprobe.hdf5.guard import ANY_SUPERBLOCK, GuardedFile

    with GuardedFile(Path(path), ANY_SUPERBLOCK) as file:
        return [name for name in names if file.has(name)]


def declared(path: Path | str, names: Iterable[str]) -> dict[str, Stored]:
    """Dtype and shape of those of the data sets that an HDF5 file has, every check passed,
    nothing read. Raises RunFileError.
    """
    from dlprobe.hdf5.guard import ANY_SUPERBLOCK, GuardedFile

    with GuardedFile(Path(path), ANY_SUPERBLOCK) as file:
        return {name: file.stored(name) for name in names if file.has(name)}


def slabs(path: Path | str, name: str) -> Iterator[NDArray[Any]]:
    """A data set in pieces of about 4 MiB along its first axis, with every guard on. Raises
    RunFileError.
    """
    from dlprobe.hdf5.guard import ANY_SUPERBLOCK, GuardedFile

    with GuardedFile(Path(path), ANY_SUPERBLOCK) as file:
        yield from file.slabs(name)
