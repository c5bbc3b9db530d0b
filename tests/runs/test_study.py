"""Studies: many runs in one file, each readable as a run of its own."""

from __future__ import annotations

import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
import synthetic_runs

import dlprobe
from dlprobe.errors import DlprobeWarning, RunFileError
from dlprobe.record import layout
from dlprobe.runs import Run, Study, StudyWriter, frames, pack_journal
from dlprobe.runs.frames import FrameType
from dlprobe.runs.journal import journal_path

DESCRIPTION = {"experiment": "gradients", "axes": {"depth": [10, 5], "seed": [0, 1]}}
TABLE = {
    "depth": [10, 5],
    "loss": [0.5, None],
    "verdict": ["vanishing", None],
    "count": np.array([1, 2]),
}


def _write(
    path: Path, ids: tuple[str, ...] = ("depth_10", "depth_5"), end: bool = True
) -> StudyWriter:
    writer = StudyWriter.create(path, DESCRIPTION)
    for id in ids:
        depth = int(id.removeprefix("depth_"))
        writer.run(id, synthetic_runs.write(None, depth * 10, seed=depth).bytes(), {"depth": depth})
    if end:
        writer.end(TABLE)
    return writer


def _open(path: Path) -> Study:
    study = dlprobe.open_run(path)
    assert isinstance(study, Study)
    return study


@pytest.mark.parametrize("pack", [False, True])
def test_a_study_reads_back_from_journal_and_packed_file(tmp_path: Path, pack: bool) -> None:
    writer = _write(tmp_path / "study.h5")
    if pack:
        writer.pack()
    writer.close()
    with _open(tmp_path / "study.h5") as study:
        assert list(study.runs) == ["depth_5", "depth_10"]
        assert (study.status, study.axes, study.description) == (
            "finished",
            DESCRIPTION["axes"],
            DESCRIPTION,
        )
        assert study.coordinates == {"depth_5": {"depth": 5}, "depth_10": {"depth": 10}}
        assert study.table["depth"].tolist() == [10, 5]
        assert study.table["count"].dtype == np.int64
        np.testing.assert_array_equal(study.table["loss"], [0.5, np.nan])
        assert study.table["verdict"] == ("vanishing", "")
        for id, run in study.runs.items():
            assert len(run.statistic("gradient_rms")) == int(id.removeprefix("depth_")) * 10
            assert run.status == "finished"
            assert run.content_sha256 == run.computed_content_sha256()


def test_runs_of_a_study_have_the_hash_of_the_same_run_alone(tmp_path: Path) -> None:
    alone = dlprobe.open_run(synthetic_runs.write(tmp_path / "run.h5", 50, seed=5).pack())
    study = _open(_write(tmp_path / "study.h5").pack())
    assert isinstance(alone, Run)
    assert study.runs["depth_5"].content_sha256 == alone.content_sha256
    assert study.runs["depth_5"].parameters_sha256 == alone.parameters_sha256


def test_the_packed_study_does_not_show_in_which_order_runs_finished(tmp_path: Path) -> None:
    paths = [
        _write(tmp_path / name, ids).pack()
        for name, ids in (("a.h5", ("depth_10", "depth_5")), ("b.h5", ("depth_5", "depth_10")))
    ]
    studies = [_open(path) for path in paths]
    assert studies[0].content_sha256 == studies[1].content_sha256
    with h5py.File(paths[0]) as file:
        assert file.attrs["content_sha256"].decode() == studies[0].content_sha256


def test_each_run_in_the_file_has_the_layout_of_a_run(tmp_path: Path) -> None:
    with h5py.File(_write(tmp_path / "study.h5").pack()) as file:
        run = file["runs/depth_5"]
        assert {
            "layers",
            "stats",
            "scalars",
            "evaluations",
            "final",
            "data",
            "predictions",
            "checkpoints",
            "initial",
            "environment",
        } <= set(run)
        assert run["stats/gradient_rms"].dims[0][0].name == "/runs/depth_5/stats/step"
        assert run.attrs["status"] == b"finished"
        assert file["study/run_id"][:].tolist() == [b"depth_5", b"depth_10"]


def test_a_study_that_died_keeps_its_finished_runs(tmp_path: Path) -> None:
    path = tmp_path / "study.h5"
    with _write(path, end=False):
        assert _open(path).status == "running"
    content = journal_path(path).read_bytes()
    journal_path(path).write_bytes(content[:-100])  # the second run's frame is torn
    study = _open(path)
    assert (study.status, list(study.runs), study.table, study.damage) == (
        "interrupted",
        ["depth_10"],
        {},
        None,
    )
    packed = _open(pack_journal(path))
    assert (packed.status, list(packed.runs), packed.table) == ("interrupted", ["depth_10"], {})


def test_damage_in_the_middle_of_a_study_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "study.h5"
    _write(path).close()
    content = bytearray(journal_path(path).read_bytes())
    content[len(content) - 10_000] ^= 1
    journal_path(path).write_bytes(content)
    with pytest.warns(DlprobeWarning, match="is damaged at byte"):
        assert list(_open(path).runs) == ["depth_10"]
    with pytest.raises(RunFileError, match="is not packed"):
        pack_journal(path)


def test_several_threads_may_hand_in_runs(tmp_path: Path) -> None:
    writer = StudyWriter.create(tmp_path / "study.h5", DESCRIPTION)
    threads = [
        threading.Thread(
            target=lambda n=n: [
                writer.run(f"{n}-{k}", synthetic_runs.write(None, 20, seed=n).bytes())
                for k in range(5)
            ]
        )
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.end()
    study = _open(writer.pack())
    assert len(study.runs) == 20
    assert all(len(run.statistic("gradient_rms")) == 20 for run in study.runs.values())


def test_files_are_packed_and_read_in_several_threads_at_once(tmp_path: Path) -> None:
    results: list[int] = []

    def work(number: int) -> None:
        path = synthetic_runs.write(tmp_path / f"{number}.h5", 2000, block=100).pack()
        results.append(len(dlprobe.open_run(path).statistic("gradient_rms")))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [2000] * 4


@pytest.mark.parametrize("id", ["", "../a", "a/b", ".hidden", "a b", "ü", "x" * 129, "a\n"])
def test_ids_are_plain_names(tmp_path: Path, id: str) -> None:
    with (
        StudyWriter.create(tmp_path / "study.h5", {}) as writer,
        pytest.raises(ValueError, match="run id"),
    ):
        writer.run(id, b"")


def test_an_id_is_taken_once_and_tables_have_equal_columns(tmp_path: Path) -> None:
    with _write(tmp_path / "study.h5", end=False) as writer:
        with pytest.raises(ValueError, match="is taken"):
            writer.run("depth_5", b"")
        with pytest.raises(ValueError, match="columns of one length"):
            writer.end({"a": [1, 2], "b": [1]})
        with pytest.raises(ValueError, match="columns of one length"):
            writer.end({"../a": [1, 2]})


@pytest.mark.parametrize(
    "columns",
    [{"loss": np.array(1.0)}, {"loss": np.arange(2), "n": np.arange(3)}, {"a/b": np.arange(2)}],
)
def test_a_table_that_is_none_is_one_clear_line(
    columns: dict[str, np.ndarray], tmp_path: Path
) -> None:
    first = {"schema": layout.STUDY_SCHEMA, "schema_version": list(layout.SCHEMA_VERSION)}
    table = {f"table/{name}": column for name, column in columns.items()}
    journal = journal_path(tmp_path / "study.h5")
    journal.write_bytes(
        frames.journal_of(
            [
                frames.Record(FrameType.CONFIG, 0, first, {}),
                frames.Record(FrameType.END, 0, {"status": "finished"}, table),
            ]
        )
    )
    with pytest.raises(RunFileError, match="its table cannot be read"):
        dlprobe.open_run(journal)


def test_a_second_study_on_the_same_path_is_refused(tmp_path: Path) -> None:
    with (
        _write(tmp_path / "study.h5"),
        pytest.raises(RunFileError, match="is being written by process"),
    ):
        StudyWriter.create(tmp_path / "study.h5", {}, force=True)
