"""The command line as it was typed, so that what comes next can be typed with the same options."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextvars import ContextVar
from itertools import count

TYPED: ContextVar[Sequence[str]] = ContextVar("typed", default=())


def again(*more: str) -> str:
    """The command that was typed, with more options, each name with its value and in place of what
    was typed for that name.

    >>> token = TYPED.set(["compare", "lr", "1", "2", "--seeds", "4", "--by=val_error"])
    >>> again("--seeds", "6")
    'dlprobe compare lr 1 2 --by=val_error --seeds 6'
    >>> TYPED.reset(token)
    """
    typed, words = [], iter(TYPED.get())
    for word in words:
        if word in more[::2]:
            next(words, None)
        elif word.partition("=")[0] not in more[::2]:
            typed.append(word)
    return shlex.join(["dlprobe", *typed, *more])


def free_file(name: str) -> str:
    """The name of a file that is not there yet: `study.h5`, else `study-2.h5`, …"""
    stem, suffix = os.path.splitext(name)
    names = (name if number == 1 else f"{stem}-{number}{suffix}" for number in count(1))
    return next(
        word
        for word in names
        if not os.path.lexists(word) and not os.path.lexists(f"{word}.journal")
    )
