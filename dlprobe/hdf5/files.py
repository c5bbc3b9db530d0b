"""Opening files that nobody vouches for, before any library looks at them: regular files only,
no waiting, one clear line.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from dlprobe.errors import RunFileError
from dlprobe.registry import nearby

MAX_TEXT = 2**20  # bytes of one text in a file

# Windows has neither; there O_BINARY keeps line ends as they are.
_READ = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


def open_regular(path: Path) -> int:
    """A descriptor for reading a regular file. A pipe, device or folder is never waited for.
    Raises RunFileError.
    """
    name = printable(path)
    try:
        # before opening: opening a device can already do something
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise RunFileError(f"{name} is not a regular file: give a run file that dlprobe wrote")
        descriptor = os.open(path, _READ)
    except FileNotFoundError as error:
        raise RunFileError(
            f"{name} does not exist: {nearby(path)}check the path, or train a run with "
            "`dlprobe train -o NAME.h5`"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise RunFileError(
            f"{name} cannot be opened: {getattr(error, 'strerror', None) or error}"
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RunFileError(f"{name} is not a regular file: give a run file that dlprobe wrote")
    return descriptor


def reopened(descriptor: int, path: Path) -> str:
    """A path by which a library that takes only paths gets the very file behind a descriptor;
    `path` itself where the system has none (Windows).
    """
    for folder in ("/proc/self/fd", "/dev/fd"):
        if os.path.exists(f"{folder}/{descriptor}"):
            return f"{folder}/{descriptor}"
    return str(path)


def sync_folder(folder: Path) -> None:
    """Make new names in `folder` survive a power cut, where the system lets us: Windows opens no
    folders, some network file systems sync none, and one may be closed to reading.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def remedy(error: OSError) -> str:
    """What to do about an error while writing: more room helps against three of them only."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "make room"
    return "put that right"


def read_at(descriptor: int, offset: int, length: int) -> bytes:
    """`length` bytes at `offset`, fewer only at the end of the file; one read may return less
    than asked.
    """
    parts = []
    while length > 0:
        part = _read_once(descriptor, offset, length)
        if not part:
            break
        parts.append(part)
        offset, length = offset + len(part), length - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _read_once(descriptor: int, offset: int, length: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, length, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)  # Windows has no pread
    return os.read(descriptor, length)


def printable(path: Path | str) -> str:
    """A path as one line of text: control characters and undecodable bytes are escaped."""
    text = str(path).encode("utf-8", "backslashreplace").decode("utf-8")
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )
