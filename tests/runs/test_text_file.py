"""Text files are written whole: on a full disk, on an error, when killed, the old content stays."""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
from pathlib import Path

import pytest
from command_line import dlprobe

from dlprobe.runs.text_file import write_whole

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no fork and no permissions")


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
def test_a_failure_at_any_call_leaves_the_old_content_and_nothing_else(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        if call == "write":
            patch.setattr(os, "fdopen", fail)
        else:
            patch.setattr(os, call, fail)
        with pytest.raises(OSError, match="No space left on device"):
            write_whole(path, "new")
    assert (path.read_text(), names(tmp_path)) == ("old", ["a.txt"])


@pytest.mark.parametrize("call", ["fdopen", "fsync", "replace"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_kill_at_any_call_leaves_the_old_content_or_the_new(call: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    process = os.fork()
    if process == 0:
        try:
            setattr(os, call, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
            write_whole(path, "new" * 100_000)
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(process, 0)[1])
    assert path.read_text() == "old"


def test_new_files_follow_the_umask_and_existing_ones_keep_their_permissions(
    tmp_path: Path,
) -> None:
    before = os.umask(0o026)
    try:
        write_whole(tmp_path / "new.txt", "a\nb\r\n")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.txt").stat().st_mode) == 0o640
    assert (tmp_path / "new.txt").read_bytes() == b"a\nb\r\n"
    (tmp_path / "new.txt").chmod(0o604)
    write_whole(tmp_path / "new.txt", "c")
    assert stat.S_IMODE((tmp_path / "new.txt").stat().st_mode) == 0o604


def test_a_file_that_may_not_be_written_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    monkeypatch.setattr(os, "access", lambda *_: False)  # what the superuser never sees
    with pytest.raises(PermissionError):
        write_whole(path, "new")
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    "arguments",
    [
        ["new", "--force", "-o", "old.toml"],
        ["check", "run.h5", "--write-baseline", "known.json"],
        ["check", "run.h5", "--force", "-o", "old.txt"],
    ],
)
def test_a_full_disk_is_one_line_that_names_the_file_and_keeps_the_old_one(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (
        dlprobe("train", "--data", "wine", "--layers", "5", "--epochs", "1", "-o", "run.h5").code
        == 0
    )
    for each in (
        ["new", "-o", "old.toml"],
        ["check", "run.h5", "--write-baseline", "known.json"],
        ["check", "run.h5", "-o", "old.txt"],
    ):
        assert dlprobe(*each).code in (0, 1)
    before = {each: (tmp_path / each).read_bytes() for each in names(tmp_path)}

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        outcome = dlprobe(*arguments)
    assert (outcome.code, outcome.errors) == (
        2,
        [f"error: {arguments[-1]} cannot be written: No space left on device: give another place"],
    )
    assert {each: (tmp_path / each).read_bytes() for each in names(tmp_path)} == before
