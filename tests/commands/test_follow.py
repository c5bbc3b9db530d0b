"""inspect --follow: a run or study is watched while it is written; whatever ends it is said,
and has its exit code.
"""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import ROOT, TINY, command_of, dlprobe, environment

from dlprobe.commands.inspect import live
from dlprobe.runs.journal import journal_path

SLOW = (
    "train",
    "--data",
    "wine",
    "--layers",
    "10x24",
    "--activation",
    "sigmoid",
    "--evaluate-every",
    "200",
    "--quiet",
)


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(live, "SHARE", 1.0)  # however busy the machine that tests


@pytest.fixture
def training(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """A process that trains a net whose error signal vanishes, for 60,000 steps or as many as the
    test says.
    """
    steps = str(getattr(request, "param", 60000))
    process = subprocess.Popen(
        [*command_of(*SLOW), "--steps", steps, "-o", "run.h5"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
    )
    while not journal_path(Path("run.h5")).exists():
        time.sleep(0.02)
    yield process
    process.kill()
    process.wait()


def test_an_error_is_certain_when_half_of_the_training_could_not_disprove_it(
    training: subprocess.Popen[bytes],
) -> None:
    outcome = dlprobe("inspect", "run.h5", "--follow", "--until", "error", "--format", "json")
    found = outcome.data
    assert (outcome.code, found["kind"], found["certain"]["code"], found["planned"]) == (
        1,
        "certain",
        "G001",
        60000,
    )
    assert 30000 <= found["done"] <= 60000  # on a busy machine it looks seldom
    assert "vanishing-gradient (G001)" in outcome.err


def test_a_killed_writer_is_said_and_what_it_left_is_shown(
    training: subprocess.Popen[bytes],
) -> None:
    threading.Timer(2.0, training.kill).start()
    outcome = dlprobe("inspect", "run.h5", "--follow")
    assert outcome.code == 0
    assert "whoever wrote it is gone and left no end" in outcome.err
    assert "dlprobe train --resume run.h5 goes on" in outcome.err
    line = outcome.out.splitlines()[0]
    assert re.fullmatch(
        (
            r"run\.h5: [\d,]+ of 60,000 steps \(\d+ %\)(, [\d,.]+ steps/s, [\d:]+ left)?(, loss "
            r"[\d.]+)?; .*"
        ),
        line,
    ), line
    assert "status    interrupted" in outcome.out


@pytest.mark.parametrize("training", [200_000], indirect=True)  # it has not ended by then
def test_on_a_terminal_it_is_drawn_in_place_and_ctrl_c_ends_it(
    training: subprocess.Popen[bytes],
) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command_of("inspect", "run.h5", "--follow"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(COLUMNS="80"),
        # of a job in the background, as these tests may be, a shell ignores it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(theirs)
    shown = b""
    while shown.count(b"hidden_24") < 2 and process.poll() is None:
        shown += os.read(ours, 65536)
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(OSError):  # Linux says so that the other side is closed
        while piece := os.read(ours, 65536):
            shown += piece
    os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert process.wait() == 130
    assert "Traceback" not in text
    assert text.rstrip().endswith("error: interrupted")
    assert "run.h5 is being trained" in text
    assert "error signal RMS over steps, from " in text
    assert "vanishing-gradient (G001)" in text
    assert training.poll() is None


def test_it_waits_for_a_run_to_be_begun_and_ends_with_it() -> None:
    trained = subprocess.Popen(
        command_of("train", *TINY, "-o", "run.h5", "-q"),
        env=environment(),
        stdout=subprocess.DEVNULL,
    )
    outcome = dlprobe("inspect", "run.h5", "--follow", "--until", "error", "--format", "json")
    assert trained.wait() == 0
    assert (outcome.code, outcome.data["kind"], outcome.data["status"]) == (0, "run", "finished")
    assert "run.h5 is not there yet" in outcome.err


def test_a_study_is_counted_run_by_run(tmp_path: Path) -> None:
    options = (
        "gradients",
        "--data",
        "wine",
        "--depth",
        "2",
        "--activation",
        "relu,sigmoid",
        "--init",
        "he_normal",
        "--norm",
        "none",
        "--seeds",
        "3",
    )
    study = subprocess.Popen(
        [*command_of(*options), "--epochs", "150", "-o", "study.h5", "-q"],
        env=environment(),
        stdout=subprocess.DEVNULL,
    )
    outcome = dlprobe("inspect", "study.h5", "--follow")
    assert (study.wait(), outcome.code) == (0, 0)
    lines = [line for line in outcome.out.splitlines() if line.startswith("study.h5: ")]
    assert re.search(r"\d of 6 runs", lines[0])
    assert "6 of 6 runs (100 %)" in lines[-1]


@pytest.mark.parametrize(
    ("file", "code"), [("vanishing.h5", 1), ("healthy.h5", 0), ("initializers.h5", 1)]
)
def test_what_has_ended_is_judged_as_it_is(file: str, code: int) -> None:
    outcome = dlprobe(
        "inspect",
        str(ROOT / "sample_runs" / file),
        "--follow",
        "--until",
        "error",
        "--format",
        "json",
    )
    checked = dlprobe("check", str(ROOT / "sample_runs" / file), "--format", "json")
    assert (outcome.code, checked.code) == (code, code)
    assert (outcome.data["kind"] == "certain") == bool(code)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--until", "error"), "give --follow too"),
        (("--follow", "--show", "layers"), "leave the other options out"),
        (("--follow", "--until", "now"), "error"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments: tuple[str, ...], said: str) -> None:
    outcome = dlprobe("inspect", "run.h5", *arguments)
    assert (outcome.code, len(outcome.errors)) == (2, 1)
    assert said in outcome.err
