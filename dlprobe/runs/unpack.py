"""A packed run as a journal again, so that a packed run or study can go on: the opposite of
packing, proved by the content hash.
"""

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
_FRAME = 2**22  # bytes of statistics in one frame


def unpack(contents: Contents) -> bytes:
    """The journal of a packed run. Raises RunFileError where it would not hold the same
    content: the file was changed, or another dlprobe wrote it.
    """
    journal_bytes = frames.journal_of(records(contents))
    stated = contents.facts.content_sha256
    if stated != content.content_sha256(
        JournalContents(MemorySource(journal_bytes, contents.name))
    ):
        raise RunFileError(
            f"{contents.name} cannot be gone on with: its content is not what its hash says; "
            "start the study anew with -o"
        )
    return journal_bytes


def records(contents: Contents) -> Iterator[Record]:
    """The frames of a packed run's journal, one after the other in bounded memory but for what
    is small: all but rows and checkpoints.
    """
    known, shapes = layout.data_sets(), contents.shapes()
    large = (
        "checkpoints/parameters",
        *(path for path in shapes if known[path].dims[:1] == ("step",)),
    )
    arrays = {path: contents.read(path) for path in shapes if path not in large}
    yield _config(contents, arrays)
    yield from _rows(contents, arrays)
    yield from _evaluations(arrays)
    yield from _measurements(arrays)
    yield from _checkpoints(contents, arrays)
    yield _end(contents, arrays)


def _columns(contents: Contents, group: str) -> list[str]:
    """Names of the statistics or scalars that are there, in the layout table's order; steps and
    layer numbers are no columns.
    """
    return [
        path.partition("/")[2]
        for path in contents.shapes()
        if path.startswith(f"{group}/") and path not in ("stats/step", "stats/layer")
    ]


def _config(contents: Contents, arrays: Arrays) -> Record:
    facts = contents.facts
    meta = {
        "schema": layout.SCHEMA,
        "schema_version": list(layout.SCHEMA_VERSION),
        "origin": facts.origin,
        "config": facts.config,
        "environment": facts.environment,
        "real": _real(contents).str,
        "statistics": _columns(contents, "stats"),
        "scalars": _columns(contents, "scalars"),
        "writer": journal.writer_facts(),
        "copied_from": facts.content_sha256,
    }
    first = {
        path: array
        for path, array in arrays.items()
        if path.partition("/")[0] in ("layers", "facts", "data", "initial")
        or path in ("tracked/layer", "tracked/unit")
    }
    return Record(FrameType.CONFIG, 0, meta, first)


def _real(contents: Contents) -> np.dtype[Any]:
    """The run's float dtype, little-endian: that of its statistics."""
    shapes = contents.shapes()
    named = [shapes[f"stats/{name}"][0] for name in _columns(contents, "stats")]
    return next(
        iter((*named, shapes.get("initial/parameters", (np.dtype("f4"), ()))[0]))
    ).newbyteorder("<")


def _rows(contents: Contents, found: Arrays) -> Iterator[Record]:
    """Rows in frames of some MiB; the times of all blocks are in the first."""
    count, layers, real = (
        contents.shapes()["stats/step"][1][0],
        len(found["layers/name"]),
        _real(contents),
    )
    statistics, scalars = _columns(contents, "stats"), _columns(contents, "scalars")
    some = max(_FRAME // max(layers * len(statistics) * real.itemsize, 1), 1)
    times = {
        path: found.get(path, np.empty(0, dtype))
        for path, dtype in (("timing/step", "<i8"), ("timing/step_seconds", "<f8"))
    }
    for start in range(0, count, some):
        stop = min(start + some, count)
        steps = contents.read_rows("stats/step", start, stop)
        arrays = {
            "step": steps,
            "statistics": _stacked(
                [contents.read_rows(f"stats/{name}", start, stop) for name in statistics],
                (stop - start, layers),
                real,
            ),
            "scalars": _stacked(
                [contents.read_rows(f"scalars/{name}", start, stop) for name in scalars],
                (stop - start,),
                np.dtype("<f8"),
            ),
            **(times if start == 0 else {path: array[:0] for path, array in times.items()}),
        }
        yield Record(FrameType.ROWS, int(steps[0]), {}, arrays)


def _stacked(
    columns: list[NDArray[Any]], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    return np.stack(columns, axis=-1) if columns else np.empty((*shape, 0), dtype)


def _per_step(
    arrays: Arrays, type: FrameType, step_path: str, paths: list[str]
) -> Iterator[Record]:
    """One frame for each entry of what is counted by one dimension."""
    for index, step in enumerate(arrays.get(step_path, ())):
        yield Record(type, int(step), {}, {path: arrays[path][index] for path in paths})


def _evaluations(arrays: Arrays) -> Iterator[Record]:
    """All in one frame."""
    counted = {path: arrays[path] for path in _counted(arrays, "evaluation")}
    steps = counted.get("evaluations/step", np.empty(0, "<i8"))
    if len(steps):
        yield Record(FrameType.EVALUATIONS, int(steps[0]), {}, counted)


def _measurements(arrays: Arrays) -> Iterator[Record]:
    for dim, step_path in (("histogram", "histograms/step"), ("tracked", "tracked/step")):
        yield from _per_step(
            arrays,
            FrameType.HISTOGRAM,
            step_path,
            [path for path in _counted(arrays, dim) if path != step_path],
        )


def _counted(arrays: Arrays, dim: str) -> list[str]:
    known = layout.data_sets()
    return [path for path in arrays if known[path].dims[:1] == (dim,)]


def _checkpoints(contents: Contents, found: Arrays) -> Iterator[Record]:
    """The last one carries what a resume needs; without one, that is a frame of its own."""
    steps = found.get("checkpoints/step", np.empty(0, "<i8"))
    state = {
        path: array
        for path, array in found.items()
        if path.startswith("checkpoints/") and path != "checkpoints/step"
    }
    for index, step in enumerate(steps):
        arrays = {
            "checkpoints/parameters": contents.read_rows(
                "checkpoints/parameters", index, index + 1
            )[0]
        }
        yield Record(
            FrameType.CHECKPOINT, int(step), {}, arrays | (state if index == len(steps) - 1 else {})
        )
    if not len(steps) and "checkpoints/counters" in state:
        yield Record(FrameType.STATE, int(state["checkpoints/counters"][0]), {}, state)


def _end(contents: Contents, found: Arrays) -> Record:
    arrays = {
        path: array
        for path, array in found.items()
        if path.partition("/")[0] in ("final", "predictions")
    }
    return Record(FrameType.END, 0, {"status": contents.facts.status}, arrays)
