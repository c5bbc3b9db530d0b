"""A study that was killed at any moment of its packing is whole and packed after --resume,
whatever was left.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import dlprobe

from dlprobe.runs import StudyWriter, open_run, pack_journal, study_writer

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="no fork and no SIGKILL"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]
NET = ("--data", "wine", "--layers", "4", "--epochs", "1")
STUDIES = {
    "compare": ["compare", "init", "zeros", "ones", *NET, "--seeds", "1"],
    "gradients": [
        "gradients",
        "--depth",
        "2",
        "--activation",
        "tanh",
        "--init",
        "he_normal",
        "--seeds",
        "1",
        "--data",
        "wine",
        "--epochs",
        "1",
    ],
    "bias-variance": ["bias-variance", *NET, "--replicas", "2"],
}


def killed_in(work: Callable[[], object], name: str, number: int) -> bool:
    """Do the work in a process that kills itself before its `number`th call of os.<name>;
    whether it got there.
    """
    process = os.fork()
    if process == 0:
        try:
            real, left = getattr(os, name), [number]

            def counted(*arguments: object, **more: object) -> object:
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **more)

            setattr(os, name, counted)
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(process, 0)[1])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The journal of each kind of study, all of whose runs have ended and which is not packed."""
    folder = tmp_path_factory.mktemp("studies")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study_writer, "pack_locked", lambda *_: None)
        for name, arguments in STUDIES.items():
            assert dlprobe(*arguments, "-o", str(folder / f"{name}.h5")).code == 0
    return {name: folder / f"{name}.h5.journal" for name in STUDIES}


def resumed(command: str) -> None:
    outcome = dlprobe(command, "--resume", "study.h5", "--quiet")
    assert outcome.code == 0, outcome.err


# (call, its number): before the first and among the bytes of the new file, when it goes to the
# disk, gets its name, and after that
MOMENTS = [
    ("write", 1),
    ("write", 2),
    ("write", 5),
    ("write", 10),
    ("write", 20),
    ("fsync", 1),
    ("replace", 1),
    ("fsync", 2),
    ("unlink", 1),
]


@pytest.mark.parametrize("command", STUDIES)
def test_resume_packs_what_a_kill_left_at_any_moment(
    command: str, finished: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_run(finished[command]) as study:
        expected = study.content_sha256
    reached = []
    for moment in MOMENTS if command == "compare" else [MOMENTS[2], MOMENTS[6], MOMENTS[7]]:
        for left in tmp_path.iterdir():
            left.unlink()
        shutil.copy(finished[command], "study.h5.journal")
        if not killed_in(lambda: pack_journal(Path("study.h5")), *moment):
            continue
        reached.append(moment)
        assert Path("study.h5.journal").exists()
        resumed(command)
        assert [each.name for each in tmp_path.iterdir()] == ["study.h5"], moment
        with open_run("study.h5") as study:
            assert (study.content_sha256, study.status) == (expected, "finished")
    assert len(reached) >= 3
    if command == "compare":
        assert {name for name, _ in reached} >= {"write", "fsync", "replace"}


def test_a_packed_study_beside_the_part_that_a_killed_resume_copied_is_cleared_up(
    finished: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (1, 2, 3):
        shutil.copy(finished["compare"], "study.h5.journal")
        pack_journal(Path("study.h5"))
        before = Path("study.h5").read_bytes()
        assert killed_in(lambda: StudyWriter.resume(Path("study.h5"), {}), "write", number)
        assert Path("study.h5").read_bytes() == before
        resumed("compare")
        assert [each.name for each in tmp_path.iterdir()] == ["study.h5"]
        assert Path("study.h5").read_bytes() == before
        Path("study.h5").unlink()


def test_a_study_that_cannot_be_copied_stays_packed_and_the_message_says_so(
    finished: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(finished["compare"], "study.h5.journal")
    pack_journal(Path("study.h5"))
    before = Path("study.h5").read_bytes()
    for room in (0, 1):
        with monkeypatch.context() as patch:
            full_after(patch, room)
            outcome = dlprobe("compare", "--resume", "study.h5", "--seeds", "2")
        assert outcome.errors == [
            (
                "error: study.h5.journal cannot be written: No space left on device. study.h5 "
                "stays as it was: make room and go on with it again"
            )
        ]
        assert [each.name for each in tmp_path.iterdir()] == ["study.h5"]
        assert Path("study.h5").read_bytes() == before


def full_after(patch: pytest.MonkeyPatch, writes: int) -> None:
    """A disk that is full after some writes."""
    real, left = os.write, [writes]

    def write(descriptor: int, data: bytes) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= 1
        return real(descriptor, data)

    patch.setattr(os, "write", write)
