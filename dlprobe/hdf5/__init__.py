"""Guarded reading and atomic writing of HDF5 files; the only folder that imports h5py.

`files` looks at a file before HDF5 does, `guard` reads what nobody vouches for, `writer` writes new files. This module loads none of h5py by itself.
May import `errors` only.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray


def read_arrays(path: Path | str, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Arrays of numbers or fixed-length texts (bytes) from anybody's HDF5 file, with every guard on.

    `names` are paths inside the file such as `X` or `group/X`. Raises RunFileError where the file or one of the names cannot be read.
    """
    from dlprobe.hdf5.guard import ANY_SUPERBLOCK, GuardedFile

    with GuardedFile(Path(path), ANY_SUPERBLOCK) as file:
        return {name: file.read(name) for name in names}


def there(path: Path | str, names: Iterable[str]) -> list[str]:
    """Those of the names that an HDF5 file has. Raises RunFileError where the file cannot be read."""
    from dlprobe.hdf5.guard import ANY_SUPERBLOCK, GuardedFile

    with GuardedFile(Path(path), ANY_SUPERBLOCK) as file:
        return [name for name in names if file.has(name)]
