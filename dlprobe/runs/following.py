"""A run or study that is read while it is written: what was read is not read again, and a long run
takes no more memory than a short one.

The rows that are kept are every `stride`-th recorded one, and the stride doubles when they become
too many: what is left is the run as if it had been recorded less often. What only a resume needs is
passed over.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlprobe.dataclass import dataclass
from dlprobe.hdf5.files import open_regular, read_at
from dlprobe.record import layout
from dlprobe.runs import frames, journal
from dlprobe.runs.frames import Frame, FrameType, Payload
from dlprobe.runs.journal_contents import TIMES, JournalContents, first_payload, in_memory
from dlprobe.runs.reader import Run
from dlprobe.runs.sources import FileSource
from dlprobe.runs.study import mapping, run_id

_AHEAD, _LITTLE = 2**22, 2**10  # bytes that are read at once, and where most is passed over
_HELD = 2**20  # bytes of a frame that is kept in memory once it was read
_ROOM, _MOST = 2**25, 4096  # bytes, and number, of the rows that are kept
_TIMES = 512  # frames whose time is kept


class GrowingSource(FileSource):
    """A file that others append to, read from its start to its end through one window."""

    def __init__(self, descriptor: int, path: Path) -> None:
        super().__init__(descriptor, path)
        self.bytes_read = 0
        """So far, from the file."""
        self.behind = 0
        """Bytes that were there, and not read yet, when the reader stopped last."""
        self.ahead = _AHEAD
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

    def stopped(self, at: Frame | None, early: bool) -> None:
        """The reader stopped behind a frame, early or at the last good one: what is behind that may
        be replaced, and is read again when it is asked for.
        """
        end = at.end if at else 0
        self.behind = self.size - end if early else 0
        self._window = self._window[: max(0, end - self._start)]

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
            (behind, max(self._start, offset - self.ahead))
            if offset <= behind
            else (offset, offset)
        )
        kept = self._window[self._start - behind :] if self._start < first else b""
        new = super().read(first, max(end, offset + self.ahead) - first)
        self.bytes_read += len(new)
        self._window = kept + new


class KeptRows:
    """Every `stride`-th row of what was recorded, as one frame of rows for the reader; `kept` of
    them count.
    """

    def __init__(self, dtypes: dict[str, tuple[np.dtype[Any], tuple[int, ...]]]) -> None:
        """dtypes: dtype and shape of a row, by name of the array in a frame."""
        self.kept, self.stride = 0, 1
        self._times: list[dict[str, NDArray[Any]]] = []
        self._arrays = {
            name: np.empty((64, *shape), dtype) for name, (dtype, shape) in dtypes.items()
        }
        self._row = sum(array[:1].nbytes for array in self._arrays.values())
        self._most = max(2, min(_MOST, _ROOM // self._row))

    @property
    def steps(self) -> NDArray[Any]:
        """int64 (row,)."""
        return self.array("step")

    @property
    def size(self) -> int:
        """Bytes of the rows."""
        return self.kept * self._row

    def array(self, name: str) -> NDArray[Any]:
        """The kept rows of one array of the frame, (kept, …)."""
        return self._arrays[name][: self.kept]

    def times(self, path: str) -> NDArray[Any]:
        """A data set of timing, (block,): of some of the blocks."""
        return np.concatenate([times[path] for times in self._times])

    def add(self, new: dict[str, NDArray[Any]], times: dict[str, NDArray[Any]]) -> None:
        """More rows, and the times of a block; of too many every second one is left."""
        self._times = [*self._times, times][:: 1 + (len(self._times) >= _TIMES)]
        end = self.kept + len(new["step"])
        for name, values in new.items():
            if end > len(self._arrays[name]):
                larger = np.empty((2 * end, *values.shape[1:]), self._arrays[name].dtype)
                larger[: self.kept] = self.array(name)
                self._arrays[name] = larger
            self._arrays[name][self.kept : end] = values
        self.kept = end
        while self.kept > self._most:
            for name in self._arrays:
                self._arrays[name] = self.array(name)[::2].copy()
            self.kept, self.stride = len(self._arrays["step"]), 2 * self.stride


class FollowedRun(JournalContents):
    """A run's journal that grows. Raises RunFileError on opening and reading.

    Of a long run few rows are read, and those without the checksum of their frame, which packing
    asks.
    """

    def __init__(self, source: GrowingSource, path: Path) -> None:
        self.path, self.source = path, source
        self.last_step = -1
        """The last step that was recorded and counts, −1 for none; it need not be among the
        rows that are kept.
        """
        self._seen, self._at = 0, (first := frames.first_frame(source))
        self._held: dict[int, Payload] = {}
        described = None if first is None else in_memory(first, source)
        super().__init__(source, running=True)
        self._config = described or self._config
        statistics = (self._layer_count, len(self._statistics))
        self._kept = KeptRows(
            {
                "step": (np.dtype("<i8"), ()),
                "statistics": (self._real, statistics),
                "scalars": (np.dtype("<f8"), (len(self._scalars),)),
            }
        )
        self._rows = [self._kept]

    def grow(self, seconds: float = math.inf) -> bool:
        """Read frames that were appended, for at most about `seconds`; True where there was one."""
        before, end, early = self._at, time.monotonic() + seconds, False
        self.source.grow()
        for frame in frames.walk(self._source, self._at, self._is_passed_over):
            self._take(frame)
            self._at = frame
            if early := time.monotonic() > end:
                break
        self.source.stopped(self._at, early)
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
        for name in ("_shapes", "_small_arrays", "_placed", "_measured_by_path"):
            self.__dict__.pop(name, None)
        self.facts = self._make_facts(without_end == "running", damage)

    def _take_all(self) -> None:
        """Nothing yet: `grow` does."""

    def _is_passed_over(self, type: int) -> bool:
        far = self._kept.stride >= frames.FAR
        self.source.ahead = _LITTLE if far else _AHEAD
        return far and type == FrameType.ROWS

    def _payload(self, frame: Frame) -> Payload:
        """Small frames are kept: they are asked for again and again. Rows are kept otherwise."""
        if frame.type == FrameType.ROWS and self._kept.stride >= frames.FAR:
            return Payload(self._source, frame)
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
        steps = self._checked_steps(payload, self.last_step)
        first, stride = -self._seen % self._kept.stride, self._kept.stride
        if first < len(steps):
            new = {name: payload.rows(name, first, stride) for name in ("statistics", "scalars")}
            self._kept.add(
                {"step": steps[first::stride], **new},
                {path: payload.array(path)[-1:] for path in TIMES},
            )
        self._seen += len(steps)
        self.last_step = max(self.last_step, *steps[-1:].tolist())

    def _take_resume(self, step: int, payload: Payload) -> None:
        super()._take_resume(step, payload)
        self._seen = self._kept.stride * self._kept.kept
        self.last_step = min(self.last_step, step - 1)


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

    def new_runs(self, seconds: float = math.inf) -> Iterator[EndedRun]:
        """The runs that ended since, those that can be given in so many seconds."""
        end, early = time.monotonic() + seconds, False
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
            if early := time.monotonic() > end:
                break
        self.source.stopped(self._at, early)

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
