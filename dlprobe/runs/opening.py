"""Opening a run or study, whatever state it is in: packed, still being written, or left by a
killed process.
"""

from __future__ import annotations

import os
import shlex
import warnings
from pathlib import Path

from dlprobe.errors import DlprobeWarning, RunFileError
from dlprobe.hdf5.files import open_regular, printable, read_at
from dlprobe.record import layout
from dlprobe.registry import counted
from dlprobe.runs import frames, journal
from dlprobe.runs.journal_contents import JournalContents, first_payload
from dlprobe.runs.reader import Run
from dlprobe.runs.sources import FileSource
from dlprobe.runs.study import Study, journal_study, packed_study


def open_run(path: Path | str) -> Run | Study:
    """The run or study at `path`: `NAME.h5`, or its journal where it is not packed yet; a journal
    can also be named itself. `STUDY.h5#ID`: a run of it.

    Raises RunFileError, one line, where the file is missing, empty, cut, damaged, hostile, of a
    newer format or no run file. Damage in the middle of a journal is a DlprobeWarning, and `damage`
    of what is returned: everything before it is there.
    """
    found = _find(Path(path))
    file, id = run_of_study(path)
    if id:
        return _open_member(Path(file), id)
    try:
        descriptor = open_regular(found)
    except RunFileError:
        if found == Path(path) or not os.path.lexists(path):
            raise
        return _open_packed(Path(path))  # at this moment its journal became the file
    if read_at(descriptor, 0, 4) == frames.MAGIC or found.name.endswith(journal.SUFFIX):
        return _open_journal(descriptor, found)
    os.close(descriptor)
    return _open_packed(found)


def run_of_study(path: Path | str) -> tuple[str, str]:
    """(study file, run id) of `STUDY.h5#ID`; no id for the name of a file that exists, or of
    one without `#`.
    """
    file, mark, id = str(path).rpartition("#")
    return (
        (file, id) if mark and file and not os.path.lexists(_find(Path(path))) else (str(path), "")
    )


def refuse_member(path: Path, instead: str) -> None:
    """Raise RunFileError for STUDY#ID where a file of its own is needed. instead: what is to be
    done, `{study}` filled in.
    """
    study, id = run_of_study(path)
    if id:
        raise RunFileError(
            f"{printable(path)} is a run of a study, which has no file of its own: "
            f"{instead.format(study=printable(study))}"
        )


def _open_member(path: Path, id: str) -> Run:
    """A run of a study, which is closed with it."""
    study = open_run(path)
    if isinstance(study, Study) and id in study.runs:
        run = study.member(id)
        run.close_study = study.close
        return run
    study.close()
    lists = f"dlprobe inspect {shlex.quote(str(path))}"
    if isinstance(study, Run):
        raise RunFileError(f"{printable(path)} is a single run: leave #{printable(id)} out")
    raise RunFileError(
        f"{printable(path)} has no run {printable(id)}: {lists} lists those that it has"
    )


def open_single(path: Path | str) -> Run:
    """Open a single run, for what works on one run only. Raises RunFileError for a study."""
    found = open_run(path)
    if isinstance(found, Study):
        found.close()
        one = f"give a file that `dlprobe train` wrote, or {printable(path)}#ID"
        raise RunFileError(
            f"{printable(Path(path))} is a study of {counted(len(found.runs), 'run')}, one "
            f"run is needed here: {one}"
        )
    return found


def _find(path: Path) -> Path:
    """`path`, or its journal. Asked twice: a run that ends at this moment turns from one into
    the other.
    """
    for _ in range(2):
        for candidate in (path, journal.journal_path(path) if path.name else path):
            if os.path.lexists(candidate):
                return candidate
    return path


def _open_journal(descriptor: int, path: Path) -> Run | Study:
    source = FileSource(descriptor, path)
    running = journal.is_locked(descriptor)
    if first_payload(source).meta.get("schema") == layout.STUDY_SCHEMA:
        study = journal_study(source, running, path)
        _report(study.damage)
        return study
    run = Run(JournalContents(source, running), path)
    _report(run.damage)
    return run


def _open_packed(path: Path) -> Run | Study:
    from dlprobe.hdf5.guard import GuardedFile
    from dlprobe.runs.packed_contents import PackedContents

    file = GuardedFile(path)
    try:
        if file.text("/", "schema") == layout.STUDY_SCHEMA:
            return packed_study(file, path)
        return Run(PackedContents(file), path)
    except BaseException:
        file.close()
        raise


def _report(damage: str | None) -> None:
    if damage:
        warnings.warn(damage, DlprobeWarning, stacklevel=3)
