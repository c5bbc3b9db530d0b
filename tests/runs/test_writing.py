"""Writing: nobody's run is overwritten, nothing is lost on a full disk or Ctrl-C, and rows
leave in time.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic_runs
from file_calls import recorded

import dlprobe
from dlprobe.errors import RunFileError
from dlprobe.runs import RunWriter, StudyWriter, journal, opening, pack_journal, pack_run
from dlprobe.runs import writer as run_writer
from dlprobe.runs.frames import FrameType, scan
from dlprobe.runs.sources import MemorySource


def _one_line(error: pytest.ExceptionInfo[RunFileError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_second_writer_learns_who_writes_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with RunWriter.create(path, synthetic_runs.description()) as writer:
        synthetic_runs.write_rows(writer, 0, 10, 5)
        writer.flush()
        before = journal.journal_path(path).read_bytes()
        for force in (False, True):
            with pytest.raises(RunFileError) as error:
                RunWriter.create(path, synthetic_runs.description(), force)
            assert f"run.h5 is being written by process {os.getpid()} on " in _one_line(error)
            assert " since 2" in str(error.value)
        assert journal.journal_path(path).read_bytes() == before
        with pytest.raises(RunFileError, match="is being written by process"):
            pack_journal(path)


def test_a_reader_never_stands_in_a_writers_way(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with RunWriter.create(path, synthetic_runs.description()) as writer:
        synthetic_runs.finish(writer, 0)
        with dlprobe.open_run(path) as run:
            assert run.status == "finished"
            writer.pack()
            assert len(run.steps) == 0
    assert sorted(item.name for item in tmp_path.iterdir()) == ["run.h5"]


def test_an_old_run_goes_when_the_name_of_the_new_journal_is_on_the_disk(tmp_path: Path) -> None:
    path = synthetic_runs.write(tmp_path / "run.h5", 5).pack()
    calls = recorded(
        tmp_path,
        lambda: RunWriter.create(path, synthetic_runs.description(), force=True).close(),
    )
    assert [(call.name, Path(call.path).name) for call in calls] == [
        ("open", "run.h5.journal"),
        ("write", "run.h5.journal"),
        ("fsync", "run.h5.journal"),
        ("fsync", tmp_path.name),
        ("unlink", "run.h5"),
    ]


def test_a_journal_whose_first_frame_a_power_cut_took_goes_beside_the_whole_file(
    tmp_path: Path,
) -> None:
    path = synthetic_runs.write(tmp_path / "run.h5", 20).pack()
    journal_path = journal.journal_path(path)
    journal_path.write_bytes(bytes(4096) + synthetic_runs.write(None, 20).bytes())
    assert pack_journal(path) == path
    assert not journal_path.exists()
    assert dlprobe.open_run(path).status == "finished"


def test_a_run_that_is_packed_while_it_is_opened_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, own = synthetic_runs.write(tmp_path / "run.h5", 20), opening.open_regular

    def open_late(path: Path) -> int:
        if not writer.packed:
            writer.pack()
        return own(path)

    monkeypatch.setattr(opening, "open_regular", open_late)
    assert len(dlprobe.open_run(tmp_path / "run.h5").steps) == 20


def test_a_file_that_is_written_into_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = synthetic_runs.write(tmp_path / "run.h5", 300).pack()
    with dlprobe.open_run(path) as run:
        before = path.stat()
        with path.open("r+b") as file:
            file.write(file.read(8))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        with pytest.raises(RunFileError, match="was changed while it was read: open it again"):
            run.statistic("gradient_rms")


def test_an_existing_run_is_overwritten_only_by_force(tmp_path: Path) -> None:
    path = synthetic_runs.write(tmp_path / "run.h5", 10).pack()
    before = path.read_bytes()
    with pytest.raises(
        RunFileError,
        match="exists already: choose another name with -o, or overwrite it with --force",
    ):
        RunWriter.create(path, synthetic_runs.description())
    assert path.read_bytes() == before
    assert len(dlprobe.open_run(synthetic_runs.write(path, 20, force=True).pack()).steps) == 20


def test_a_forced_run_that_dies_does_not_show_the_old_run(tmp_path: Path) -> None:
    path = synthetic_runs.write(tmp_path / "run.h5", 10).pack()
    RunWriter.create(path, synthetic_runs.description(), force=True).close()
    assert (dlprobe.open_run(path).status, len(dlprobe.open_run(path).steps)) == ("interrupted", 0)


def test_the_journal_of_a_dead_run_is_kept_without_force_and_can_be_packed(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with RunWriter.create(path, synthetic_runs.description()) as writer:
        synthetic_runs.write_rows(writer, 0, 100, 10)
    with pytest.raises(RunFileError, match=r"run\.h5\.journal is left of an interrupted run"):
        RunWriter.create(path, synthetic_runs.description())
    assert pack_journal(path) == path
    assert sorted(item.name for item in tmp_path.iterdir()) == ["run.h5"]
    assert (dlprobe.open_run(path).status, len(dlprobe.open_run(path).steps)) == (
        "interrupted",
        100,
    )
    RunWriter.create(path, synthetic_runs.description(), force=True).close()


def test_a_journal_left_between_rename_and_delete_is_dropped_by_packing_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.h5"
    writer = synthetic_runs.write(path, 30)
    left = journal.journal_path(path).read_bytes()
    writer.pack()
    journal.journal_path(path).write_bytes(left)
    assert dlprobe.open_run(path).path == path
    pack_journal(path)
    assert not journal.journal_path(path).exists()


def test_packing_does_not_replace_another_run(tmp_path: Path) -> None:
    writer = synthetic_runs.write(tmp_path / "a.h5", 30)
    other = synthetic_runs.write(tmp_path / "b.h5", 20).pack()
    os.rename(other, tmp_path / "a.h5")
    with pytest.raises(RunFileError, match=r"exists already, so .*a\.h5\.journal stays"):
        writer.pack()
    with pytest.raises(RunFileError, match="is another run than"):
        pack_journal(tmp_path / "a.h5")
    assert len(dlprobe.open_run(tmp_path / "a.h5.journal").steps) == 30


def _full_after(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """os.write that takes `room` bytes, the last of them torn from a larger write, and then
    reports a full disk.
    """
    real, left = os.write, [room]

    def write(descriptor: int, data: bytes) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = real(descriptor, bytes(data)[: left[0]])
        left[0] -= written
        return written

    monkeypatch.setattr(os, "write", write)


def test_a_full_disk_keeps_what_was_recorded_and_later_rows_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.h5"
    writer = RunWriter.create(path, synthetic_runs.description())
    synthetic_runs.write_rows(writer, 0, 50, 10)
    writer.flush()
    with monkeypatch.context() as patch:
        _full_after(patch, 100)
        with pytest.raises(RunFileError) as error:
            synthetic_runs.evaluate(writer, 50)
        assert (
            "No space left on device. Everything recorded before is kept: make room"
            in _one_line(error)
        )
    assert len(dlprobe.open_run(path).steps) == 50
    synthetic_runs.write_rows(writer, 50, 70, 10)
    synthetic_runs.finish(writer, 70)
    assert dlprobe.open_run(writer.pack()).steps.tolist() == list(range(70))


@pytest.mark.parametrize("make", [RunWriter.create, StudyWriter.create])
def test_a_disk_that_is_full_at_once_keeps_nothing_and_does_not_say_so(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    description = synthetic_runs.description() if make == RunWriter.create else {}
    with monkeypatch.context() as patch:
        _full_after(patch, 100)
        with pytest.raises(RunFileError) as error:
            make(tmp_path / "run.h5", description)
    assert _one_line(error).endswith(
        "No space left on device. Nothing had been recorded: make room and begin again"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "write",
    [lambda writer: synthetic_runs.evaluate(writer, 0), lambda writer: writer.end("failed")],
)
def test_a_disk_that_is_full_before_the_first_row_keeps_nothing_and_does_not_say_so(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        RunWriter.create(tmp_path / "run.h5", synthetic_runs.description()) as writer,
        monkeypatch.context() as patch,
    ):
        _full_after(patch, 0)
        with pytest.raises(RunFileError, match="Nothing had been recorded"):
            write(writer)


def test_a_study_that_is_resumed_before_its_first_run_has_nothing_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    StudyWriter.create(tmp_path / "study.h5", {}).close()
    StudyWriter.resume(tmp_path / "study.h5", {}).close()
    with monkeypatch.context() as patch:
        _full_after(patch, 0)
        with pytest.raises(RunFileError, match="Nothing had been recorded"):
            StudyWriter.resume(tmp_path / "study.h5", {})


def test_what_helps_depends_on_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = synthetic_runs.write(tmp_path / "run.h5", 30)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(
            RunFileError,
            match=(
                r"Permission denied\. The journal .* stays and holds all that was recorded: put "
                r"that right, then"
            ),
        ):
            writer.pack()
    assert [item.name for item in tmp_path.iterdir()] == ["run.h5.journal"]


def test_what_appears_under_the_name_while_a_run_is_packed_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = synthetic_runs.write(tmp_path / "run.h5", 700)
    taken = pack_run._LevelWriter.take

    def meanwhile(*arguments: Any) -> None:
        (tmp_path / "run.h5").write_text("mine")
        taken(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(pack_run._LevelWriter, "take", meanwhile)
        with pytest.raises(RunFileError, match="exists already"):
            writer.pack()
    assert (tmp_path / "run.h5").read_text() == "mine"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["run.h5", "run.h5.journal"]


@pytest.mark.parametrize("hostile", ["link", "text", "folder"])
def test_packing_neither_follows_nor_removes_what_it_did_not_leave(
    hostile: str, tmp_path: Path
) -> None:
    writer = synthetic_runs.write(tmp_path / "run.h5", 30)
    (tmp_path / "mine.txt").write_text("mine")
    temporary = tmp_path / "run.h5.tmp"
    {
        "link": lambda: temporary.symlink_to("mine.txt"),
        "text": lambda: temporary.write_text("mine"),
        "folder": temporary.mkdir,
    }[hostile]()
    with pytest.raises(
        RunFileError,
        match=(
            r"run\.h5\.tmp stands where .*run\.h5 is packed, and no packing left it: move "
            r"it away"
        ),
    ):
        writer.pack()
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert os.path.lexists(temporary)
    assert len(dlprobe.open_run(tmp_path / "run.h5").steps) == 30


@pytest.mark.parametrize("left", [b"", b"\x89HDF\r\n\x1a\n half", bytes(5000)])
def test_what_a_killed_packing_left_goes_with_the_next_one(left: bytes, tmp_path: Path) -> None:
    writer = synthetic_runs.write(tmp_path / "run.h5", 30)
    (tmp_path / "run.h5.tmp").write_bytes(left)
    writer.pack()
    assert [item.name for item in tmp_path.iterdir()] == ["run.h5"]


@pytest.mark.parametrize("room", [0, 5000, 60_000])
def test_a_full_disk_while_packing_leaves_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    path = tmp_path / "run.h5"
    writer = synthetic_runs.write(path, 700)
    with monkeypatch.context() as patch:
        _full_after(patch, room)
        with pytest.raises(RunFileError) as error:
            writer.pack()
    assert "No space left on device. The journal" in _one_line(error)
    assert [item.name for item in tmp_path.iterdir()] == ["run.h5.journal"]
    assert len(dlprobe.open_run(pack_journal(path)).steps) == 700


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limits")
def test_a_file_size_limit_ends_in_one_line_and_no_crash(tmp_path: Path) -> None:
    program = """
import resource, signal, sys, pathlib
sys.path.insert(0, sys.argv[2])
import synthetic_runs
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = synthetic_runs.write(pathlib.Path(sys.argv[1]), 700)
sys.dont_write_bytecode = True  # half of it would be kept
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    writer.pack()
except Exception as error:
    print(type(error).__name__, error)
"""
    command = [
        sys.executable,
        "-c",
        program,
        str(tmp_path / "run.h5"),
        str(Path(synthetic_runs.__file__).parent),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(dlprobe.__file__).parent.parent,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("RunFileError")
    assert "File too large" in done.stdout
    assert len(dlprobe.open_run(tmp_path / "run.h5").steps) == 700


def test_ctrl_c_in_the_middle_of_a_frame_neither_loses_nor_repeats_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.h5"
    writer = RunWriter.create(path, synthetic_runs.description())
    writer.rows(0, np.arange(20), *synthetic_runs.rows_of(np.arange(20)), 0.1)
    real = os.write

    def torn(descriptor: int, data: bytes) -> int:
        real(descriptor, bytes(data)[:100])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", torn)
        with pytest.raises(KeyboardInterrupt):
            writer.evaluation(20, {"train_loss": 1.0})
    synthetic_runs.finish(writer, 20, status="interrupted")
    run = dlprobe.open_run(writer.pack())
    assert (run.status, run.steps.tolist()) == ("interrupted", list(range(20)))


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
def test_ctrl_c_while_packing_leaves_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.h5"
    writer = synthetic_runs.write(path, 700)
    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(pack_run._LevelWriter, "take", lambda *_: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            writer.pack()
    assert signal.getsignal(signal.SIGINT) == before
    assert [item.name for item in tmp_path.iterdir()] == ["run.h5.journal"]
    assert len(dlprobe.open_run(path).steps) == 700


def _frame_types(writer: RunWriter, path: Path) -> list[int]:
    return [
        frame.type for frame in scan(MemorySource(journal.journal_path(path).read_bytes())).frames
    ]


def test_rows_leave_within_a_quarter_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call every 60 ms: a row's frame leaves after 240 ms, since the next call at 300 ms
    would be too late.
    """
    clock = [100.0]
    monkeypatch.setattr(run_writer.time, "monotonic", lambda: clock[0])
    path = tmp_path / "run.h5"
    writer = RunWriter.create(path, synthetic_runs.description())
    written_at = []
    for step in range(12):
        clock[0] += 0.06
        before = len(_frame_types(writer, path))
        writer.rows(step, np.array([step]), *synthetic_runs.rows_of(np.array([step])), 0.06)
        if len(_frame_types(writer, path)) > before:
            written_at.append(step)
    assert written_at == [4, 9]  # rows 0 and 5 waited for four calls
    writer.close()


def test_big_blocks_go_at_once(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with RunWriter.create(path, synthetic_runs.description()) as writer:
        synthetic_runs.write_rows(writer, 0, 8000, 4000)
        assert _frame_types(writer, path).count(FrameType.ROWS) == 2


def test_the_buffers_of_the_caller_may_be_used_again(tmp_path: Path) -> None:
    writer = RunWriter.create(None, synthetic_runs.description())
    steps = np.arange(2)
    statistics, scalars = synthetic_runs.rows_of(steps)
    writer.rows(0, steps, statistics, scalars, 0.1)
    for buffer in (steps, statistics, scalars):
        buffer[:] = 77
    writer.rows(2, np.array([2]), *synthetic_runs.rows_of(np.array([2])), 0.1)
    (tmp_path / "a.h5.journal").write_bytes(writer.bytes())
    assert dlprobe.open_run(tmp_path / "a.h5").steps.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda w: w.rows(0, np.arange(2), *synthetic_runs.rows_of(np.arange(3)), 0.1),
            "rows of shapes",
        ),
        (
            lambda w: w.rows(0, np.array([3, 3]), *synthetic_runs.rows_of(np.arange(2)), 0.1),
            "steps must rise",
        ),
        (lambda w: w.evaluation(0, {"trian_loss": 1.0}), "did you mean 'train_loss'"),
        (lambda w: w.evaluation(0, {}, {"dead_fraction": np.ones((2, 2))}), "dimensions"),
        (lambda w: w.checkpoint(0, np.zeros(3)), "have shape"),
        (lambda w: w.end("done"), "unknown status"),
        (lambda w: w.end("finished", {"train_los": 1.0}), "a new one needs a line in"),
    ],
)
def test_what_the_table_does_not_have_is_not_written(wrong: object, message: str) -> None:
    writer = RunWriter.create(None, synthetic_runs.description())
    before = writer.bytes()
    with pytest.raises(ValueError, match=message):
        wrong(writer)  # type: ignore[operator]
    assert writer.bytes() == before


def test_a_wrong_description_leaves_no_file(tmp_path: Path) -> None:
    description = replace(synthetic_runs.description(), data={"fingerprintt": "ab"})
    with pytest.raises(ValueError, match="did you mean 'fingerprint'"):
        RunWriter.create(tmp_path / "a.h5", description)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("make", [RunWriter.create, StudyWriter.create])
def test_folders_and_what_is_no_file_are_never_replaced(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--force` means runs: a pipe stands here for the devices that the superuser could unlink."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        ("folder", "is a folder: give a file in it"),
        (".", "is a folder"),
        ("", "is a folder"),
        ("..", "is a folder"),
        ("pipe", "not a regular"),
    ):
        with pytest.raises(RunFileError, match=words):
            make(Path(path), synthetic_runs.description(), force=True)
    assert (tmp_path / "pipe").is_fifo()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "pipe"]


def test_folders_on_the_way_are_made_and_places_that_cannot_be_are_one_line(tmp_path: Path) -> None:
    RunWriter.create(tmp_path / "runs" / "a.h5", synthetic_runs.description()).close()
    assert (tmp_path / "runs" / "a.h5.journal").exists()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunFileError) as error:
        RunWriter.create(tmp_path / "file" / "a.h5", synthetic_runs.description())
    assert "cannot be made" in _one_line(error)


def test_without_file_locks_writing_works_and_a_running_journal_looks_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "fcntl", None)
    with RunWriter.create(tmp_path / "a.h5", synthetic_runs.description()) as writer:
        assert dlprobe.open_run(tmp_path / "a.h5").status == "interrupted"
        synthetic_runs.finish(writer, 0)
        assert dlprobe.open_run(writer.pack()).status == "finished"
