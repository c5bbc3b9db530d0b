"""One study as everybody reads it, packed or as a journal: its runs by id, its axes, its table
of results.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from dlprobe.errors import RunFileError
from dlprobe.record import layout
from dlprobe.record.values import untexts
from dlprobe.runs import frames
from dlprobe.runs.contents import check_version
from dlprobe.runs.frames import FrameType, Payload, parse_json
from dlprobe.runs.gathered import COORDINATES, ENDS, PIECES, Gathered, gathered
from dlprobe.runs.journal_contents import JournalContents, first_payload
from dlprobe.runs.reader import Run
from dlprobe.runs.sources import FileSource, MemorySource

if TYPE_CHECKING:
    from dlprobe.hdf5.guard import GuardedFile

KEPT = 2**26  # bytes of what a study gathered that are kept once read
IN_MEMORY = 2**22  # bytes of a run's journal that are read at once
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=+,-]{0,127}")


class Runs(Mapping[str, Run]):
    """The runs of a study by id, in natural order of ids (depth_5 before depth_10); each is
    opened when it is asked for.
    """

    def __init__(self, ids: list[str], opener: Callable[[str], Run]) -> None:
        self._ids, self._opener = dict.fromkeys(sorted(ids, key=_natural)), opener
        self._opened: dict[str, Run] = {}

    def __getitem__(self, id: str) -> Run:
        if id not in self._opened:
            self._opened[id] = self.open(id)
        return self._opened[id]

    def open(self, id: str) -> Run:
        """A run that is not kept, for passing over many runs in bounded memory. Raises KeyError
        for an unknown id.
        """
        if id not in self._ids:
            raise KeyError(id)
        return self._opener(id)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)


class Study:
    """A stored study. Access to a run may raise RunFileError where the file is damaged. Close
    it, or use it in a `with`.
    """

    def __init__(
        self,
        path: Path,
        runs: Runs,
        description: dict[str, Any],
        status: str,
        close: Callable[[], None],
    ) -> None:
        self.path = path
        self.runs = runs
        self.description = description
        """What the study is: experiment, options, `axes`."""
        self.status = status
        """finished | interrupted | failed | running"""
        self.coordinates: dict[str, dict[str, Any]] = {}
        """By run id: the run's value on each axis."""
        self.table: dict[str, Any] = {}
        """Results, column by column: arrays of numbers or tuples of texts; empty while the
        study has no end.
        """
        self.damage: str | None = None
        """What was found behind the last good frame of a journal, or None."""
        self._close = close

    @property
    def axes(self) -> dict[str, list[Any]]:
        """Each axis of the study and its values."""
        axes = self.description.get("axes")
        return axes if isinstance(axes, dict) else {}

    @cached_property
    def content_sha256(self) -> str:
        """SHA-256 over the ids and content hashes of all runs, in the order of ids."""
        return study_sha256({id: run.content_sha256 for id, run in self.runs.items()})

    def member(self, id: str) -> Run:
        """A run that knows its place in the study. Raises KeyError, and RunFileError where the file
        is damaged.
        """
        run = self.runs.open(id)
        run.study, run.id, run.coordinates = self, id, self.coordinates.get(id, {})
        return run

    def close(self) -> None:
        """Give the file back; its runs cannot be read afterwards."""
        self._close()

    def __enter__(self) -> Study:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_columns(columns: Mapping[str, NDArray[Any]]) -> None:
    """Raise ValueError unless a study's table has plain names and columns of one length."""
    wrong = [name for name in columns if not layout.NAME.fullmatch(name)]
    if (
        wrong
        or len({column.shape for column in columns.values()}) > 1
        or any(column.ndim != 1 for column in columns.values())
    ):
        raise ValueError(
            "a study's table needs columns of one length with names like train_loss; wrong: "
            f"{wrong or 'lengths'}"
        )


def journal_study(source: FileSource, running: bool, path: Path) -> Study:
    """A study read from its journal."""
    meta = first_payload(source).meta
    check_version(meta.get("schema_version"), source.name)
    scan = frames.scan(source, frames.STUDY_FRAMES)
    payloads = [
        (frame.type, Payload(source, frame))
        for frame in scan.frames[1:]
        if frame.type in frames.STUDY_FRAMES
    ]
    by_id = {
        run_id(payload.meta.get("id"), source.name): payload
        for type, payload in payloads
        if type == FrameType.RUN
    }
    last = next(
        (each for each in reversed(payloads) if each[0] in (FrameType.END, FrameType.RESUME)), None
    )
    end = last[1] if last and last[0] == FrameType.END else None
    meta = next(
        (payload.meta for type, payload in reversed(payloads) if type == FrameType.RESUME), meta
    )

    def open_one(id: str) -> Run:
        payload, name = by_id[id], f"{source.name}:runs/{id}"
        small = payload.place("journal").size <= IN_MEMORY
        return Run(
            JournalContents(
                MemorySource(payload.array("journal").tobytes(), name)
                if small
                else payload.window("journal", name)
            )
        )

    status = str(end.meta.get("status")) if end else "running" if running else "interrupted"
    if status not in (*layout.STATUSES, "running"):
        raise RunFileError(
            f"{source.name} is damaged or was not written by dlprobe: its status is unknown"
        )
    study = Study(
        path, Runs(list(by_id), open_one), mapping(meta.get("description")), status, source.close
    )
    study.coordinates = {id: mapping(by_id[id].meta.get("coordinates")) for id in study.runs}
    study.damage = scan.damage
    if end:
        columns = {name.removeprefix("table/"): array for name, array in end.arrays().items()}
        study.table = _table(columns, source.name)
    return study


def packed_study(file: GuardedFile, path: Path) -> Study:
    """A study read from its HDF5 file."""
    from dlprobe.runs.packed_contents import PackedContents, schema_version

    schema_version(file, "", layout.STUDY_SCHEMA)
    facts = parse_json(file.text("study", "json") or "", file.name)
    ids = [run_id(id, file.name) for id in untexts(file.read("study/run_id"))]
    piece_of = _pieces(file, ids)
    runs = Runs(ids, lambda id: Run(PackedContents(file, f"runs/{id}", piece_of(id))))
    status = file.text("/", "status")
    if status not in layout.STATUSES:
        raise RunFileError(
            f"{file.name} is damaged or was not written by dlprobe: its status is unknown"
        )
    study = Study(path, runs, mapping(facts.get("description")), status, file.close)
    coordinates = (
        dict(zip(ids, untexts(file.read(COORDINATES)), strict=False))
        if file.has(COORDINATES)
        else {}
    )
    study.coordinates = {
        id: parse_json(
            coordinates.get(id) or file.text(f"runs/{id}", "coordinates") or "{}", file.name
        )
        for id in runs
    }
    names = facts.get("columns")
    texts = map(str, names if isinstance(names, list) else [])
    study.table = _table({name: file.read(f"study/table/{name}") for name in texts}, file.name)
    return study


def _pieces(file: GuardedFile, ids: list[str]) -> Callable[[str], Gathered | None]:
    """What the study gathered of each run; None where it is of an older format."""
    if not file.has(ENDS):
        return lambda id: None
    ends = file.read(ENDS).tolist()
    places = dict(zip(ids, zip([0, *ends], ends, strict=False), strict=False))
    if len(ends) != len(ids) or any(start > end for start, end in places.values()):
        raise RunFileError(
            f"{file.name} is damaged or was not written by dlprobe: what it gathered of its "
            "runs cannot be read"
        )
    kept: dict[str, Gathered] = {}

    def piece_of(id: str) -> Gathered:
        """Those that fit are kept: whoever compares runs passes over them twice."""
        if id in kept:
            return kept[id]
        start, end = places[id]
        piece = gathered(file.read_rows(PIECES, start, end).tobytes(), f"{file.name}:runs/{id}")
        if end <= KEPT:
            kept[id] = piece
        return piece

    return piece_of


def study_sha256(hashes: Mapping[str, str]) -> str:
    """SHA-256 over the content hashes of runs by id, in the order of ids."""
    lines = "\n".join(f"{id} {hashes[id]}" for id in sorted(hashes))
    return hashlib.sha256(lines.encode()).hexdigest()


def _natural(id: str) -> list[tuple[int, int | str]]:
    """Digits count as numbers. The tags keep numbers and texts comparable."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"([0-9]+)", id)]


def run_id(value: Any, name: str) -> str:
    """A run's id. Raises RunFileError for what is none."""
    if not isinstance(value, str) or not RUN_ID.fullmatch(value):
        raise RunFileError(
            f"{name} is damaged or was not written by dlprobe: a run's id cannot be read"
        )
    return value


def mapping(value: Any) -> dict[str, Any]:
    """What a file says under a name, nothing where that is no mapping."""
    return value if isinstance(value, dict) else {}


def _table(columns: Mapping[str, NDArray[Any]], name: str) -> dict[str, Any]:
    """The table as a file holds it. Raises RunFileError where its columns are none."""
    try:
        check_columns(columns)
    except ValueError:
        raise RunFileError(
            f"{name} is damaged or was not written by dlprobe: its table cannot be read"
        ) from None
    return {
        name: untexts(column) if column.dtype.kind == "S" else column
        for name, column in columns.items()
    }
