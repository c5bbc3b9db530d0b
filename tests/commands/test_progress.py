"""How far something is: the words, lines into a pipe, and what the environment may set."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from command_line import TINY, dlprobe

from dlprobe.commands.base.progress import ProgressState, heartbeat


def test_a_state_tells_count_total_pace_and_what_is_left() -> None:
    now = [0.0]
    state = ProgressState("runs", lambda: now[0])
    now[0] = 4.0
    assert state.text == "4 s so far"
    state.told(100, 160)  # 100 were done before, as of a study that goes on
    now[0] = 24.0
    state.told(110, 160, "loss 0.3")
    assert state.text == "110 of 160 runs · loss 0.3 · 0.5 runs/s · 1 min 40 s left"


def test_a_pipe_gets_a_line_now_and_then_also_before_anything_ended() -> None:
    lines: list[str] = []
    with heartbeat("training", "runs", lines.append, (0.05,)) as report:
        _wait_for(lines, 1)
        assert lines[0] == "training: 0 s so far"
        report(3, 12)
        _wait_for(lines, len(lines) + 2)
    ended = len(lines)
    assert lines[-1].startswith("training: 3 of 12 runs")
    time.sleep(0.15)
    assert len(lines) == ended


def _wait_for(lines: list[str], count: int) -> None:
    deadline = time.monotonic() + 20
    while len(lines) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(lines) >= count


@pytest.fixture
def run(tmp_path: Path) -> str:
    path = str(tmp_path / "run.h5")
    assert dlprobe("train", *TINY, "-o", path, "--quiet").code == 0
    return path


def test_the_environment_sets_the_format_and_the_command_line_wins(
    run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLPROBE_FORMAT", "json")
    assert json.loads(dlprobe("inspect", run).out)["kind"] == "run"
    assert dlprobe("inspect", run, "--format", "table").out.startswith(("✓", "✗", "!"))
    monkeypatch.setenv(
        "DLPROBE_FORMAT", "sarif"
    )  # for `check` of a whole session: other commands print their table
    assert json.loads(dlprobe("check", run, "--exit-zero").out)["version"] == "2.1.0"
    assert dlprobe("inspect", run).code == 0
    assert dlprobe("inspect", run, "--format", "sarif").code == 2
    monkeypatch.setenv("DLPROBE_FORMAT", "jsn")
    outcome = dlprobe("inspect", run)
    assert (outcome.code, len(outcome.err.splitlines())) == (2, 1)
    assert "DLPROBE_FORMAT" in outcome.err
    assert "did you mean 'json'" in outcome.err


def test_the_environment_makes_quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    loud = ("train", *TINY, "--split", "60,20,20", "--lr", "1e-9", "-o")
    monkeypatch.setenv("DLPROBE_QUIET", "1")
    assert dlprobe(*loud, str(tmp_path / "a.h5")).err == ""
