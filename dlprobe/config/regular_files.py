"""Reading small files that the user names: a pipe or device, which might be waited for for
ever, is refused.
"""

from __future__ import annotations

import errno
import stat
from pathlib import Path


def read_start(path: Path, most: int) -> bytes:
    """The first bytes of a file, `most` of them or all. Raises OSError, also for what is no
    regular file.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # of a folder `open` says so itself
        raise OSError(errno.EINVAL, "it is not a regular file")
    with path.open("rb") as file:
        return file.read(most)
