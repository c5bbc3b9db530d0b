"""A packed run as a journal again, so that a packed study can go on: the opposite of packing, proved by the content hash."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlprobe.errors import RunFileError
from dlprobe.record import layout
from dlprobe.runs import content, frames, journal
from dlprobe.runs.contents import Contents
from dlprobe.runs.frames import FrameType, Record
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.sources import MemorySource

Arrays = dict[str, NDArray[Any]]


def unpack(contents: Contents) -> bytes:
    """The journal of a packed run. Raises RunFileError where it would not hold the same content: the file was changed, or another dlprobe wrote it."""
    found = {path: contents.read(path) for path in contents.shapes()}
    records = (_config(contents, found), *_rows(found), *_evaluations(found), *_measurements(found), *_checkpoints(found), _end(contents, found))
    journal_bytes = frames.journal_of(records)
    stated = contents.facts.content_sha256
    if stated != content.content_sha256(JournalContents(MemorySource(journal_bytes, contents.name))):
        raise RunFileError(f"{contents.name} cannot be gone on with: its content is not what its hash says; start the study anew with -o")
    return journal_bytes


def _columns(found: Arrays, group: str) -> list[str]:
    """Names of the statistics or scalars that are there, in the layout table's order; steps and layer numbers are no columns."""
    return [path.partition("/")[2] for path in found if path.startswith(f"{group}/") and path not in ("stats/step", "stats/layer")]


def _config(contents: Contents, found: Arrays) -> Record:
    facts = contents.facts
    meta = {
        "schema": layout.SCHEMA,
        "schema_version": list(layout.SCHEMA_VERSION),
        "origin": facts.origin,
        "config": facts.config,
        "environment": facts.environment,
        "real": _real(found).str,
        "statistics": _columns(found, "stats"),
        "scalars": _columns(found, "scalars"),
        "writer": journal.writer_facts(),
    }
    first = {
        path: array
        for path, array in found.items()
        if path.partition("/")[0] in ("layers", "facts", "data", "initial") or path in ("tracked/layer", "tracked/unit")
    }
    return Record(FrameType.CONFIG, 0, meta, first)


def _real(found: Arrays) -> np.dtype[Any]:
    """The run's float dtype, little-endian: that of its statistics."""
    named = [found[f"stats/{name}"] for name in _columns(found, "stats")]
    return next(array.dtype for array in (*named, found.get("initial/parameters", np.empty(0, "f4")))).newbyteorder("<")


def _rows(found: Arrays) -> Iterator[Record]:
    steps = found["stats/step"]
    layers, real = len(found["layers/name"]), _real(found)
    arrays = {
        "step": steps,
        "statistics": _stacked([found[f"stats/{name}"] for name in _columns(found, "stats")], (len(steps), layers), real),
        "scalars": _stacked([found[f"scalars/{name}"] for name in _columns(found, "scalars")], (len(steps),), np.dtype("<f8")),
        **{path: found.get(path, np.empty(0, "<i8" if path == "timing/step" else "<f8")) for path in ("timing/step", "timing/step_seconds")},
    }
    if len(steps):
        yield Record(FrameType.ROWS, int(steps[0]), {}, arrays)


def _stacked(columns: list[NDArray[Any]], shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.stack(columns, axis=-1) if columns else np.empty((*shape, 0), dtype)


def _per_step(found: Arrays, type: FrameType, step_path: str, paths: list[str]) -> Iterator[Record]:
    """One frame for each entry of what is counted by one dimension."""
    for index, step in enumerate(found.get(step_path, ())):
        yield Record(type, int(step), {}, {path: found[path][index] for path in paths})


def _evaluations(found: Arrays) -> Iterator[Record]:
    return _per_step(found, FrameType.EVALUATION, "evaluations/step", [path for path in _counted(found, "evaluation") if path != "evaluations/step"])


def _measurements(found: Arrays) -> Iterator[Record]:
    for dim, step_path in (("histogram", "histograms/step"), ("tracked", "tracked/step")):
        yield from _per_step(found, FrameType.HISTOGRAM, step_path, [path for path in _counted(found, dim) if path != step_path])


def _counted(found: Arrays, dim: str) -> list[str]:
    known = layout.data_sets()
    return [path for path in found if known[path].dims[:1] == (dim,)]


def _checkpoints(found: Arrays) -> Iterator[Record]:
    """The last one carries what a resume needs."""
    steps = found.get("checkpoints/step", ())
    rest = {path: array for path, array in found.items() if path.startswith("checkpoints/") and path not in ("checkpoints/step", "checkpoints/parameters")}
    for index, step in enumerate(steps):
        arrays = {"checkpoints/parameters": found["checkpoints/parameters"][index]}
        yield Record(FrameType.CHECKPOINT, int(step), {}, arrays | (rest if index == len(steps) - 1 else {}))


def _end(contents: Contents, found: Arrays) -> Record:
    arrays = {path: array for path, array in found.items() if path.partition("/")[0] in ("final", "predictions")}
    return Record(FrameType.END, 0, {"status": contents.facts.status}, arrays)
