"""Ctrl-C and SIGTERM at any moment: exit code 130, one line, no traceback, nothing
half-written. Real processes, signalled at events, not at times.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest
from command_line import ROOT, dlprobe, environment

from dlprobe import interrupts
from dlprobe.executors.threads import run_all
from dlprobe.training.stopping import Stop

PATIENCE = 120  # seconds after which a test gives up, on any machine
# C code that no handler interrupts: about a second for a million rounds
FOREIGN = "hashlib.pbkdf2_hmac('sha256', b'', b'', {rounds})"


def start(folder: Path, *command: str, **changes: str) -> subprocess.Popen[str]:
    """A process that answers Ctrl-C even where this one, as a job in the background, ignores it."""
    heard = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        command, cwd=folder, env=environment(**changes), text=True, preexec_fn=heard, **pipes
    )  # type: ignore[call-overload, no-any-return]


def script(folder: Path, body: str) -> subprocess.Popen[str]:
    """A process of `main` whose command is `body`, which calls here() where it is to be
    signalled.
    """
    lines = [
        "import hashlib, pathlib, sys, time",
        "import dlprobe.commands.base.application as application",
        "from dlprobe.commands import main",
        "here = lambda: pathlib.Path('here').touch()",
        "def run(argv):",
        *(f"    {line}" for line in body.splitlines()),
        "application.run = run",
        "sys.exit(main())",
    ]
    return start(folder, sys.executable, "-c", "\n".join(lines))


def signalled(
    child: subprocess.Popen[str], number: signal.Signals, due: Callable[[], bool]
) -> tuple[int, str]:
    """Signal the process when `due`; its exit code and what it said on stderr."""
    deadline = time.monotonic() + PATIENCE
    while not due() and child.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    child.send_signal(number)
    _, err = child.communicate(timeout=PATIENCE)
    return child.returncode, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["handlers stand", "kernels compile", "a run is recorded"])
def test_train_ends_with_one_line_and_nothing_half_written(
    moment: str, number: signal.Signals, tmp_path: Path
) -> None:
    """With a cold cache: while typer is imported, while the first kernels compile, and, with a
    warm one, while steps are recorded.
    """
    marked = (
        "import pathlib\nfrom dlprobe import interrupts\nreal = interrupts._watch\n"
        "interrupts._watch = lambda: (real(), pathlib.Path('handlers stand').touch())\n"
        "from dlprobe.commands import main\nimport sys\nsys.exit(main())"
    )
    cold = {} if moment == "a run is recorded" else {"DLPROBE_CACHE_DIR": str(tmp_path / "cache")}
    child = start(
        tmp_path,
        sys.executable,
        "-c",
        marked,
        "train",
        "--epochs",
        "100000",
        "-o",
        "run.h5",
        **cold,
    )
    due = {
        "handlers stand": lambda: (tmp_path / "handlers stand").exists(),
        "kernels compile": lambda: any((tmp_path / "cache").rglob("*.nbc")),
        "a run is recorded": lambda: (
            (tmp_path / "run.h5.journal").exists()
            and (tmp_path / "run.h5.journal").stat().st_size > 1_000_000
        ),
    }
    code, err = signalled(child, number, due[moment])
    said = [line for line in err.splitlines() if "interrupted" in line]
    assert (code, len(said)) == (130, 1), err
    assert err.splitlines()[-1] == said[0]
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    left = {path.name for path in tmp_path.iterdir()} - {"cache", "handlers stand"}
    assert left == ({"run.h5"} if moment == "a run is recorded" else set())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_library_that_does_not_return_is_left(number: signal.Signals, tmp_path: Path) -> None:
    child = script(tmp_path, f"here()\n{FOREIGN.format(rounds=2**31 - 1)}")
    assert signalled(child, number, (tmp_path / "here").exists) == (130, "error: interrupted\n")


def test_what_is_being_packed_is_not_cut_off(tmp_path: Path) -> None:
    """For longer than the watchdog waits; the signal acts when the piece is written."""
    body = (
        "from dlprobe.runs import pack\nwith pack._held_back_signals():\n    here()\n    "
        f"{FOREIGN.format(rounds=3_000_000)}\n    pathlib.Path('whole').touch()"
    )
    assert signalled(script(tmp_path, body), signal.SIGINT, (tmp_path / "here").exists) == (
        130,
        "error: interrupted\n",
    )
    assert (tmp_path / "whole").exists()


def test_an_import_is_not_broken_in_two(tmp_path: Path) -> None:
    """Libraries make other errors of an interrupt while they are imported, or print it."""
    (tmp_path / "slow.py").write_text(
        (
            "import pathlib, time\npathlib.Path('here').touch()\ntime.sleep(0.3)\n"
            "pathlib.Path('imported').touch()\n"
        ),
        encoding="utf-8",
    )
    child = script(
        tmp_path, "sys.path.insert(0, '')\nimport slow\nwhile True:\n    time.sleep(0.01)"
    )
    assert signalled(child, signal.SIGINT, (tmp_path / "here").exists) == (
        130,
        "error: interrupted\n",
    )
    assert (tmp_path / "imported").exists()


def test_the_exit_code_is_ours_wherever_the_interrupt_was_raised(tmp_path: Path) -> None:
    """Python gives itself another end after an interrupt in the text of an `exec`, as named
    tuples are made.
    """
    child = script(tmp_path, "exec('here()\\nwhile True: time.sleep(0.01)')")
    assert signalled(child, signal.SIGINT, (tmp_path / "here").exists) == (
        130,
        "error: interrupted\n",
    )


def test_an_interrupt_that_a_callback_swallows_ends_the_process_all_the_same(
    tmp_path: Path,
) -> None:
    body = (
        "class Swallows:\n    def __del__(self):\n        here()\n        while True: "
        "time.sleep(0.01)\nSwallows()\nwhile True: time.sleep(0.01)"
    )
    assert signalled(script(tmp_path, body), signal.SIGINT, (tmp_path / "here").exists) == (
        130,
        "error: interrupted\n",
    )


def test_a_second_signal_does_not_wait_for_the_order_that_the_first_asked_for(
    tmp_path: Path,
) -> None:
    body = (
        "from dlprobe.training.stopping import on_signals\nwith on_signals() as stop:\n    "
        "here()\n    while not stop.asked: time.sleep(0.01)\n"
        f"    pathlib.Path('asked').touch()\n    {FOREIGN.format(rounds=2**31 - 1)}"
    )
    child = script(tmp_path, body)
    while not (tmp_path / "here").exists():
        time.sleep(0.005)
    child.send_signal(signal.SIGINT)
    assert signalled(child, signal.SIGINT, (tmp_path / "asked").exists) == (
        130,
        "error: interrupted\n",
    )


def test_the_main_thread_does_not_wait_for_what_compiles() -> None:
    gate = threading.Event()
    with interrupts.orderly():
        assert interrupts.apart(lambda: 7) == 7
        interrupts.notice()
        with pytest.raises(KeyboardInterrupt):
            interrupts.apart(gate.wait)
    gate.set()
    assert interrupts.apart(lambda: 8) == 8


def test_without_another_thread_compiling_runs_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError))
    assert interrupts.apart(threading.get_ident) == threading.get_ident()


def test_a_stop_leaves_jobs_that_compile_to_themselves_and_keeps_what_has_ended() -> None:
    gate, begun, stop = threading.Event(), threading.Event(), Stop()

    def compiles() -> bool:
        begun.set()
        return interrupts.apart(gate.wait)

    found = []
    for index, _ in run_all([begun.wait, compiles], 2, stop):
        found.append(index)
        stop.ask()
    assert found == [0]
    gate.set()


def test_a_compilation_that_fails_says_so_where_it_was_asked_for() -> None:
    with pytest.raises(ZeroDivisionError):
        interrupts.apart(lambda: 1 // 0)


@pytest.mark.parametrize(
    "command",
    [
        ("train", "--data", "wine"),
        ("gradients", "--data", "wine", "--depth", "2", "--activation", "relu", "--seeds", "1"),
        (
            "gradients",
            "--data",
            "wine",
            "--find-depth",
            "--activation",
            "relu",
            "--init",
            "he_normal",
            "--seeds",
            "1",
        ),
        ("compare", "optimizer", "sgd", "adam", "--data", "wine", "--seeds", "2"),
        ("bias-variance", "--data", "moons(samples=40)", "--layers", "4", "--replicas", "2"),
        ("lr-find", "--data", "wine"),
        ("prescribe", str(ROOT / "sample_runs" / "vanishing.h5")),
        ("recipe", "sigmoid_unit_normal", "--tiny"),
    ],
    ids=lambda command: " ".join(
        command[:1] + tuple(each for each in command if each == "--find-depth")
    ),
)
def test_a_command_that_is_stopped_says_so_in_one_line_also_when_quiet(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing of what it could not find out: stopped before its first run, it has nothing
    to prescribe.
    """

    @contextlib.contextmanager
    def asked_at_once() -> Iterator[Stop]:
        stop = Stop()
        stop.ask()
        yield stop

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dlprobe.training.stopping.on_signals", asked_at_once)
    outcome = dlprobe(*command, "--quiet")
    assert outcome.code == 130
    assert len(outcome.err.splitlines()) == 1, outcome.err
    assert "interrupted" in outcome.err
    assert "nothing to prescribe" not in outcome.out
