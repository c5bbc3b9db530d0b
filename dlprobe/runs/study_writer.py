"""Writing a study: a journal of finished runs, packed into one HDF5 file with each run below
`/runs/<id>`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlprobe import registry
from dlprobe.record import layout
from dlprobe.record.values import texts
from dlprobe.runs import journal
from dlprobe.runs.frames import FrameType, Record, Tail
from dlprobe.runs.pack import pack_locked
from dlprobe.runs.study import RUN_ID, check_columns
from dlprobe.runs.study_resume import reopened, run_record

_SYNC = 1.0  # seconds


class StudyWriter:
    """The writer of one study. `run` may be called from several threads; runs may finish in any
    order, the packed file does not show it.
    """

    def __init__(
        self,
        sink: journal.FileSink,
        path: Path,
        tail: Tail | None = None,
        ids: Collection[str] = (),
    ) -> None:
        """`sink` is locked; `tail`: where its next frame goes; `ids`: of the runs in it."""
        self.path, self._sink, self._tail = path, sink, tail or Tail.of_nothing()
        self._ids = set(ids)
        self._lock = threading.Lock()
        self._last_sync = time.monotonic()

    @classmethod
    def create(cls, path: Path, description: Mapping[str, Any], force: bool = False) -> StudyWriter:
        """Begin a study that ends as the file `path`.

        description: JSON-able; `axes` in it maps each axis of the study to its values, in their
            order. Raises RunFileError where `path` or its journal exists (without `force`) or a
            living process writes it (always).
        """
        sink = journal.create(path, force)
        try:
            writer = cls(sink, path)
            writer._describe(FrameType.CONFIG, description)
            sink.replace(path)
        except BaseException:
            sink.path.unlink(missing_ok=True)
            sink.close()
            raise
        return writer

    @classmethod
    def resume(cls, path: Path, description: Mapping[str, Any]) -> StudyWriter:
        """Go on with a study, interrupted, killed or finished: its runs stay, and `description`
        says from now on what it is; it has no end yet.

        Raises RunFileError where there is no study, where a living process writes it, where it is
        damaged, or where its packed runs do not fit a journal.
        """
        packed = path.with_name(path.name.removesuffix(journal.SUFFIX))
        sink, tail, ids = reopened(packed)
        try:
            writer = cls(sink, packed, tail, ids)
            writer._describe(FrameType.RESUME, description)
            sink.replace(packed)
            sink.copied_from = None
        except BaseException:
            if sink.copied_from is not None:
                sink.path.unlink(missing_ok=True)
            sink.close()
            raise
        return writer

    @property
    def ids(self) -> frozenset[str]:
        """The runs that are in it."""
        return frozenset(self._ids)

    def run(self, id: str, run_bytes: bytes, coordinates: Mapping[str, Any] | None = None) -> None:
        """A finished run: `RunWriter.bytes()` of a run in memory. coordinates: its value on each
        axis, JSON-able.

        Raises ValueError for an id that is taken or is no plain name, RunFileError where the disk
        is full.
        """
        if not RUN_ID.fullmatch(id):
            raise ValueError(
                f"run id {id!r} must be 1 to 128 of A-Z a-z 0-9 _ - . = + , and begin with a "
                "letter or digit"
            )
        with self._lock:
            if id in self._ids:
                raise ValueError(f"run id {id!r} is taken")
            self._tail = self._sink.append(self._tail, run_record(id, run_bytes, coordinates or {}))
            self._ids.add(id)
            if time.monotonic() - self._last_sync >= _SYNC:
                self._sync()

    def end(self, table: Mapping[str, Any] | None = None, status: str = "finished") -> None:
        """The study is over. table: its results, columns by name, each a list or array of
        numbers or texts, all of one length.
        """
        if status not in layout.STATUSES:
            raise ValueError(registry.unknown("status", status, layout.STATUSES))
        columns = {name: _column(values) for name, values in (table or {}).items()}
        check_columns(columns)
        with self._lock:
            arrays = {f"table/{name}": column for name, column in columns.items()}
            self._tail = self._sink.append(
                self._tail,
                Record(FrameType.END, 0, {"status": status, "columns": list(columns)}, arrays),
            )
            self._sync()

    def pack(self) -> Path:
        """Turn the journal into the HDF5 file and delete it; the path of the file. Raises
        RunFileError where the disk is full: the journal stays.
        """
        try:
            pack_locked(self._sink, self.path)
        finally:
            self.close()
        return self.path

    def close(self) -> None:
        """Free the lock; what is not packed stays as journal."""
        self._sink.close()

    def __enter__(self) -> StudyWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _describe(self, type: FrameType, description: Mapping[str, Any]) -> None:
        meta = {
            "schema": layout.STUDY_SCHEMA,
            "schema_version": list(layout.SCHEMA_VERSION),
            "description": dict(description),
            "writer": journal.writer_facts(),
        }
        self._tail = self._sink.append(self._tail, Record(type, 0, meta, {}))
        self._sync()

    def _sync(self) -> None:
        self._sink.sync()
        self._last_sync = time.monotonic()


def _column(values: Any) -> Any:
    """Texts as bytes; whole numbers int64, others float64; None is NaN, or empty among texts."""
    items = list(values)
    if any(isinstance(item, str) for item in items):
        return texts(["" if item is None else str(item) for item in items])
    whole = bool(items) and all(isinstance(item, int | np.integer) for item in items)
    return np.array([np.nan if item is None else item for item in items], "<i8" if whole else "<f8")
