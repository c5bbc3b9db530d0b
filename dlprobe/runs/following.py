"""A run or study that is read while it is written: what was read is not read again, and a long run
takes no more memory than a short one.

The rows that are kept are every `stride`-th recorded one, and the stride doubles when they become
too many: what is left is the run as if it had been recorded less often. What only a resume needs is
passed over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlprobe.hdf5.files import open_regular, read_at
from dlprobe.record import layout
from dlprobe.runs import frames, journal
from dlprobe.runs.frames import Frame, FrameType, Payload
from dlprobe.runs.journal_contents import JournalContents, Rows, first_payload, in_memory
from dlprobe.runs.reader import Run
from dlprobe.runs.sources import FileSource, MemorySource
from dlprobe.runs.study import mapping, run_id

_AHEAD = 2**22  # bytes that are read at once
_HELD = 2**20  # bytes of a frame that is kept in memory once it was read
_ROOM, _MOST = 2**25, 4096  # bytes, and number, of the rows that are kept
_TIMES = 512  # blocks whose time is kept


class GrowingSource(FileSource):
    """A file that others append to, read from its start to its end through one window."""

    def __init__(self, descriptor: int, path: Path) -> None:
        super().__init__(descriptor, path)
        self.bytes_read = 0
        """So far, from the file."""
        self._start, self._window = 0, b""

    @property
    def is_written(self) -> bool:
        """Whether its writer lives."""
        return journal.is_locked(self._descriptor)

    def grow(self) -> None:
        """See how long the file is now. What was behind the last good frame may have been
        replaced.
        """
        self.size = os.fstat(self._descriptor).st_size

    def forget(self, offset: int) -> None:
        """What was read from `offset` on is read again when it is asked for."""
        self._window = self._window[: max(0, offset - self._start)]

    def read(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self.size)
        if end <= offset:
            return b""
        if offset < self._start:  # long ago: it is not worth the window
            self.bytes_read += end - offset
            return super().read(offset, end - offset)
        if end > self._start + len(self._window):
            self._move(offset, end)
        return self._window[offset - self._start : end - self._start]

    def _move(self, offset: int, end: int) -> None:
        """Read on, and keep as much of what was read before: a frame is read again once its
        checksum is known.
        """
        behind = self._start + len(self._window)
        first, self._start = (
            (behind, max(self._start, offset - _AHEAD)) if offset <= behind else (offset, offset)
        )
        kept = self._window[self._start - behind :] if self._start < first else b""
        new = super().read(first, max(end, offset + _AHEAD) - first)
        self.bytes_read += len(new)
        self._window = kept + new


class FollowedRun(JournalContents):
    """A run's journal that grows. Raises RunFileError on opening and reading."""

    def __init__(self, source: GrowingSource, path: Path) -> None:
        self.path, self.source = path, source
        self.last_step = -1
        """The last step that was recorded and counts, −1 for none; it need not be among the
        rows that are kept.
        """
        self._stride, self._seen, self._at = 1, 0, (first := frames.first_frame(source))
        self._held: dict[int, Payload] = {}
        described = None if first is None else in_memory(first, source)
        super().__init__(source, running=True)
        self._config = described or self._config

    def grow(self) -> bool:
        """Take what was appended; whether there was anything."""
        before = self._at
        self.source.grow()
        self._take_all()
        self._settle("running", None)
        return self._at is not before

    def abandon(self) -> None:
        """Its writer is gone: without an end it was interrupted, and what is behind its last
        good frame may be damage.
        """
        self.grow()
        self._settle("interrupted", frames.scan(self._source, before=self._at).damage)

    @property
    def has_ended(self) -> bool:
        """Whether its writer wrote how it ended."""
        return self._end is not None

    @property
    def run(self) -> Run:
        """The run as it is now."""
        return Run(self, self.path)

    def _settle(self, without_end: str, damage: str | None) -> None:
        for name in ("_shapes", "_small_arrays", "_measured_by_path"):
            self.__dict__.pop(name, None)
        self.facts = self._make_facts(without_end == "running", damage)

    def _take_all(self) -> None:
        for frame in frames.walk(self._source, self._at):
            self._take(frame)
            self._at = frame
        self.source.forget(self._at.end if self._at else 0)

    def _payload(self, frame: Frame) -> Payload:
        """Small frames are kept: they are asked for again and again. Rows are kept otherwise."""
        if frame.length > _HELD and frame.type != FrameType.ROWS:
            return super()._payload(frame)
        if frame.offset in self._held:
            return self._held[frame.offset]
        found = in_memory(frame, self._source)
        if frame.type == FrameType.HISTOGRAM:
            self._held[frame.offset] = found
        return found

    def _take_state(self, step: int, payload: Payload) -> None:
        """Nobody goes on with a run that is being written."""

    def _take_rows(self, first_step: int, payload: Payload) -> None:
        super()._take_rows(first_step, payload)
        new = self._rows.pop()
        self.last_step = max(self.last_step, *new.steps[-1:].tolist())
        self._rows += self._thinned([new], -self._seen % self._stride, self._stride)
        self._seen += len(new.steps)
        kept, size = (
            sum(rows.kept for rows in self._rows),
            self._layer_count * len(self._statistics) * self._real.itemsize,
        )
        if kept > max(2, min(_MOST, _ROOM // max(size, 1))):
            self._rows = self._thinned(self._rows, 0, 2)
            self._stride *= 2

    def _take_resume(self, step: int, payload: Payload) -> None:
        super()._take_resume(step, payload)
        self._seen = self._stride * sum(rows.kept for rows in self._rows)
        self.last_step = min(self.last_step, step - 1)

    def _thinned(self, blocks: Sequence[Rows], first: int, stride: int) -> list[Rows]:
        """Every `stride`-th row as one block in memory; none where no row is left."""
        if stride == 1:
            return list(blocks)
        arrays = {
            name: np.concatenate([rows.array(name) for rows in blocks])[first::stride]
            for name in ("step", "statistics", "scalars")
        }
        if not len(arrays["step"]):
            return []
        for name in ("timing/step", "timing/step_seconds"):
            times = np.concatenate([rows.payload.array(name) for rows in blocks])
            arrays[name] = times[:: 1 + len(times) // _TIMES]
        source = MemorySource(frames.encode(FrameType.ROWS, 0, {}, arrays), self.name)
        frame = frames.first_frame(source)
        assert frame is not None, "it was written just now"
        return [Rows(Payload(source, frame), arrays["step"], len(arrays["step"]), True)]


@dataclass(frozen=True)
class EndedRun:
    """A run of a study, to be read before the next one is."""

    id: str
    coordinates: dict[str, Any]
    run: Run


class FollowedStudy:
    """A study's journal that grows: each run is given once, when it has ended. Raises
    RunFileError on opening and reading.
    """

    def __init__(self, source: GrowingSource, path: Path) -> None:
        self.path, self.source, self.name = path, source, source.name
        self.description = mapping(first_payload(source).meta.get("description"))
        self.has_ended = False
        self.damage: str | None = None
        self.status = "running"
        self._at = frames.first_frame(source)

    def new_runs(self) -> Iterator[EndedRun]:
        """The runs that ended since. One that is not asked for is given next time."""
        self.source.grow()
        for frame in frames.walk(self.source, self._at):
            self._at = frame
            if frame.type in (FrameType.RESUME, FrameType.END):
                meta = Payload(self.source, frame).meta
                self.has_ended = frame.type == FrameType.END
                self.status = str(meta.get("status")) if self.has_ended else "running"
                self.description = (
                    self.description if self.has_ended else mapping(meta.get("description"))
                )
            if frame.type == FrameType.RUN:
                payload = Payload(self.source, frame)
                id = run_id(payload.meta.get("id"), self.name)
                contents = JournalContents(payload.window("journal", f"{self.name}:runs/{id}"))
                yield EndedRun(id, mapping(payload.meta.get("coordinates")), Run(contents, None))
        self.source.forget(self._at.end if self._at else 0)

    def abandon(self) -> None:
        """Its writer is gone."""
        self.status = self.status if self.has_ended else "interrupted"
        self.damage = frames.scan(self.source, frames.STUDY_FRAMES, self._at).damage


def is_journal(path: Path) -> bool:
    """Whether a file is a journal, by its name or its first bytes. Raises RunFileError for what
    is no regular file.
    """
    if path.name.endswith(journal.SUFFIX):
        return True
    descriptor = open_regular(path)
    try:
        return read_at(descriptor, 0, len(frames.MAGIC)) == frames.MAGIC
    finally:
        os.close(descriptor)


def follow(path: Path) -> FollowedRun | FollowedStudy:
    """The journal at `path`. Raises RunFileError."""
    source = GrowingSource(open_regular(path), path)
    if first_payload(source).meta.get("schema") == layout.STUDY_SCHEMA:
        return FollowedStudy(source, path)
    return FollowedRun(source, path)
