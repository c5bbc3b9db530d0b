"""What an interruption is said to leave is what it left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import TINY, dlprobe

from dlprobe.executors import threads
from dlprobe.runs import open_run, open_single, pack
from dlprobe.training import trainer

STUDIES = {
    "compare": ["compare", "init", "zeros", "ones", *TINY, "--seeds", "1"],
    "gradients": [
        "gradients",
        "--depth",
        "2",
        "--activation",
        "tanh",
        "--init",
        "he_normal",
        "--seeds",
        "2",
        "--data",
        "wine",
        "--epochs",
        "1",
    ],
    "bias-variance": ["bias-variance", *TINY, "--replicas", "2", "--workers", "1"],
}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def stopped_after(patch: pytest.MonkeyPatch, runs: int) -> None:
    """Ctrl-C when so many runs have ended."""
    real = threads.run_all

    def some(jobs: list[Any], workers: int, stop: Any) -> Iterator[Any]:
        yield from real(jobs[:runs], workers, stop)
        stop.ask()

    patch.setattr(threads, "run_all", some)


@pytest.mark.parametrize("command", STUDIES)
def test_a_study_that_is_stopped_before_its_first_run_keeps_none_and_goes_on(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stopped_after(patch, 0)
        outcome = dlprobe(*STUDIES[command], "-o", "study.h5")
    assert outcome.code == 130
    assert (
        f"warning: interrupted before a run had ended; go on with dlprobe {command} --resume "
        "study.h5"
    ) in outcome.err.splitlines()
    assert "kept" not in outcome.err
    assert dlprobe(command, "--resume", "study.h5").code == 0
    with open_run("study.h5") as study:
        assert (len(study.runs), study.status) == (2, "finished")


@pytest.mark.parametrize("command", ["compare", "gradients"])
def test_a_study_that_is_stopped_half_way_keeps_what_had_ended(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stopped_after(patch, 1)
        outcome = dlprobe(*STUDIES[command], "-o", "study.h5")
    assert outcome.code == 130
    assert (
        f"had ended; they are kept, go on with dlprobe {command} --resume study.h5" in outcome.err
    )
    with open_run("study.h5") as study:
        assert len(study.runs) == 1


def test_a_recipe_that_is_stopped_before_its_first_run_names_no_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        stopped_after(patch, 0)
        outcome = dlprobe("recipe", "sigmoid_unit_normal", "--tiny", "-o", "study.h5")
    assert outcome.code == 130
    assert "had ended are in" not in outcome.err


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, 130), (RuntimeError, 2)])
def test_a_run_that_ends_before_its_first_step_holds_none(
    error: type[BaseException], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr(trainer, "run", fail)
    outcome = dlprobe("train", *TINY, "-o", "run.h5")
    assert outcome.code == code
    assert (
        "warning: the run ended before its first step; run.h5 holds no step"
        in outcome.err.splitlines()
    )
    assert "recorded is in" not in outcome.err
    with open_single("run.h5") as run:
        assert len(run.steps) == 0


def test_ctrl_c_at_the_last_moment_of_packing_names_the_packed_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = os.replace

    def replaced(*paths: Any) -> None:
        real(*paths)
        os.kill(os.getpid(), 2)

    monkeypatch.setattr(pack.os, "replace", replaced)
    outcome = dlprobe("train", *TINY, "-o", "run.h5")
    assert outcome.code == 130
    assert (
        "warning: interrupted when the run was packed: it is in run.h5" in outcome.err.splitlines()
    )
    assert [each.name for each in Path().iterdir()] == ["run.h5"]
