"""A journal that is read while it grows: once, and as the ordinary reader reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import synthetic_runs

from dlprobe.runs import RunWriter, StudyWriter, following, frames, open_single
from dlprobe.runs.following import FollowedRun, FollowedStudy
from dlprobe.runs.journal import journal_path


def followed(path: Path) -> FollowedRun:
    found = following.follow(journal_path(path))
    assert isinstance(found, FollowedRun)
    return found


def written(
    path: Path, most: int, monkeypatch: pytest.MonkeyPatch, steps: int = 1200
) -> tuple[FollowedRun, RunWriter]:
    """A run that was followed at every 100th step; `most` rows are kept of it."""
    monkeypatch.setattr(following, "_MOST", most)
    writer = RunWriter.create(path, synthetic_runs.description())
    found = followed(path)
    for start in range(0, steps, 100):
        synthetic_runs.write_rows(writer, start, start + 100, 10)
        synthetic_runs.evaluate(writer, start + 100)
        writer.checkpoint(start + 100, synthetic_runs.parameters_at(start + 100))
        writer.instruments(start + 100, synthetic_runs.measured_at(start + 100))
        assert found.grow()
        assert found.last_step == start + 99
    return found, writer


@pytest.mark.parametrize("most", [5000, 500, 60])
def test_it_is_the_run_recorded_less_often_and_no_byte_is_read_twice(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, writer = written(tmp_path / "run.h5", most, monkeypatch)
    run, whole = found.run, open_single(tmp_path / "run.h5")
    stride = int(run.steps[1])
    assert (len(run.steps) <= most, stride) == (True, {5000: 1, 500: 4, 60: 32}[most])
    np.testing.assert_array_equal(run.steps, whole.steps[::stride])
    for name in whole.statistics:
        np.testing.assert_array_equal(run.statistic(name), whole.statistic(name)[::stride])
    for name, values in {**whole.evaluations, **whole.instruments}.items():
        np.testing.assert_array_equal(({**run.evaluations, **run.instruments})[name], values)
    size = journal_path(tmp_path / "run.h5").stat().st_size
    assert (size if stride < frames.FAR else 0) <= found.source.bytes_read <= size
    writer.close()


def test_it_stops_in_time_and_says_how_much_is_left(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with RunWriter.create(path, synthetic_runs.description()) as writer:
        for start in range(0, 500, 100):
            synthetic_runs.write_rows(writer, start, start + 100, 10)
            writer.flush()
        found, left = followed(path), []
        while not left or left[-1]:
            assert found.grow(0.0)
            left.append(found.source.behind)
            assert found.last_step == 100 * len(left) - 1
    frame, rest = left[-2], left[0]
    assert (len(left), 0 < frame < rest) == (5, True)
    assert rest <= journal_path(path).stat().st_size


def test_a_run_that_goes_on_from_an_earlier_step_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a frame that a killed writer tore is replaced under the reader."""
    path = tmp_path / "run.h5"
    found, writer = written(path, 5000, monkeypatch, steps=300)
    writer.close()
    with journal_path(path).open("ab") as file:
        file.write(b"\x89DLP\x02\0\0\0 torn")
    assert not found.grow()
    assert not found.source.is_written
    with RunWriter.resume(open_single(path), synthetic_runs.description(), 150) as again:
        synthetic_runs.write_rows(again, 150, 200, 10)
        again.flush()
        assert found.grow()
        assert found.source.is_written
        np.testing.assert_array_equal(found.run.steps, open_single(path).steps)
        np.testing.assert_array_equal(found.run.evaluations["step"], [100])
        again.end("finished", {"steps_done": 200})
    found.grow()
    assert (found.has_ended, found.run.status, found.last_step) == (True, "finished", 199)


def test_a_dead_writer_is_told_from_a_damaged_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.h5"
    found, writer = written(path, 5000, monkeypatch, steps=300)
    writer.close()
    found.abandon()
    assert (found.run.status, found.run.damage) == ("interrupted", None)
    with journal_path(path).open("ab") as file:
        file.write(b"something else")
    found.abandon()
    assert "damaged at byte" in str(found.run.damage)


def test_each_run_of_a_study_is_given_once(tmp_path: Path) -> None:
    path = tmp_path / "study.h5"
    with StudyWriter.create(path, {"experiment": "compare", "axes": {"seed": [0, 1, 2]}}) as writer:
        found = following.follow(journal_path(path))
        assert isinstance(found, FollowedStudy)
        seen = []
        for seed in range(3):
            run = RunWriter.create(None, synthetic_runs.description())
            synthetic_runs.write_rows(run, 0, 10 + seed, 5)
            run.end("finished", {})
            writer.run(f"seed_{seed}", run.bytes(), {"seed": seed})
            seen += [
                (ended.id, ended.coordinates, len(ended.run.steps)) for ended in found.new_runs()
            ]
        assert seen == [(f"seed_{seed}", {"seed": seed}, 10 + seed) for seed in range(3)]
        assert (list(found.new_runs()), found.has_ended) == ([], False)
        writer.end()
        assert (list(found.new_runs()), found.has_ended, found.status) == ([], True, "finished")
        assert found.source.bytes_read <= 1.01 * journal_path(path).stat().st_size
