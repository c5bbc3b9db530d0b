"""Where the bytes of a journal come from: a file, memory, or a window of another source (a run
inside a study's journal).
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Protocol

from dlprobe.errors import RunFileError
from dlprobe.hdf5.files import printable, read_at


class Source(Protocol):
    """Bytes with a name for messages. `size` is fixed when the source is made, so a growing
    file is read as it was then.
    """

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes at `offset`, fewer at the end."""
        ...


class MemorySource:
    """Bytes in memory."""

    def __init__(self, data: bytes, name: str = "memory") -> None:
        self.name, self.size, self._data = name, len(data), memoryview(data)

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self._data[offset : offset + length])


class FileSource:
    """A file that is already open for reading; owns the descriptor and closes it with itself."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self.name, self.path, self._descriptor = printable(path), path, descriptor
        self.size = os.fstat(descriptor).st_size

    def read(self, offset: int, length: int) -> bytes:
        length = min(length, self.size - offset)
        try:
            return read_at(self._descriptor, offset, max(length, 0))
        except OSError as error:
            raise RunFileError(f"{self.name} cannot be read: {error.strerror or error}") from error

    def is_file(self, descriptor: int) -> bool:
        """Whether a descriptor is open on the same file as this source."""
        return os.path.samestat(os.fstat(self._descriptor), os.fstat(descriptor))

    def close(self) -> None:
        """Give the descriptor back; reading afterwards fails."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self.close()


class Window:
    """`size` bytes of another source from `offset` on."""

    def __init__(self, base: Source, offset: int, size: int, name: str) -> None:
        self.name, self.size, self._base, self._offset = name, size, base, offset

    def read(self, offset: int, length: int) -> bytes:
        return self._base.read(self._offset + offset, max(min(length, self.size - offset), 0))
