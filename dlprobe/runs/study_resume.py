"""Going on with a study: its journal is taken over, or made again from the packed file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlprobe.errors import RunFileError
from dlprobe.hdf5.files import printable
from dlprobe.record import layout
from dlprobe.runs import frames, journal
from dlprobe.runs.frames import FrameType, Record, Tail
from dlprobe.runs.sources import FileSource
from dlprobe.runs.study import Study, journal_study


def run_record(id: str, run_bytes: bytes, coordinates: Mapping[str, Any]) -> Record:
    """One finished run in a study's journal."""
    return Record(
        FrameType.RUN,
        0,
        {"id": id, "coordinates": dict(coordinates)},
        {"journal": np.frombuffer(run_bytes, "u1")},
    )


def reopened(path: Path) -> tuple[journal.FileSink, Tail, list[str]]:
    """The locked journal of the study `path`, where its next frame goes, and the ids of its runs.

    A packed study gets its journal back; the packed file stays until the caller removes it. Raises
    RunFileError, see StudyWriter.resume.
    """
    if os.path.lexists(path):
        return _from_packed(path)
    if not os.path.lexists(journal.journal_path(path)):
        raise RunFileError(f"{printable(path)}: no such study: begin it with -o {printable(path)}")
    return _taken_over(path)


def _taken_over(path: Path) -> tuple[journal.FileSink, Tail, list[str]]:
    sink = journal.take(journal.journal_path(path))
    try:
        source = FileSource(os.dup(sink.descriptor), sink.path)
        scan = frames.scan(source, frames.STUDY_FRAMES)
        study = _checked(journal_study(source, False, path), path)
        return sink, scan.tail, list(study.runs)
    except BaseException:
        sink.close()
        raise


def _from_packed(path: Path) -> tuple[journal.FileSink, Tail, list[str]]:
    """A crash before the packed file is removed leaves both; the packed one is whole, so the
    journal is made anew then.
    """
    from dlprobe.runs.opening import open_run
    from dlprobe.runs.packed_contents import PackedContents
    from dlprobe.runs.unpack import unpack

    opened = open_run(path)
    with opened:
        study = _checked(opened, path)
        sink = journal.create(path, force=True)
        sink.copied_from = path
        try:
            tail = sink.append(Tail.of_nothing(), Record(FrameType.CONFIG, 0, _meta(study), {}))
            for id in study.runs:
                contents = study.runs.open(id).contents
                assert isinstance(contents, PackedContents)
                tail = sink.append(
                    tail, run_record(id, unpack(contents.itself()), study.coordinates[id])
                )
            sink.sync()
        except BaseException:
            sink.path.unlink(missing_ok=True)
            sink.close()
            raise
        return sink, tail, list(study.runs)


def _meta(study: Study) -> dict[str, Any]:
    return {
        "schema": layout.STUDY_SCHEMA,
        "schema_version": list(layout.SCHEMA_VERSION),
        "description": study.description,
        "writer": journal.writer_facts(),
    }


def _checked(found: Any, path: Path) -> Study:
    if not isinstance(found, Study):
        raise RunFileError(
            f"{printable(path)} is a single run: only studies go on run by run; give a study file"
        )
    if found.damage:
        raise RunFileError(
            f"{found.damage}; it is not gone on with, so that nothing is lost: begin a new "
            "study with -o"
        )
    return found
