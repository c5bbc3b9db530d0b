"""A run read from its journal: live, dead, or inside a study's journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dlprobe.dataclass import dataclass
from dlprobe.errors import RunFileError
from dlprobe.record import layout
from dlprobe.runs import frames
from dlprobe.runs.contents import SIZES, Facts, Shapes, check_all, check_version, checked_origin
from dlprobe.runs.frames import FrameType, Payload
from dlprobe.runs.measurements import Measurements
from dlprobe.runs.sources import FileSource, MemorySource, Source

_SMALL = 2**24  # bytes of a journal whose rows are kept in memory once read
TIMES = ("timing/step", "timing/step_seconds")
_SLAB = 2**20  # bytes of statistics that are gathered before they are handed on


@dataclass
class Rows:
    """One frame of rows and its steps; `kept` of them count, the later ones are void since a
    resume.
    """

    payload: Payload
    steps: NDArray[Any]
    kept: int
    keep_arrays: bool
    _arrays: dict[str, NDArray[Any]] = field(default_factory=dict)

    def array(self, name: str) -> NDArray[Any]:
        """The first `kept` rows of an array of the frame, (row, …). Kept in memory where the
        journal is small: its statistics are read one by one from the same bytes.
        """
        array = self._arrays.get(name)
        if array is None:
            array = self.payload.array(name)
            if self.keep_arrays:
                self._arrays[name] = array
        return array[: self.kept]

    @property
    def size(self) -> int:
        """Bytes of its statistics."""
        return self.payload.place("statistics").size

    def times(self, path: str) -> NDArray[Any]:
        """A data set of timing of this frame, (block,)."""
        return self.payload.array(path)


class RowBlock(Protocol):
    """Rows as the reader asks for them."""

    kept: int

    @property
    def steps(self) -> NDArray[Any]: ...
    @property
    def size(self) -> int: ...
    def array(self, name: str) -> NDArray[Any]: ...
    def times(self, path: str) -> NDArray[Any]: ...


@dataclass(frozen=True)
class Evaluated:
    """One frame of evaluations and their steps; those of `rows` count, later ones are void since a
    resume. `alone`: one evaluation, whose arrays have no axis for it (format 1.2).
    """

    payload: Payload
    steps: NDArray[Any]
    rows: NDArray[Any]
    alone: bool = False

    def array(self, path: str, shape: tuple[int, ...]) -> NDArray[Any] | None:
        """The numbers that count, (evaluation, *shape), NaN where the frame has none; None for
        other shapes.
        """
        if path not in self.payload.places:
            return np.full((len(self.rows), *shape), np.nan)
        array = self.payload.array(path)
        array = array[None] if self.alone else array
        fits = array.shape == (len(self.steps), *shape) and array.dtype.kind == "f"
        return array[self.rows] if fits else None


def first_payload(source: Source) -> Payload:
    """The first frame of a journal. Raises RunFileError where there is none that checks."""
    if not source.size:
        raise RunFileError(
            f"{source.name} is empty: the run was stopped before it began; delete it and "
            "train again"
        )
    frame = frames.first_frame(source)
    if frame is None or frame.type != FrameType.CONFIG:
        raise RunFileError(
            f"{source.name} holds no whole first frame: the run was stopped before it began, "
            "or the file is damaged; train again"
        )
    return Payload(source, frame)


def in_memory(frame: frames.Frame, source: Source) -> Payload:
    """A frame's payload, read whole."""
    data = source.read(frame.offset, frame.length)
    return Payload(MemorySource(data, source.name), replace(frame, offset=0))


class JournalContents:
    """A run's journal. Raises RunFileError on opening and reading; see `Contents`."""

    def __init__(self, source: Source, running: bool = False) -> None:
        self.name, self._source = source.name, source
        self._config = first_payload(source)
        meta = self._config.meta
        if meta.get("schema") != layout.SCHEMA:
            raise RunFileError(
                f"{self.name} is not a run file: its schema is "
                f"{str(meta.get('schema'))[:40]!r}, expected {layout.SCHEMA!r}"
            )
        self._version = check_version(meta.get("schema_version"), self.name)
        self._statistics = self._columns("statistics", "stats")
        self._scalars = self._columns("scalars", "scalars")
        self._layer_count = self._count_layers()
        self._rows: list[RowBlock] = []
        self._evaluations: list[Evaluated] = []
        self._checkpoints: dict[int, Payload] = {}
        self._measured = {
            dim: Measurements(source, dim, self._payload) for dim in ("histogram", "tracked")
        }
        self._states: list[tuple[int, Payload]] = []
        self._resumed: list[Payload] = []
        self._end: Payload | None = None
        self.facts = self._make_facts(running, self._take_all())

    def has(self, path: str) -> bool:
        return path in self.shapes()

    def read(self, path: str) -> NDArray[Any]:
        _, shape = self.shapes()[path]
        if path in self._row_paths:
            return self.read_rows(path, 0, shape[0])
        if path == "checkpoints/parameters":
            return self.read_rows(path, 0, shape[0])
        measured = self._measured_by_path.get(path)
        return measured.read(path) if measured else self._small(path)

    def read_rows(self, path: str, start: int, stop: int) -> NDArray[Any]:
        dtype, shape = self.shapes()[path]
        first, behind, _ = slice(start, stop).indices(shape[0])
        if path == "checkpoints/parameters":
            chosen = list(self._checkpoints.values())[first:behind]
            arrays = [payload.array(path)[None] for payload in chosen]
            return (
                arrays[0]
                if len(arrays) == 1
                else np.concatenate([np.empty((0, *shape[1:]), dtype), *arrays])
            )
        if path not in self._row_paths:
            return self.read(path)[first:behind]
        found, at = np.empty((max(behind - first, 0), *shape[1:]), dtype), 0
        for rows in self._rows:
            if at < behind and at + rows.kept > first:
                start = max(first - at, 0)
                some = self._row_array(rows, path)[start : behind - at]
                found[at + start - first :][: len(some)] = some
            at += rows.kept
        return found

    def shapes(self) -> Shapes:
        return self._shapes

    def slabs(self) -> Iterator[tuple[str, NDArray[Any]]]:
        for path in self._shapes:
            if (
                path not in self._row_paths
                and path != "checkpoints/parameters"
                and path not in self._measured_by_path
            ):
                for piece in self._pieces(path):
                    yield path, piece
        for group in self._gathered():
            for path in self._row_paths:
                yield path, np.concatenate([self._row_array(rows, path) for rows in group])
        for measured in self._measured.values():
            yield from measured.slabs()
        for payload in self._checkpoints.values():
            for piece in payload.pieces("checkpoints/parameters"):
                yield "checkpoints/parameters", piece[None]

    def _take_all(self) -> str | None:
        """Read all frames; what is damaged behind them."""
        scan = frames.scan(self._source)
        for frame in scan.frames[1:]:
            self._take(frame)
        self.tail: frames.Tail = scan.tail
        """Where a writer goes on."""
        return scan.damage

    @property
    def copied_from(self) -> str | None:
        """The content hash of the packed file that this journal was made from, to go on with it."""
        stated = self._config.meta.get("copied_from")
        return stated if isinstance(stated, str) else None

    @property
    def size(self) -> int:
        """Bytes of the journal when it was opened."""
        return self._source.size

    def is_file(self, descriptor: int) -> bool:
        """Whether this was read from the very file behind a descriptor."""
        return isinstance(self._source, FileSource) and self._source.is_file(descriptor)

    def close(self) -> None:
        if isinstance(self._source, FileSource):
            self._source.close()

    @cached_property
    def _shapes(self) -> Shapes:
        """Computed once: a journal is read as it was when it was opened."""
        found = {
            **{
                path: (place.dtype, place.shape)
                for path, (payload, name) in self._placed.items()
                for place in [payload.place(name)]
            },
            **self._row_shapes(),
            **{path: (array.dtype, array.shape) for path, array in self._small_arrays.items()},
        }
        for measured in self._measured.values():
            found |= measured.shapes()
        if self._checkpoints:
            places = [
                payload.place("checkpoints/parameters") for payload in self._checkpoints.values()
            ]
            found["checkpoints/parameters"] = (places[-1].dtype, (len(places), *places[-1].shape))
            if any(
                (place.dtype, place.shape) != (places[-1].dtype, places[-1].shape)
                for place in places
            ):
                raise self._wrong("checkpoints differ in shape")
        ordered = {path: found[path] for path in layout.data_sets() if path in found}
        check_all(ordered, self.name)
        return ordered

    @cached_property
    def _row_paths(self) -> tuple[str, ...]:
        known = layout.data_sets()
        return (
            "stats/step",
            *(path for path in (*self._statistics, *self._scalars) if path in known),
        )

    @cached_property
    def _measured_by_path(self) -> dict[str, Measurements]:
        return {
            path: measured for measured in self._measured.values() for path in measured.shapes()
        }

    @cached_property
    def _small_arrays(self) -> dict[str, NDArray[Any]]:
        """What is made from many frames, and fits memory."""
        arrays = {
            "stats/layer": np.arange(self._layer_count, dtype="<i4"),
            **self._timing(),
            **self._evaluation_arrays(),
        }
        arrays["checkpoints/step"] = np.array(list(self._checkpoints), "<i8")
        return {path: array for path, array in arrays.items() if path in layout.data_sets()}

    @cached_property
    def _placed(self) -> dict[str, tuple[Payload, str]]:
        """What lies in one frame, the first or the last of its kind: payload and name in it."""
        found = {path: (self._config, path) for path in self._config.places}
        if self._end is not None:
            found |= {
                path: (self._end, path)
                for path in self._end.places
                if path.partition("/")[0] in ("final", "predictions")
            }
        found |= self._state_places()
        return {path: place for path, place in found.items() if path in layout.data_sets()}

    def _state_places(self) -> dict[str, tuple[Payload, str]]:
        """The last state that a resume can go on from. Its parameters are named where they are
        not those of the last checkpoint that counts.
        """
        if not self._states:
            return {}
        _, payload = self._states[-1]
        places = {
            path: (payload, path)
            for path in payload.places
            if path != "checkpoints/parameters" and path.startswith("checkpoints/")
        }
        last = next(reversed(self._checkpoints.values()), None)
        if payload is not last and "checkpoints/parameters" in payload.places:
            places.setdefault(
                "checkpoints/training_parameters", (payload, "checkpoints/parameters")
            )
        return places

    def _small(self, path: str) -> NDArray[Any]:
        if path in self._small_arrays:
            return self._small_arrays[path]
        payload, name = self._placed[path]
        return payload.array(name)

    def _pieces(self, path: str) -> Iterator[NDArray[Any]]:
        if path in self._small_arrays:
            yield self._small_arrays[path]
        else:
            payload, name = self._placed[path]
            yield from payload.pieces(name)

    def _take(self, frame: frames.Frame) -> None:
        if frame.type == FrameType.HISTOGRAM:
            for measured in self._measured.values():
                measured.take(frame)
            return
        takers: dict[int, Callable[[int, Payload], None]] = {
            FrameType.ROWS: self._take_rows,
            FrameType.EVALUATION: self._take_evaluation,
            FrameType.EVALUATIONS: self._take_evaluations,
            FrameType.CHECKPOINT: self._take_checkpoint,
            FrameType.STATE: self._take_state,
            FrameType.RESUME: self._take_resume,
            FrameType.END: self._take_end,
        }
        if frame.type in takers:
            takers[frame.type](frame.first_step, self._payload(frame))

    def _payload(self, frame: frames.Frame) -> Payload:
        """Evaluations are read at once: they have many arrays of a few bytes."""
        evaluated = frame.type in (FrameType.EVALUATION, FrameType.EVALUATIONS)
        if evaluated and frame.length <= _SLAB:
            return in_memory(frame, self._source)
        return Payload(self._source, frame)

    def _take_rows(self, first_step: int, payload: Payload) -> None:
        steps = self._checked_steps(payload, self._last_step())
        self._rows.append(Rows(payload, steps, len(steps), self._source.size <= _SMALL))

    def _checked_steps(self, payload: Payload, before: int) -> NDArray[Any]:
        """The steps of a frame of rows. Raises RunFileError where it has other arrays than it
        should, or its steps do not rise after `before`.
        """
        steps = payload.array("step")
        n = len(steps) if steps.ndim == 1 else -1
        expected = {
            "step": ("<i8", (n,)),
            "statistics": (self._real.str, (n, self._layer_count, len(self._statistics))),
            "scalars": ("<f8", (n, len(self._scalars))),
            "timing/step": ("<i8", payload.place("timing/step").shape[:1]),
            "timing/step_seconds": ("<f8", payload.place("timing/step").shape[:1]),
        }
        if any(
            (place.dtype.str, place.shape) != expected[name] or not place.shape
            for name, place in ((name, payload.place(name)) for name in expected)
        ):
            raise self._wrong("a block of rows has the wrong shape")
        if n and (steps[0] <= before or (np.diff(steps) <= 0).any()):
            raise self._wrong(f"steps do not rise after step {before}")
        return steps

    def _take_evaluation(self, step: int, payload: Payload) -> None:
        steps = np.array([step], "<i8")
        self._evaluations.append(Evaluated(payload, steps, np.arange(1), alone=True))

    def _take_evaluations(self, first_step: int, payload: Payload) -> None:
        steps = payload.array("evaluations/step")
        if steps.ndim != 1 or steps.dtype != "<i8":
            raise self._wrong("the steps of its evaluations cannot be read")
        self._evaluations.append(Evaluated(payload, steps, np.arange(len(steps))))

    def _take_checkpoint(self, step: int, payload: Payload) -> None:
        self._checkpoints[step] = payload
        if any(
            path.startswith("checkpoints/") and path != "checkpoints/parameters"
            for path in payload.places
        ):
            self._take_state(step, payload)

    def _take_state(self, step: int, payload: Payload) -> None:
        """Its own counters say of which step it is: one that was packed may stand with a later
        checkpoint.
        """
        if "checkpoints/counters" in payload.places:
            counters = payload.array("checkpoints/counters")
            if counters.ndim != 1 or counters.dtype.kind != "i" or not len(counters):
                raise self._wrong("the counters of a state have the wrong shape")
            step = int(counters[0])
        self._states.append((step, payload))

    def _take_resume(self, step: int, payload: Payload) -> None:
        """A run that went on from a state: what was recorded of its step and later is void, and
        so is an end.
        """
        for rows in self._rows:
            rows.kept = min(rows.kept, int(np.searchsorted(rows.steps, step)))
        self._evaluations = [
            replace(some, rows=some.rows[some.steps[some.rows] < step])
            for some in self._evaluations
        ]
        for key in [key for key in self._checkpoints if key >= step]:
            del self._checkpoints[key]
        for measured in self._measured.values():
            measured.cut(step)
        self._states = [state for state in self._states if state[0] <= step]
        self._resumed.append(payload)
        self._end = None

    def _take_end(self, step: int, payload: Payload) -> None:
        if payload.meta.get("status") not in layout.STATUSES:
            raise self._wrong("its status is unknown")
        self._end = payload

    def _last_step(self) -> int:
        return next(
            (int(rows.steps[rows.kept - 1]) for rows in reversed(self._rows) if rows.kept), -1
        )

    def _row_shapes(self) -> Shapes:
        count = sum(rows.kept for rows in self._rows)
        shapes: Shapes = {"stats/step": (np.dtype("<i8"), (count,))}
        shapes |= dict.fromkeys(self._statistics, (self._real, (count, self._layer_count)))
        shapes |= {path: (np.dtype("<f8"), (count,)) for path in self._scalars}
        return {path: shapes[path] for path in self._row_paths}

    def _row_array(self, rows: RowBlock, path: str) -> NDArray[Any]:
        if path == "stats/step":
            return rows.steps[: rows.kept]
        if path in self._statistics:
            return rows.array("statistics")[:, :, self._statistics.index(path)]
        return rows.array("scalars")[:, self._scalars.index(path)]

    def _gathered(self) -> Iterator[list[RowBlock]]:
        """Frames in groups of about a MiB: a slow run's journal has a frame for every few rows."""
        group, size = list[RowBlock](), 0
        for rows in self._rows:
            group.append(rows)
            size += rows.size
            if size >= _SLAB:
                yield group
                group, size = [], 0
        if group:
            yield group

    def _timing(self) -> dict[str, NDArray[Any]]:
        kept = [rows for rows in self._rows if rows.kept]
        return {path: np.concatenate([rows.times(path) for rows in kept]) for path in TIMES if kept}

    def _evaluation_arrays(self) -> dict[str, NDArray[Any]]:
        """One array per name; NaN where an evaluation did not give it. Of two after the same step
        the later one counts.
        """
        steps = [some.steps[some.rows] for some in self._evaluations]
        rows = {step: row for row, step in enumerate(np.concatenate([*steps, []]).tolist())}
        arrays = {"evaluations/step": np.array(list(rows), "<i8")}
        given = {
            path for some in self._evaluations if len(some.rows) for path in some.payload.places
        }
        for path, line in layout.data_sets().items():
            if line.group != "evaluations" or path in arrays or path not in given:
                continue
            shape = tuple(self._size(dim) for dim in line.dims[1:])
            pieces = [some.array(path, shape) for some in self._evaluations]
            values = [piece for piece in pieces if piece is not None]
            if len(values) < len(pieces):
                raise self._wrong(f"an evaluation has {path} in the wrong shape")
            dtype = self._real if line.dtype == "f" else "<f8"
            arrays[path] = np.concatenate(values)[list(rows.values())].astype(dtype)
        return arrays

    def _size(self, dim: str) -> int:
        """Entries of an evaluation along layers or classes."""
        if dim == "layer":
            return self._layer_count
        shape = self._config.place(SIZES[dim]).shape if SIZES[dim] in self._config.places else ()
        return shape[0] if len(shape) == 1 else 0

    def _columns(self, key: str, group: str) -> list[str]:
        """Paths of the columns that the journal's arrays have."""
        names = self._config.meta.get(key)
        if (
            not isinstance(names, list)
            or len(set(map(str, names))) != len(names)
            or not all(layout.NAME.fullmatch(str(name)) for name in names)
        ):
            raise self._wrong(f"its list of {key} cannot be read")
        return [f"{group}/{name}" for name in names]

    @cached_property
    def _real(self) -> np.dtype[Any]:
        text = self._config.meta.get("real")
        if text not in ("<f4", "<f8"):
            raise self._wrong("its float type is unknown")
        return np.dtype(str(text))

    def _count_layers(self) -> int:
        shape = self._config.place("layers/name").shape
        initial = self._config.places.get("initial/parameters")
        if len(shape) != 1 or (initial is not None and len(initial.shape) != 1):
            raise self._wrong("its layers cannot be read")
        return shape[0]

    def _make_facts(self, running: bool, damage: str | None) -> Facts:
        meta = self._config.meta
        status = (
            str(self._end.meta["status"]) if self._end else "running" if running else "interrupted"
        )
        for payload in self._resumed:
            meta = meta | {
                key: value
                for key, value in payload.meta.items()
                if key in ("config", "environment", "writer")
            }
        texts: list[dict[str, Any]] = [
            meta[key] if isinstance(meta.get(key), dict) else {}
            for key in ("config", "environment", "writer")
        ]
        config, environment, writer = texts
        return Facts(
            status,
            config,
            environment,
            self._version,
            origin=checked_origin(meta.get("origin"), self.name),
            writer=writer,
            damage=damage,
        )

    def _wrong(self, reason: str) -> RunFileError:
        return RunFileError(f"{self.name} is damaged or was not written by dlprobe: {reason}")
