"""Writing a file whole: whoever reads its name finds the old content or the new one, whatever
happens in between.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from dlprobe.hdf5.files import sync_folder


def write_whole(path: Path, content: str | bytes) -> None:
    """Make `content` (a text as UTF-8, lines as they are) the content of a file. Raises OSError
    as `replaced`.
    """
    with replaced(path) as temporary:
        descriptor = os.open(
            temporary,
            os.O_WRONLY
            | os.O_CREAT
            | os.O_EXCL
            | getattr(os, "O_CLOEXEC", 0)
            | getattr(os, "O_BINARY", 0),
            0o666,
        )
        with os.fdopen(descriptor, "wb") as file:
            file.write(
                content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
            )


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """The path of a new file to be made while the block runs, which then takes the place of `path`,
    its folder made first.

    An existing file keeps its permissions, a link stays a link. Raises OSError, which leaves what
    was there: where the disk is full, and where the name is that of a pipe, device or folder, or of
    a file that may not be written.
    """
    place = Path(os.path.realpath(path))
    mode = _mode_of(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f".dlprobe-{secrets.token_hex(8)}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(mode)
        os.replace(temporary, place)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(place.parent)


def _mode_of(place: Path) -> int | None:
    """The permissions of the file that is there; None where there is none."""
    try:
        facts = place.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    if not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return stat.S_IMODE(facts.st_mode)
