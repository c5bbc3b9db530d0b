"""lr-find on the command line: picture, answer, JSON, and what is refused."""

from __future__ import annotations

import re

import pytest
from command_line import TINY, dlprobe


def test_the_answer_is_shown_with_its_reason_and_the_next_command() -> None:
    outcome = dlprobe("lr-find", *TINY)
    assert outcome.code == 0
    assert "loss over learning rate (log scale)" in outcome.out
    assert "smallest validation loss" in " ".join(outcome.out.split())
    assert re.search(r"next: dlprobe train --data wine .*--lr [0-9.]+", outcome.out)


def test_json_has_the_test_the_runs_and_the_suggestion() -> None:
    data = dlprobe("lr-find", *TINY, "--format", "json").data
    assert data["schema"] == "dlprobe-lr-find/1"
    best = min(
        (run for run in data["runs"] if run["status"] == "finished"),
        key=lambda run: run["val_loss"],
    )
    assert (data["suggestion"], data["by"]) == (best["rate"], "val_loss")
    assert (
        len(data["range_test"]["rates"])
        == len(data["range_test"]["losses"])
        == len(data["range_test"]["smoothed"])
    )
    assert data["steps"] == 8


@pytest.mark.parametrize("options", [("--by", "train_loss"), ("--split", "80,0,20")])
def test_the_training_loss_decides_where_that_is_asked_or_there_is_no_other(
    options: tuple[str, ...],
) -> None:
    data = dlprobe("lr-find", *TINY, *options, "--format", "json").data
    best = min(
        (run for run in data["runs"] if run["status"] == "finished"),
        key=lambda run: run["train_loss"],
    )
    assert (data["suggestion"], data["by"]) == (best["rate"], "train_loss")


def test_the_picture_marks_the_rates_that_the_answer_speaks_of() -> None:
    data, out = (
        dlprobe("lr-find", *TINY, "--format", "json").data,
        " ".join(dlprobe("lr-find", *TINY).out.split()),
    )
    marks = {
        "begins to fall": data["range_test"]["falls"],
        "breaks down": data["range_test"]["breaks"],
        "suggested": data["suggestion"],
    }
    assert [
        name
        for name, rate in marks.items()
        if rate is not None and f"{name}: {rate:.3g}" not in out
    ] == []


def test_quick_makes_no_runs() -> None:
    data = dlprobe("lr-find", *TINY, "--quick", "--range-steps", "50", "--format", "json").data
    assert data["runs"] == []
    assert "rough guess" in data["reason"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "1", "--to", "0.1"), "expected two rates > 0"),
        (("--from", "0"), "expected two rates > 0"),
        (("--from", "nan"), "expected two rates > 0"),
        (("--by", "loss"), "train_loss or val_loss"),
        (("--schedule", "one_cycle(max_lr=1)"), "leave max_lr out"),
        (("--lr", "0.1"), "--lr"),
    ],
)
def test_bad_options_are_one_line(options: tuple[str, ...], said: str) -> None:
    outcome = dlprobe("lr-find", *TINY, *options)
    assert outcome.code == 2
    assert len(outcome.errors) == 1
    assert said in outcome.errors[0]
