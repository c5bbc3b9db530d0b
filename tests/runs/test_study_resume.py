"""Studies go on: what had ended stays, whatever state the file was in, and the end is the same
as without a break.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import synthetic_runs

import dlprobe
from dlprobe.errors import RunFileError
from dlprobe.runs import Study, StudyWriter
from dlprobe.runs.journal import journal_path

FIRST, LAST = ("a", "b"), ("c", "d")


def add(writer: StudyWriter, ids: tuple[str, ...]) -> None:
    for id in ids:
        writer.run(id, synthetic_runs.write(None, 30, seed=ord(id)).bytes(), {"name": id})


def begin(path: Path, ids: tuple[str, ...] = FIRST) -> StudyWriter:
    writer = StudyWriter.create(path, {"experiment": "letters", "axes": {"name": list(ids)}})
    add(writer, ids)
    return writer


def go_on(path: Path) -> Study:
    with StudyWriter.resume(
        path, {"experiment": "letters", "axes": {"name": [*FIRST, *LAST]}}
    ) as writer:
        assert writer.ids == set(FIRST)
        add(writer, LAST)
        writer.end({"n": [4]})
        study = dlprobe.open_run(writer.pack())
    assert isinstance(study, Study)
    return study


def whole(path: Path) -> Study:
    writer = begin(path, (*FIRST, *LAST))
    writer.end({"n": [4]})
    study = dlprobe.open_run(writer.pack())
    assert isinstance(study, Study)
    return study


@pytest.mark.parametrize("state", ["killed", "torn", "ended", "packed", "packed beside a leftover"])
def test_study_goes_on_from_every_state_and_ends_as_without_a_break(
    tmp_path: Path, state: str
) -> None:
    path = tmp_path / "study.h5"
    writer = begin(path)
    if state not in ("killed", "torn"):
        writer.end({"n": [2]}, "interrupted")
    if state.startswith("packed"):
        writer.pack()
    writer.close()
    if state == "torn":
        with journal_path(path).open("ab") as file:
            file.write(b"\x89DLP\x08\x00")
    if state == "packed beside a leftover":
        journal_path(path).write_bytes(b"")
    with whole(tmp_path / "whole.h5") as expected, go_on(path) as study:
        assert study.content_sha256 == expected.content_sha256
        assert (study.status, study.axes) == ("finished", {"name": ["a", "b", "c", "d"]})
        assert study.coordinates["a"] == {"name": "a"}
        assert study.table["n"].tolist() == [4]
    assert not journal_path(path).exists()


def test_study_that_goes_on_has_no_end_yet(tmp_path: Path) -> None:
    path = tmp_path / "study.h5"
    writer = begin(path)
    writer.end({"n": [2]})
    writer.close()
    with StudyWriter.resume(path, {"experiment": "letters"}):
        study = dlprobe.open_run(path)
        assert isinstance(study, Study)
        assert (study.status, study.table, list(study.runs)) == ("running", {}, ["a", "b"])


def test_packed_run_that_somebody_changed_is_not_gone_on_with(tmp_path: Path) -> None:
    import h5py

    writer = begin(tmp_path / "study.h5")
    writer.end()
    path = writer.pack()
    before = path.stat().st_size
    with h5py.File(path, "r+") as file:
        file["runs/a/scalars/batch_loss"][3] += 1.0
    with pytest.raises(RunFileError, match="not what its hash says"):
        StudyWriter.resume(path, {})
    assert path.stat().st_size == before
    assert not journal_path(path).exists()


def test_only_a_dead_study_goes_on(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="no such study"):
        StudyWriter.resume(tmp_path / "none.h5", {})
    single = synthetic_runs.write(tmp_path / "run.h5", 30).pack()
    with pytest.raises(RunFileError, match="is a single run"):
        StudyWriter.resume(single, {})
    with (
        begin(tmp_path / "study.h5"),
        pytest.raises(RunFileError, match="is being written by process"),
    ):
        StudyWriter.resume(tmp_path / "study.h5", {})
