"""The program as a process: streams, pipes, colours, signals."""

from __future__ import annotations

import gc
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import NO_BYTECODE, TINY, command_of, dlprobe, environment, process

from dlprobe.commands import main
from dlprobe.runs import open_single

ENDLESS = (
    "train",
    "--data",
    "wine",
    "--layers",
    "50x3",
    "--epochs",
    "1000000",
    "--record-every",
    "1",
)


def test_results_go_to_stdout_and_everything_else_to_stderr(tmp_path: Path) -> None:
    assert (
        dlprobe("train", "--steps", "1", "-o", str(tmp_path / "warm.h5")).code == 0
    )  # compiles, if nothing did before
    outcome = process("train", "--steps", "2", "--format", "json", folder=tmp_path)
    assert outcome.code == 0
    assert json.loads(outcome.out)["path"] == "runs/digits-1.h5"
    assert (
        outcome.err
        == "note: digits: 3 of 64 features are constant in the training part and scaled to 0\n"
    )
    assert process("train", "--steps", "2", "--quiet", folder=tmp_path).err == ""


def test_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    assert process("train", *TINY, "-o", "run.h5", folder=tmp_path).code == 0
    script = (
        " ".join(command_of("inspect", "run.h5", "--statistic", "batch_loss"))
        + ' | head -n 1; echo "code ${PIPESTATUS[0]}"'
    )
    for unbuffered in ("", "1"):
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment(PYTHONUNBUFFERED=unbuffered),
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        assert done.stdout.splitlines()[-1] == "code 0"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_full_disk_behind_stdout_is_one_line(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command_of("explain"),
            cwd=tmp_path,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (2, "error: No space left on device\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_result_that_is_cut_off_by_the_disk_is_an_error(unbuffered: str, tmp_path: Path) -> None:
    """Containers set PYTHONUNBUFFERED, and Python then drops what a nearly full disk did not
    take: half a JSON record would be exit code 0.
    """
    with (tmp_path / "out.json").open("w") as out:
        done = subprocess.run(
            ["bash", "-c", ('ulimit -f 1; exec '
                '"$@"'), "limited", *command_of("explain", "--format", "json")],
            cwd=tmp_path, env=environment(PYTHONUNBUFFERED=unbuffered, **NO_BYTECODE), stdout=out, stderr=subprocess.PIPE, text=True, check=False,  # noqa: E501
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "error: File too large\n")


def test_closed_streams_do_no_harm(tmp_path: Path) -> None:
    script = " ".join(command_of("explain")) + " >&- 2>&-"
    assert (
        subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=environment(), check=False
        ).returncode
        == 0
    )


def on_terminal(*arguments: str, folder: Path, **changes: str) -> str:
    """What a command writes to a terminal, both streams together."""
    master, slave = pty.openpty()
    child = subprocess.Popen(
        command_of(*arguments),
        cwd=folder,
        env=environment(COLUMNS="80", **changes),
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    written = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not piece:
            break
        written += piece
    os.close(master)
    assert child.wait() == 0
    return written.decode()


def test_terminal_gets_colour_and_a_pipe_does_not(tmp_path: Path) -> None:
    assert "\x1b[" in on_terminal("explain", "relu", folder=tmp_path)
    assert "\x1b[" not in process("explain", "relu", folder=tmp_path).out


@pytest.mark.parametrize(("arguments", "changes"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"})])
def test_colour_can_be_switched_off(
    arguments: list[str], changes: dict[str, str], tmp_path: Path
) -> None:
    for command in (["explain", "relu"], ["train", "--help"]):
        assert "\x1b[" not in on_terminal(*command, *arguments, folder=tmp_path, **changes)
    progress = on_terminal("train", *TINY, *arguments, folder=tmp_path, **changes)
    assert [
        code for code in ("\x1b[1m", "\x1b[31m", "\x1b[36m", "\x1b[38") if code in progress
    ] == []


def test_progress_is_for_terminals(tmp_path: Path) -> None:
    shown = on_terminal("train", *TINY, "--epochs", "300", folder=tmp_path)
    assert "training" in shown
    assert "steps/s" in shown
    assert "steps/s" not in on_terminal("train", *TINY, "--quiet", folder=tmp_path)
    assert "steps/s" not in process("train", *TINY, folder=tmp_path).err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_during_training_leaves_a_readable_run_and_exit_130(
    number: signal.Signals, tmp_path: Path
) -> None:
    child = subprocess.Popen(
        command_of(*ENDLESS, "-o", "run.h5"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    journal = tmp_path / "run.h5.journal"
    deadline = time.monotonic() + 100
    while (
        not (journal.exists() and journal.stat().st_size > 200_000)
        and time.monotonic() < deadline
        and child.poll() is None
    ):
        time.sleep(0.05)
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert "interrupted at step" in err
    assert "status    interrupted" in out
    with open_single(tmp_path / "run.h5") as run:
        assert run.status == "interrupted"
        assert run.steps.tolist() == list(range(len(run.steps)))
        assert len(run.steps) == run.final["steps_done"]
    assert not journal.exists()


def test_python_dash_m_and_console_script_are_one_program(tmp_path: Path) -> None:
    assert process("explain", "nothing_like_it", folder=tmp_path).code == 2


def test_a_caller_in_python_keeps_its_unbuffered_stdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream without a buffer gets one while a command runs; it must not be closed with it."""
    with (tmp_path / "out.txt").open("wb", buffering=0) as raw:
        stream = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(["explain", "loss"]) == 0
        assert sys.stdout is stream
        gc.collect()
        stream.write("after")
        stream.detach()
    assert (tmp_path / "out.txt").read_text(encoding="utf-8").endswith("after")
