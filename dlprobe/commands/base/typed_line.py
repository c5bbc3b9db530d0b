"""The command line as it was typed, so that what comes next can be typed with the same options."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextvars import ContextVar
from itertools import count

TYPED: ContextVar[Sequence[str]] = ContextVar("typed", default=())


def again(*more: str) -> str:
    """The command that was typed, with more options."""
    return shlex.join(["dlprobe", *TYPED.get(), *more])


def free_file(name: str) -> str:
    """The name of a file that is not there yet: `study.h5`, else `study-2.h5`, …"""
    stem, suffix = os.path.splitext(name)
    names = (name if number == 1 else f"{stem}-{number}{suffix}" for number in count(1))
    return next(
        word
        for word in names
        if not os.path.lexists(word) and not os.path.lexists(f"{word}.journal")
    )
