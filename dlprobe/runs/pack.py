"""Packing: a journal becomes an HDF5 file of the same content, piece by piece, and only when the file is safe is the journal deleted."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType as PythonFrame
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import dlprobe
from dlprobe import interrupts
from dlprobe.errors import RunFileError
from dlprobe.hdf5.files import printable, remedy, sync_folder
from dlprobe.record import layout
from dlprobe.runs import journal
from dlprobe.runs.content import ContentDigest, parameters_sha256
from dlprobe.runs.contents import Contents, Shapes
from dlprobe.runs.frames import RUN_FRAMES, STUDY_FRAMES, scan
from dlprobe.runs.journal_contents import JournalContents, first_payload
from dlprobe.runs.levels import Reducer, min_max_mean, stored_factors
from dlprobe.runs.reader import Run
from dlprobe.runs.sources import FileSource
from dlprobe.runs.study import Study, write_study

if TYPE_CHECKING:
    from dlprobe.hdf5.writer import PackedWriter

Check = Callable[[], None]


def pack_journal(path: Path) -> Path:
    """Pack a dead journal, given as `NAME.h5` or `NAME.h5.journal`; the path of the packed file.

    Raises RunFileError where its writer lives, where it is damaged in the middle, or where the disk is full; the journal then stays.
    """
    packed = path.with_name(path.name.removesuffix(journal.SUFFIX))
    if packed.is_file() and not os.path.lexists(journal.journal_path(packed)):
        raise RunFileError(f"{printable(packed)} has no journal, it is packed already: leave --pack out")
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
    """Pack a journal whose lock is held into `path`, then delete it. Ctrl-C waits for the next piece, and leaves the journal as it is."""
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
            f"{printable(path)} cannot be written: {error.strerror or error}. The journal {name} stays and holds all that was recorded: "
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
        raise RunFileError(f"{printable(path)} is written, but its journal {name} cannot be removed: {error.strerror or error}: remove it") from error


def _refuse_taken(path: Path, sink: journal.FileSink) -> None:
    """Asked before and after the work: packing replaces nothing."""
    if os.path.lexists(path):
        raise RunFileError(f"{printable(path)} exists already, so {printable(sink.path)} stays: move one of them away")


def write_run(writer: PackedWriter, contents: Contents, prefix: str, check: Check) -> str:
    """One run below `prefix` (empty, or `runs/<id>`) of a file that is being written; its content hash. Raises RunFileError for a damaged journal."""
    if damage := contents.facts.damage:
        raise RunFileError(f"{damage}; it is not packed, so that nothing is lost: read what is left with `dlprobe inspect`")
    shapes = contents.shapes()
    factors = stored_factors(shapes["stats/step"][1][0])
    _declare(writer, {**shapes, **_level_shapes(shapes, factors)}, prefix)
    digest, levels = ContentDigest(), _LevelWriter(writer, factors, prefix)
    for path, piece in contents.slabs():
        check()
        writer.append(f"{prefix}/{path}", piece)
        digest.update(path, piece)
        levels.take(path, piece)
    levels.finish()
    hexdigest = digest.hexdigest(shapes, contents.facts.config)
    _write_facts(writer, contents, prefix, hexdigest)
    return hexdigest


def write_head(writer: PackedWriter, prefix: str, schema: str, status: str) -> None:
    """The attributes that every run and study has."""
    writer.text(prefix or "/", "schema", schema)
    writer.numbers(prefix or "/", "schema_version", layout.SCHEMA_VERSION)
    writer.text(prefix or "/", "producer", f"dlprobe {dlprobe.__version__ or '(not installed)'}")
    writer.text(prefix or "/", "status", status)


def _write(source: FileSource, temporary: Path, check: Check) -> None:
    from dlprobe.hdf5.writer import PackedWriter

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
    """A journal beside a complete file that holds the same is left of a crash between rename and delete, or of a resume before its first run."""
    from dlprobe.runs.opening import open_run

    with open_run(packed) as complete:
        if not _holds_nothing(sink):
            with open_run(sink.path) as left:
                if not _holds(complete, left):
                    raise RunFileError(f"{printable(packed)} exists already and is another run than {printable(sink.path)}: move one of them away")
    journal.remove_packing(packed)
    _remove(sink, packed)


def _holds_nothing(sink: journal.FileSink) -> bool:
    """Whether a journal was left before its writer had recorded anything."""
    source = FileSource(os.dup(sink.descriptor), sink.path)
    try:
        found = scan(source, STUDY_FRAMES | RUN_FRAMES)
        return not (found.tail.recorded or found.damage)
    finally:
        source.close()


def _holds(complete: Run | Study, left: Run | Study) -> bool:
    """Whether all that a journal holds is in a packed file too: a killed resume leaves a part of it."""
    if isinstance(complete, Study) and isinstance(left, Study):
        known = complete.runs
        return not left.damage and all(id in known and known.open(id).content_sha256 == left.runs.open(id).content_sha256 for id in left.runs)
    return isinstance(complete, Run) and isinstance(left, Run) and complete.content_sha256 == left.content_sha256


def _declare(writer: PackedWriter, shapes: Shapes, prefix: str) -> None:
    for path, line in layout.data_sets().items():
        if path in shapes:
            dtype, shape = shapes[path]
            writer.data_set(f"{prefix}/{path}", dtype, shape, {"units": line.units, "long_name": line.meaning})
    scales = {"stats/step": "step", "stats/layer": "layer", "evaluations/step": "evaluation"}
    for path in filter(shapes.__contains__, scales):
        writer.scale(f"{prefix}/{path}", path.rpartition("/")[2])
    for path in shapes:
        line = layout.data_sets()[path]
        for axis, dim in enumerate(line.dims if path not in scales and line.group in ("stats", "scalars", "evaluations") else ()):
            scale = next((scale for scale, counted in scales.items() if counted == dim), None)
            if scale is not None:
                writer.attach(f"{prefix}/{path}", axis, f"{prefix}/{scale}")


def _level_shapes(shapes: Shapes, factors: tuple[int, ...]) -> Shapes:
    rows = shapes["stats/step"][1][0]
    found: Shapes = {}
    for factor in factors:
        bins, where = -(-rows // factor), f"levels/x{factor}"
        found[f"{where}/bin_start"] = (np.dtype("<i8"), (bins,))
        for path, (dtype, shape) in _statistics(shapes).items():
            found[f"{where}/{path.rpartition('/')[2]}"] = (dtype, (bins, shape[1], 3))
            found[f"{where}/nan_count/{path.rpartition('/')[2]}"] = (np.dtype("<u4"), (bins, shape[1]))
    return found


def _statistics(shapes: Shapes) -> Shapes:
    return {path: shape for path, shape in shapes.items() if layout.data_sets()[path].dims == ("step", "layer")}


class _LevelWriter:
    """Makes the levels while the statistics pass by."""

    def __init__(self, writer: PackedWriter, factors: tuple[int, ...], prefix: str) -> None:
        self._writer, self._factors, self._prefix = writer, factors, prefix
        self._reducers: dict[str, tuple[Reducer, np.dtype[Any]]] = {}
        self._rows = 0

    def take(self, path: str, piece: NDArray[Any]) -> None:
        """The next piece of any data set; what is no statistic is passed over."""
        if not self._factors:
            return
        if path == "stats/step":
            for factor in self._factors:
                self._writer.append(f"{self._prefix}/levels/x{factor}/bin_start", piece[-self._rows % factor :: factor])
            self._rows += len(piece)
        elif layout.data_sets()[path].dims == ("step", "layer"):
            reducer, _ = self._reducers.setdefault(path, (Reducer(len(self._factors)), piece.dtype))
            self._append(path, reducer.add(piece), piece.dtype)

    def finish(self) -> None:
        """The last bins."""
        for path, (reducer, dtype) in self._reducers.items():
            self._append(path, reducer.finish(), dtype)

    def _append(self, path: str, levels: list[NDArray[Any]], dtype: np.dtype[Any]) -> None:
        name = path.rpartition("/")[2]
        for factor, bins in zip(self._factors, levels, strict=True):
            if len(bins):
                where = f"{self._prefix}/levels/x{factor}"
                self._writer.append(f"{where}/{name}", min_max_mean(bins).astype(dtype))
                self._writer.append(f"{where}/nan_count/{name}", bins[:, 4].astype("<u4"))


def _write_facts(writer: PackedWriter, contents: Contents, prefix: str, hexdigest: str) -> None:
    facts, shapes = contents.facts, contents.shapes()
    final = None
    if "checkpoints/parameters" in shapes:
        final = contents.read("checkpoints/parameters")[-1]
    write_head(writer, prefix, layout.SCHEMA, "interrupted" if facts.status == "running" else facts.status)
    writer.text(prefix or "/", "content_sha256", hexdigest)
    writer.text(prefix or "/", "parameters_sha256", parameters_sha256(final))
    writer.text(prefix or "/", "origin", facts.origin)
    writer.text(prefix or "/", "config", json.dumps(facts.config))
    writer.group(f"{prefix}/environment")
    writer.text(f"{prefix}/environment", "json", json.dumps(facts.environment))


@contextlib.contextmanager
def _held_back_signals() -> Iterator[Check]:
    """Ctrl-C and SIGTERM wait while HDF5 writes; the check that is handed out, called between pieces, lets the first of them act."""
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
