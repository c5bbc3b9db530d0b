"""A second process that compiles beside the first command ever.

Both go through what every net needs, this one from the end, and share the cache: what one has
compiled, the other reads. It ends where it meets the other, and at once when that one ends: its
input is then closed.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def begin(processors: int) -> subprocess.Popen[bytes] | None:
    """The process, started where there is a second processor for it and a cache to share; None
    where there is not. Whatever hinders it costs time alone.
    """
    from dlprobe.nn.folders import HASH_AT_IMPORT, cache_folder, wanted_folder

    if processors < 2 or not sys.executable or cache_folder() != wanted_folder():
        return None
    code, home = (
        f"import sys; sys.path.append(sys.argv[1]); import {__name__} as ahead; "
        f"ahead.{work.__name__}()",
        str(Path(__file__).parents[2]),
    )
    try:
        started = subprocess.Popen(
            # -P: not from the working folder, where anything may lie
            [sys.executable, "-P", "-c", code, home, HASH_AT_IMPORT],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None
    threading.Thread(target=_wait_for, args=(started,), daemon=True).start()
    return started


def _wait_for(process: subprocess.Popen[bytes]) -> None:
    """That neither a zombie nor an open pipe is left of it."""
    process.wait()
    if process.stdin:
        process.stdin.close()


def work() -> None:
    """What the process does, unless its sources are others than those of the one it helps."""
    threading.Thread(target=_end_with_other, daemon=True).start()
    gc.disable()  # a tenth of compiling, in a process that keeps nothing
    from dlprobe.nn import linking
    from dlprobe.nn.folders import HASH_AT_IMPORT

    if sys.argv[2] == HASH_AT_IMPORT:
        compile_from_end(linking.of_every_net("float32"))


def _end_with_other() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(0)


def compile_from_end(tasks: Sequence[Callable[[], Any]]) -> None:
    """Do the tasks, which compile, from the last one to the first whose kernel somebody else has
    compiled meanwhile.
    """
    from dlprobe.nn.cache import NotCached, from_cache_only

    for task in reversed(tasks):
        try:
            with from_cache_only():
                task()
        except NotCached:
            task()
        else:
            return
