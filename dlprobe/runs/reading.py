"""Working on a file that somebody gave: what does not fit together in it is the file's fault
before it is ours.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from dlprobe.errors import RunFileError


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """While the block runs, contents that contradict each other (a layer without its row, a
    negative RMS) become one RunFileError.
    """
    try:
        yield
    except (LookupError, ValueError, TypeError, ArithmeticError) as error:
        message = f"{type(error).__name__}: {error}"
        raise RunFileError(
            f"{path}: its contents do not fit together ({message}): it is damaged or was not "
            "written by dlprobe; --debug shows where"
        ) from error
