"""Going on with a run: its journal is taken over, or made again from the packed file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlprobe.errors import RunFileError
from dlprobe.hdf5.files import printable
from dlprobe.runs import journal, unpack
from dlprobe.runs.frames import FrameType, Record, Tail
from dlprobe.runs.journal_contents import JournalContents

if TYPE_CHECKING:
    from dlprobe.runs.reader import Run


def resume_record(step: int, config: Mapping[str, Any], environment: Mapping[str, Any]) -> Record:
    """The frame that makes everything of `step` and later void; the run has this configuration
    and environment from now on.
    """
    meta = {
        "config": dict(config),
        "environment": dict(environment),
        "writer": journal.writer_facts(),
    }
    return Record(FrameType.RESUME, step, meta, {})


def packed_path(run: Run) -> Path:
    """`NAME.h5` of a run, packed or not."""
    assert run.path is not None, "a run in memory is not gone on with"
    return run.path.with_name(run.path.name.removesuffix(journal.SUFFIX))


def reopened(run: Run, step: int) -> tuple[journal.FileSink, Tail, int]:
    """The locked journal of a run as it was read, where its next frame goes, and the last recorded
    step before `step`.

    A packed run gets its journal back; the packed file stays until the caller removes it. Raises
    RunFileError, see RunWriter.resume.
    """
    last = int(np.searchsorted(run.steps, step)) - 1
    sink, tail = (
        _taken_over(run.contents, packed_path(run))
        if isinstance(run.contents, JournalContents)
        else _from_packed(run)
    )
    return sink, tail, int(run.steps[last]) if last >= 0 else -1


def _taken_over(contents: JournalContents, path: Path) -> tuple[journal.FileSink, Tail]:
    sink = journal.take(journal.journal_path(path))
    if os.fstat(sink.descriptor).st_size != contents.size or not contents.is_file(sink.descriptor):
        sink.close()
        raise RunFileError(
            f"{contents.name} was changed by another process while it was read: try again"
        )
    return sink, contents.tail


def _from_packed(run: Run) -> tuple[journal.FileSink, Tail]:
    path = packed_path(run)
    if run.computed_content_sha256() != run.content_sha256:
        raise RunFileError(
            f"{printable(path)} cannot be gone on with: its content is not what its hash "
            "says; train it again with -o"
        )
    sink = journal.create(path, force=True)
    sink.copied_from = path
    try:
        tail = Tail.of_nothing()
        for record in unpack.records(run.contents):
            tail = sink.append(tail, record)
        sink.sync()
    except BaseException:
        sink.path.unlink(missing_ok=True)
        sink.close()
        raise
    return sink, tail
