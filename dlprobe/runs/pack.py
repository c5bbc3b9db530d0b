"""Packing: a journal becomes an HDF5 file of the same content, piece by piece, and only when
the file is safe is the journal deleted.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType as PythonFrame
from typing import TYPE_CHECKING

from dlprobe import interrupts
from dlprobe.errors import RunFileError
from dlprobe.hdf5.files import printable, remedy, sync_folder
from dlprobe.record import layout
from dlprobe.runs import journal
from dlprobe.runs.frames import RUN_FRAMES, STUDY_FRAMES, scan
from dlprobe.runs.journal_contents import JournalContents, first_payload
from dlprobe.runs.opening import open_run, refuse_member
from dlprobe.runs.reader import Run
from dlprobe.runs.sources import FileSource
from dlprobe.runs.study import Study

if TYPE_CHECKING:
    from dlprobe.runs.pack_run import Check


def pack_journal(path: Path) -> Path:
    """Pack a dead journal, given as `NAME.h5` or `NAME.h5.journal`; the path of the packed file.

    Raises RunFileError where its writer lives, where it is damaged in the middle, or where the disk
    is full; the journal then stays.
    """
    refuse_member(path, "give {study}")
    packed = path.with_name(path.name.removesuffix(journal.SUFFIX))
    if packed.is_file() and not os.path.lexists(journal.journal_path(packed)):
        raise RunFileError(
            f"{printable(packed)} has no journal, it is packed already: leave --pack out"
        )
    sink = journal.take(journal.journal_path(packed))
    try:
        if packed.exists():
            _drop_leftover(sink, packed)
        else:
            pack_locked(sink, packed)
    finally:
        sink.close()
    return packed


def pack_locked(sink: journal.FileSink, path: Path) -> None:
    """Pack a journal whose lock is held into `path`, then delete it. Ctrl-C waits for the next
    piece, and leaves the journal as it is.
    """
    source = FileSource(os.dup(sink.descriptor), sink.path)
    try:
        _refuse_taken(path, sink)
        journal.remove_packing(path)
        with _held_back_signals() as check:
            _write_whole(source, path, sink, check)
            _remove(sink, path)
    except OSError as error:
        name = printable(sink.path)
        raise RunFileError(
            f"{printable(path)} cannot be written: {error.strerror or error}. The journal "
            f"{name} stays and holds all that was recorded: "
            f"{remedy(error)}, then `dlprobe inspect --pack {printable(path)}`"
        ) from error
    finally:
        source.close()


def _write_whole(source: FileSource, path: Path, sink: journal.FileSink, check: Check) -> None:
    """The packed file, safe on the disk under its own name; or nothing."""
    temporary = journal.packing_path(path)
    try:
        _write(source, temporary, check)
        _refuse_taken(path, sink)
        os.replace(temporary, path)
    except FileExistsError as error:
        raise journal.in_the_way(temporary) from error
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _remove(sink: journal.FileSink, path: Path) -> None:
    if os.name == "nt":
        sink.close()  # Windows deletes no open file
    try:
        sink.path.unlink()
    except OSError as error:
        name = printable(sink.path)
        raise RunFileError(
            f"{printable(path)} is written, but its journal {name} cannot be removed: "
            f"{error.strerror or error}: remove it"
        ) from error


def _refuse_taken(path: Path, sink: journal.FileSink) -> None:
    """Asked before and after the work: packing replaces nothing."""
    if os.path.lexists(path):
        raise RunFileError(
            f"{printable(path)} exists already, so {printable(sink.path)} stays: move one of "
            "them away"
        )


def _write(source: FileSource, temporary: Path, check: Check) -> None:
    from dlprobe.hdf5.writer import PackedWriter
    from dlprobe.runs.pack_run import write_run
    from dlprobe.runs.pack_study import write_study

    is_study = first_payload(source).meta.get("schema") == layout.STUDY_SCHEMA
    contents = None if is_study else JournalContents(source)
    writer = PackedWriter(temporary)
    try:
        if contents is None:
            write_study(writer, source, check)
        else:
            write_run(writer, contents, "", check)
        writer.finish()
    except BaseException:
        writer.abandon()
        raise


def _drop_leftover(sink: journal.FileSink, packed: Path) -> None:
    """A journal beside a complete file that holds the same is left of a crash between rename
    and delete, or of a resume before its first step or run.
    """
    with open_run(packed) as complete:
        if not _holds_nothing(sink):
            with open_run(sink.path) as left:
                if not _holds(complete, left):
                    raise RunFileError(
                        f"{printable(packed)} exists already and is another run than "
                        f"{printable(sink.path)}: move one of them away"
                    )
    journal.remove_packing(packed)
    _remove(sink, packed)


def _holds_nothing(sink: journal.FileSink) -> bool:
    """Whether a journal was left before its writer had recorded anything, or without the first
    frame, which is on the disk before the file that it replaces goes.
    """
    source = FileSource(os.dup(sink.descriptor), sink.path)
    try:
        found = scan(source, STUDY_FRAMES | RUN_FRAMES)
        return not found.frames or not (found.tail.recorded or found.damage)
    finally:
        source.close()


def _holds(complete: Run | Study, left: Run | Study) -> bool:
    """Whether all that a journal holds is in a packed file too: a killed resume leaves a part
    of it.
    """
    if isinstance(complete, Study) and isinstance(left, Study):
        known = complete.runs
        return not left.damage and all(
            id in known and known.open(id).content_sha256 == left.runs.open(id).content_sha256
            for id in left.runs
        )
    if not (isinstance(complete, Run) and isinstance(left, Run)):
        return False
    copied = left.contents.copied_from if isinstance(left.contents, JournalContents) else None
    return complete.content_sha256 in (copied, left.content_sha256)


@contextlib.contextmanager
def _held_back_signals() -> Iterator[Check]:
    """Ctrl-C and SIGTERM wait while HDF5 writes; the check that is handed out, called between
    pieces, lets the first of them act.
    """
    caught: list[int] = []

    def remember(number: int, _: PythonFrame | None) -> None:
        interrupts.notice()
        caught.append(number)

    def check() -> None:
        if caught:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    before = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with interrupts.protected():
            yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
    check()
