"""What a packed study is made of: all its runs below `/runs/<id>`, and what it says of itself."""

from __future__ import annotations

import json

import numpy as np

from dlprobe.errors import RunFileError
from dlprobe.hdf5.writer import Below, PackedWriter
from dlprobe.record import layout
from dlprobe.record.values import texts
from dlprobe.runs.gathered import COORDINATES, ENDS, PIECES, gather
from dlprobe.runs.pack_run import Check, write_head, write_run
from dlprobe.runs.sources import FileSource
from dlprobe.runs.study import journal_study, study_sha256


def write_study(writer: PackedWriter, source: FileSource, check: Check) -> None:
    """All of a study's journal into a file that is being written."""
    study = journal_study(source, False, source.path)
    if study.damage:
        raise RunFileError(
            f"{study.damage}; it is not packed, so that nothing is lost: read what is left "
            f"with `dlprobe inspect {source.name}`"
        )
    hashes, pieces = {}, []
    for id in study.runs:
        contents = study.runs.open(id).contents
        place = {"coordinates": json.dumps(study.coordinates[id])}
        facts, declared, whole = write_run(writer, contents, f"runs/{id}", check, place)
        hashes[id] = str(facts.content_sha256)
        pieces.append(gather(contents, facts, declared, whole))
        writer.release(f"runs/{id}/")
    write_head(Below(writer, ""), layout.STUDY_SCHEMA, study.status)
    writer.text("/", "content_sha256", study_sha256(hashes))
    writer.group("study")
    writer.text(
        "study",
        "json",
        json.dumps({"description": study.description, "columns": list(study.table)}),
    )
    gathered = {
        PIECES: np.frombuffer(b"".join(pieces), "u1"),
        ENDS: np.cumsum([len(piece) for piece in pieces], dtype="<i8"),
        COORDINATES: np.array(
            [json.dumps(study.coordinates[id]).encode() for id in study.runs], "S"
        ),
    }
    columns = {
        f"study/table/{name}": texts(column) if isinstance(column, tuple) else column
        for name, column in study.table.items()
    }
    arrays = {"study/run_id": texts(study.runs), **columns, **(gathered if pieces else {})}
    for path, column in arrays.items():
        # pieces are read more often than they are written, and hold floats above all
        writer.data_set(path, column.dtype, column.shape, noise=path == PIECES)
        writer.append(path, column)
    _label(writer, {path: len(column) for path, column in arrays.items()})


def _label(writer: PackedWriter, lengths: dict[str, int]) -> None:
    """Name the axis of each data set of the study itself: `run`, `byte`, and of its table
    `Row`, which no column is called.
    """
    axes = {
        path: "study/table/Row"
        if path.startswith("study/table/")
        else "study/byte"
        if path == PIECES
        else "study/run"
        for path in lengths
    }
    for axis in dict.fromkeys(axes.values()):
        writer.dimension(
            axis, next(length for path, length in lengths.items() if axes[path] == axis)
        )
    for path, axis in axes.items():
        writer.attach(path, 0, axis)
