"""The calls by which a process changes files, counted, refused or written down: what dlprobe
writes, it writes by these functions of `os`.

`python -m tests.campaigns stopped_writes` looks with strace, where it is installed, whether the
kernel sees no others.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from dlprobe.errors import RunFileError

NAMES = ("open", "write", "ftruncate", "fsync", "replace", "unlink")


@dataclass(frozen=True)
class Call:
    """One call before it is made. path: of the file or folder. offset: of a write, or the new size
    of ftruncate. to: of a replace.
    """

    name: str
    path: str
    descriptor: int = -1
    offset: int = 0
    data: bytes = b""
    to: str = ""


@contextlib.contextmanager
def watched(folder: Path, before: Callable[[Call], None]) -> Iterator[None]:
    """Inside, `before` hears of each call that makes, changes, syncs, renames or removes a file in
    `folder`; what it raises is raised to the caller.

    Opening counts where it makes a file.
    """
    real = {name: getattr(os, name) for name in (*NAMES, "close", "dup")}
    paths: dict[int, str] = {}
    below = str(folder.resolve())

    def open_(path: Any, flags: int, *more: Any, **named: Any) -> int:
        text = os.path.realpath(os.fsdecode(path))
        watched_here = text.startswith(below)
        if watched_here and flags & os.O_CREAT and not os.path.lexists(text):
            before(Call("open", text))
        descriptor: int = real["open"](path, flags, *more, **named)
        if watched_here:
            paths[descriptor] = text
        return descriptor

    def close(descriptor: int) -> None:
        paths.pop(descriptor, None)
        real["close"](descriptor)

    def dup(descriptor: int) -> int:
        copy: int = real["dup"](descriptor)
        if descriptor in paths:
            paths[copy] = paths[descriptor]
        return copy

    def write(descriptor: int, data: Any) -> int:
        if descriptor in paths:
            offset = os.lseek(descriptor, 0, os.SEEK_CUR)
            before(Call("write", paths[descriptor], descriptor, offset, bytes(data)))
        written: int = real["write"](descriptor, data)
        return written

    def ftruncate(descriptor: int, size: int) -> None:
        if descriptor in paths:
            before(Call("ftruncate", paths[descriptor], descriptor, size))
        real["ftruncate"](descriptor, size)

    def fsync(descriptor: int) -> None:
        if descriptor in paths:
            before(Call("fsync", paths[descriptor], descriptor))
        real["fsync"](descriptor)

    def replace(source: Any, to: Any) -> None:
        if os.path.realpath(source).startswith(below):
            before(Call("replace", os.path.realpath(source), to=os.path.realpath(to)))
        real["replace"](source, to)

    def unlink(path: Any, **named: Any) -> None:
        text = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if text.startswith(below) and os.path.lexists(text):
            before(Call("unlink", text))
        real["unlink"](path, **named)

    patched = {"open": open_, "close": close, "dup": dup, "write": write, "ftruncate": ftruncate}
    patched |= {"fsync": fsync, "replace": replace, "unlink": unlink}
    with mock.patch.multiple(os, **patched):
        yield


def recorded(folder: Path, work: Callable[[], object]) -> list[Call]:
    """All calls of some work, in order."""
    calls: list[Call] = []
    with watched(folder, calls.append):
        work()
    return calls


def ended(
    folder: Path, work: Callable[[], object], number: int, how: str, error: int = errno.ENOSPC
) -> int:
    """Do the work in a process in which something befalls the call `number`, counted from 0; its
    exit code, −9 killed.

    how: `killed` before the call; `torn`, killed when half of the bytes of a write are written;
    `refused`, by the system, with this error, as are the calls for bytes after it. Exit code 0:
    done; 2: ended by one RunFileError of one line.
    """
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    left, code = number, 1

    def before(call: Call) -> None:
        nonlocal left
        left -= 1
        if left < 0 and how == "refused":
            if call.name in ("open", "write", "fsync"):
                raise OSError(error, os.strerror(error))
        elif left < 0:
            if how == "torn" and call.name == "write":
                os.pwrite(call.descriptor, call.data[: len(call.data) // 2], call.offset)
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        with watched(folder, before):
            work()
        code = 0
    except RunFileError as refusal:
        code = 2 if "\n" not in str(refusal) else 3
    finally:
        os._exit(code)
