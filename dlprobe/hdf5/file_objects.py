"""The file that HDF5 writes through, instead of opening a path itself.

HDF5 crashes the interpreter after a failed write (a full disk), so it is never told: the failure is
kept here, the bytes stay in memory, and whoever writes asks `failure` after each block and stops.
"""

from __future__ import annotations

import os
from pathlib import Path

from dlprobe.hdf5.files import read_at


class _Positioned:
    """The seek and tell that h5py's file driver wants."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._position = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position}.get(whence)
        self._position = offset + (self._size() if base is None else base)
        return self._position

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        """Give the descriptor back, once."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _size(self) -> int:
        return os.fstat(self.descriptor).st_size


class WriteFile(_Positioned):
    """A new file; `failure` is the first error that the system gave, and the bytes it refused
    are kept in `_refused`.
    """

    def __init__(self, path: Path) -> None:
        flags = (
            os.O_RDWR
            | os.O_CREAT
            | os.O_EXCL
            | getattr(os, "O_BINARY", 0)
            | getattr(os, "O_CLOEXEC", 0)
        )
        super().__init__(os.open(path, flags, 0o666))
        self.failure: OSError | None = None
        self._refused: list[tuple[int, bytes]] = []
        self._length = 0

    def write(self, data: memoryview) -> int:
        offset, size = self._position, len(data)
        try:
            if self.failure is None:
                _write_at(self.descriptor, offset, data)
        except OSError as error:
            self.failure = error
        if self.failure is not None:
            self._refused.append((offset, bytes(data)))
        self._position = offset + size
        self._length = max(self._length, self._position)
        return size

    def readinto(self, buffer: memoryview) -> int:
        """What was written, refused bytes included."""
        start, size = self._position, len(buffer)
        data = read_at(self.descriptor, start, size)
        content = bytearray(data + bytes(size - len(data)))
        for offset, refused in self._refused:
            low, high = max(offset, start), min(offset + len(refused), start + size)
            if low < high:
                content[low - start : high - start] = refused[low - offset : high - offset]
        buffer[:] = content
        self._position = start + size
        return size

    def truncate(self, size: int | None = None) -> int:
        size = self._position if size is None else size
        try:
            if self.failure is None:
                os.ftruncate(self.descriptor, size)
        except OSError as error:
            self.failure = error
        self._length = size
        return size

    def flush(self) -> None:
        """Writes are not held back here."""

    def sync(self) -> None:
        """Hand everything to the disk. Raises the OSError of the first write that failed."""
        if self.failure is None:
            try:
                os.fsync(self.descriptor)
            except OSError as error:
                self.failure = error
        if self.failure is not None:
            raise self.failure

    def _size(self) -> int:
        return self._length


def _write_at(descriptor: int, offset: int, data: memoryview) -> None:
    view = memoryview(data).cast("B")
    os.lseek(descriptor, offset, os.SEEK_SET)
    while view:
        view = view[os.write(descriptor, view) :]
