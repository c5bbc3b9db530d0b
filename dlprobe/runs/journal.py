"""The file that grows while a run trains: made once, locked by its writer, only ever appended to.

The lock is advisory (`flock`), so the kernel frees it when the writer is killed; the first frame
says who holds it. Where there is no `fcntl` (Windows) nothing is locked, and a journal that
somebody still writes looks interrupted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from dlprobe.errors import RunFileError
from dlprobe.hdf5.files import open_regular, printable, read_at, remedy, sync_folder
from dlprobe.runs import frames
from dlprobe.runs.frames import Record, Tail
from dlprobe.runs.sources import FileSource

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".journal"
PACKING_SUFFIX = ".tmp"  # of the file that packing writes
# of a file that packing began: HDF5 may write its first bytes last
_BEGINNINGS = (b"\x89HDF\r\n\x1a\n", bytes(8))
_JOINED = 2**20  # bytes
_TRIES = 20  # a reader that asks whether the lock is held holds it itself for a moment
_PAUSE = 0.01  # seconds


class Sink(Protocol):
    """Where a writer puts its frames."""

    def append(self, tail: Tail, record: Record) -> Tail:
        """Make the record the journal's last frame, behind `tail`; the tail after it."""
        ...

    def sync(self) -> None:
        """Hand everything to the disk."""
        ...

    def close(self) -> None:
        """Free the lock."""
        ...


class MemorySink:
    """A journal in memory, for the runs of a study."""

    def __init__(self) -> None:
        self._data = bytearray()

    def append(self, tail: Tail, record: Record) -> Tail:
        frame = frames.pieces(record, tail.link)
        del self._data[tail.offset :]
        for piece in frame:
            self._data += piece
        return tail.behind(frame)

    def sync(self) -> None:
        """Memory needs none."""

    def close(self) -> None:
        """Nothing to free."""

    def bytes(self) -> bytes:
        """The journal so far."""
        return bytes(self._data)


class FileSink:
    """A journal file that this process has just made, or has taken over, and has locked."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self.path, self.descriptor = path, descriptor
        self.copied_from: Path | None = None
        """The packed file that this journal is made from and that is still whole."""
        self._recorded = self._has_name = False  # _has_name: on the disk too

    def append(self, tail: Tail, record: Record) -> Tail:
        """Append. A frame that an error or Ctrl-C tore before is cut off first, for nothing
        behind a torn frame is ever read.
        """
        frame = frames.pieces(record, tail.link)
        self._recorded = tail.recorded
        try:
            if os.fstat(self.descriptor).st_size != tail.offset:
                os.ftruncate(self.descriptor, tail.offset)
            os.lseek(self.descriptor, tail.offset, os.SEEK_SET)
            _write_all(self.descriptor, frame)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self.descriptor, tail.offset)
            raise self._failed(error) from error
        behind = tail.behind(frame)
        self._recorded = behind.recorded
        return behind

    def sync(self) -> None:
        try:
            os.fsync(self.descriptor)
            if not self._has_name:
                sync_folder(self.path.parent)
                self._has_name = True
        except OSError as error:
            raise self._failed(error) from error

    def replace(self, packed: Path) -> None:
        """Remove the file that this journal takes the place of, once the journal is safe: else a
        crash would show the old run, or none.
        """
        try:
            if os.path.lexists(packed):
                self.sync()
                packed.unlink(missing_ok=True)
        except OSError as error:
            raise RunFileError(
                f"{printable(packed)} cannot be overwritten: {error.strerror or error}"
            ) from error

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _failed(self, error: OSError) -> RunFileError:
        name = printable(self.path)
        if self.copied_from is not None:
            kept = (
                f"{printable(self.copied_from)} stays as it was: {remedy(error)} and go on with "
                "it again"
            )
        elif self._recorded:
            look = (
                f"`dlprobe inspect {name.removesuffix(SUFFIX)}` shows it, --pack makes a run file "
                "of a journal"
            )
            kept = f"Everything recorded before is kept: {remedy(error)}; {look}"
        else:
            kept = f"Nothing had been recorded: {remedy(error)} and begin again"
        return RunFileError(f"{name} cannot be written: {error.strerror or error}. {kept}")


def journal_path(path: Path) -> Path:
    """`NAME.h5.journal` of `NAME.h5`."""
    return path.with_name(path.name + SUFFIX)


def packing_path(path: Path) -> Path:
    """`NAME.h5.tmp` of `NAME.h5`: what packing writes until it is whole."""
    return path.with_name(path.name + PACKING_SUFFIX)


def create(path: Path, force: bool) -> FileSink:
    """A new, locked journal for the packed file `path`. Raises RunFileError where a run is there
    already or is being written.

    With `force` a dead journal is replaced; a live one never is, nor is anything else than a
    journal, and `path` itself stays until the sink's `replace`.
    """
    _refuse_no_file(path)
    journal, temporary = journal_path(path), packing_path(path)
    was_there = os.path.lexists(journal)
    if was_there:
        _refuse_foreign(journal)
    _refuse_live(journal)
    if not force and os.path.lexists(path):
        raise RunFileError(
            f"{printable(path)} exists already: choose another name with -o, or overwrite it "
            "with --force"
        )
    # a killed packing always leaves the journal too
    if os.path.lexists(temporary) and not was_there:
        raise in_the_way(temporary)
    if was_there:
        _clear(path, force)
    return _make(path, journal)


def remove_packing(path: Path) -> None:
    """Delete what a killed packing of `path` left. Raises RunFileError where something else has
    that name.
    """
    temporary = packing_path(path)
    if not os.path.lexists(temporary):
        return
    if not _is_plain(temporary) or not _begins(temporary, _BEGINNINGS):
        raise in_the_way(temporary)
    temporary.unlink()


def in_the_way(temporary: Path) -> RunFileError:
    """What packing would write through or over, and did not make."""
    name = printable(temporary)
    return RunFileError(
        f"{name} stands where {name.removesuffix(PACKING_SUFFIX)} is packed, and no packing "
        "left it: move it away, or choose another name"
    )


def take(journal: Path) -> FileSink:
    """Lock an existing journal for packing. Raises RunFileError where its writer lives."""
    _refuse_live(journal)
    os.close(open_regular(journal))  # the clear messages
    descriptor = os.open(journal, os.O_RDWR | getattr(os, "O_BINARY", 0))
    if not _lock(descriptor):
        os.close(descriptor)
        raise _being_written(journal)
    return FileSink(descriptor, journal)


def writer_facts() -> dict[str, Any]:
    """Who writes: process, host, start time."""
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def is_locked(descriptor: int) -> bool:
    """Whether another open file holds the lock; the lock is taken for a moment to find out."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # a file system without locks
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def _refuse_no_file(path: Path) -> None:
    """Folders, devices and pipes are not replaced by a run, even by force: the superuser's `-o
    /dev/null --force` would remove the device.
    """
    if path.is_dir():
        raise RunFileError(
            f"{printable(path)} is a folder: give a file in it, e.g. {printable(path / 'run.h5')}"
        )
    with contextlib.suppress(OSError, ValueError):
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
            raise RunFileError(
                f"{printable(path)} is not a regular file, so no run can take its place: "
                "choose another name"
            )


def _refuse_foreign(journal: Path) -> None:
    """Whatever else has the name of a journal is never removed, whether forced or not."""
    # zeros: of a power cut
    if not _is_plain(journal) or not _begins(journal, (frames.MAGIC, bytes(4))):
        name = printable(journal)
        raise RunFileError(
            f"{name} is no journal of dlprobe, and {name.removesuffix(SUFFIX)} would need its "
            "name: move it away, or choose another name"
        )


def _is_plain(path: Path) -> bool:
    """A regular file itself, not a link to one."""
    return stat.S_ISREG(path.lstat().st_mode)


def _begins(path: Path, beginnings: tuple[bytes, ...]) -> bool:
    """Whether a file begins so, as far as it goes: an empty one does."""
    descriptor = open_regular(path)
    try:
        return any(
            beginning.startswith(read_at(descriptor, 0, len(beginning))) for beginning in beginnings
        )
    finally:
        os.close(descriptor)


def _make(path: Path, journal: Path) -> FileSink:
    try:
        _make_folder(path.parent)
        descriptor = os.open(
            journal,
            os.O_RDWR
            | os.O_CREAT
            | os.O_EXCL
            | getattr(os, "O_CLOEXEC", 0)
            | getattr(os, "O_BINARY", 0),
            0o666,
        )
    except FileExistsError as error:
        raise _being_written(journal) from error
    except (OSError, ValueError) as error:
        raise RunFileError(
            f"{printable(path)} cannot be made: {getattr(error, 'strerror', None) or error}; "
            "choose another place with -o"
        ) from error
    if not _lock(descriptor) or not _same_file(descriptor, journal):
        os.close(descriptor)
        raise _being_written(journal)
    return FileSink(descriptor, journal)


def _make_folder(folder: Path) -> None:
    """FileExistsError means here that a file stands in the way, not that another writer was
    faster.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from error


def _refuse_live(journal: Path) -> None:
    if not os.path.lexists(journal):
        return
    descriptor = open_regular(journal)
    try:
        tries = _TRIES
        while is_locked(descriptor):
            tries -= 1
            if not tries:
                raise _being_written(journal)
            time.sleep(_PAUSE)
    finally:
        os.close(descriptor)


def _clear(path: Path, force: bool) -> None:
    """Drop a dead journal, and what a packing of it left."""
    journal = journal_path(path)
    if not force:
        raise RunFileError(
            f"{printable(journal)} is left of an interrupted run: look at it with `dlprobe "
            "inspect`, choose another name with -o, or drop it with --force"
        )
    sink = take(journal)
    try:
        remove_packing(path)
        journal.unlink()
    except OSError as error:
        raise RunFileError(
            f"{printable(journal)} cannot be removed: {error.strerror or error}"
        ) from error
    finally:
        sink.close()


def _being_written(journal: Path) -> RunFileError:
    name = printable(journal).removesuffix(SUFFIX)
    facts = _facts(journal)
    return RunFileError(
        f"{name} is being written by process {facts.get('pid', '?')} on "
        f"{facts.get('host', '?')} since {facts.get('started', '?')}: "
        "wait for it to end, or choose another name"
    )


def _facts(journal: Path) -> dict[str, Any]:
    with contextlib.suppress(RunFileError):
        source = FileSource(open_regular(journal), journal)
        described = [
            frame for frame in frames.scan(source).frames if frame.type in frames.DESCRIPTIONS
        ]
        facts = frames.Payload(source, described[-1]).meta.get("writer") if described else None
        if isinstance(facts, dict):
            return {key: printable(str(value))[:100] for key, value in facts.items()}
    return {}


def _lock(descriptor: int) -> bool:
    """Take the lock; a file system without locks counts as taken."""
    if fcntl is None:
        return True
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
        except OSError:
            return True
        else:
            return True
    return False


def _same_file(descriptor: int, path: Path) -> bool:
    """Whether `path` still is the file we opened: a forced writer may have replaced it before
    the lock was ours.
    """
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    return False


def _write_all(descriptor: int, frame: list[frames.Piece]) -> None:
    """One write of a small frame, which costs less than many; a large one is not copied."""
    whole = sum(map(len, frame)) <= _JOINED
    for data in [b"".join(frame)] if whole else frame:
        written = os.write(descriptor, data)
        while written < len(data):  # the system may take less at a time (signals, 2 GiB)
            written += os.write(descriptor, memoryview(data)[written:])
