"""What came of a run: error and loss, each beside the best constant answer, and what repeated
rows allow.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from dlprobe.config import from_options
from dlprobe.runs import Run
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.sources import MemorySource

from .cases import Case
from .outcome import Outcome, guessing_loss, known_skill, label, outcome
from .training import trained

CASE = Case("a", "", "", "f", {})


def run_of(**options: str) -> Run:
    return Run(JournalContents(MemorySource(trained({"epochs": "1", "layers": "4", **options}, 0))))


@pytest.mark.parametrize(
    ("excess", "expected"),
    [(0.1, "learned"), (1.0, "learned"), (1.5, "unclear"), (380.0, "ill"), (math.nan, "learned")],
)
def test_few_wrong_classes_with_a_loss_above_guessing_are_not_learned(
    excess: float, expected: str
) -> None:
    assert label(CASE, Outcome(0.94, excess), 0.98) == expected


def test_a_regression_far_above_the_reachable_residual_is_not_learned_whatever_its_r2() -> None:
    """Degrees Fahrenheit of −500 … 500 Celsius: variance 270,000, noise 0.09; a residual of
    1,004 is R² .996.
    """
    variance = 1.8**2 * 1000.0**2 / 12.0
    ends = {
        left: Outcome(1.0 - left / variance, left / variance, regression=True)
        for left in (0.1, 1004.0, 4000.0)
    }
    assert [label(CASE, end, 1.0 - 0.09 / variance) for end in ends.values()] == [
        "learned",
        "unclear",
        "ill",
    ]


def test_where_nothing_can_be_reached_nothing_was_learned() -> None:
    assert label(CASE, Outcome(-0.01, 1.0), -0.05) == "ill"


def test_training_labels_with_noise_that_was_asked_for_bound_what_is_asked() -> None:
    assert label(CASE, Outcome(0.75, 0.5, ceiling=0.8), 1.0) == "learned"
    assert label(CASE, Outcome(0.75, 0.5), 1.0) == "unclear"
    found = outcome(
        run_of(
            data="moons(samples=200)",
            loss="binary_cross_entropy",
            split="100,0,0",
            label_noise="0.1",
        )
    )
    assert found.ceiling == pytest.approx(0.8, abs=0.03)  # one in ten of about one half


@pytest.mark.parametrize(
    "options", [{"data": "wine"}, {"data": "breast_cancer", "loss": "binary_cross_entropy"}]
)
def test_the_loss_of_guessing_is_that_of_class_shares(options: dict[str, str]) -> None:
    run = run_of(**options)
    counts = np.asarray(run.data["val_class_counts"])
    classes = np.repeat(np.arange(len(counts)), counts)
    shares = counts / counts.sum()
    assert guessing_loss(run, shares) == pytest.approx(
        pytest.importorskip("sklearn.metrics").log_loss(classes, np.tile(shares, (len(classes), 1)))
    )


def test_the_loss_of_guessing_in_squares_is_the_variance() -> None:
    run = run_of(data="wine", loss="mse", output_activation="sigmoid")
    shares = np.asarray(run.data["val_class_counts"]) / np.sum(run.data["val_class_counts"])
    classes = np.eye(3)[np.repeat(np.arange(3), run.data["val_class_counts"])]
    assert guessing_loss(run, shares) == pytest.approx(classes.var(axis=0).sum())


def test_rows_that_repeat_say_what_is_reachable(tmp_path: Path) -> None:
    """Two rows, 60 each: of the first 15 in 60 have the other class, of the second none. Chance
    is 45 of 120 wrong, the table has 15: skill 1 − 15/45.
    """
    inputs, classes = np.repeat([0.0, 1.0], 60)[:, None], np.repeat([1, 0, 0, 0], [15, 45, 0, 60])
    classes[60:] = 1
    np.savez(tmp_path / "table.npz", X=inputs, y=classes)
    made = {"data": str(tmp_path / "table.npz"), "split": "100,0,0"}
    assert known_skill(from_options(None, made)) == pytest.approx(1.0 - 15.0 / 45.0)
    np.savez(tmp_path / "numbers.npz", X=inputs, y=np.tile([0.0, 2.0], 60) + 10.0 * inputs[:, 0])
    numbers = {"data": str(tmp_path / "numbers.npz"), "split": "100,0,0", "task": "regression"}
    assert known_skill(from_options(None, numbers)) == pytest.approx(
        1.0 - 1.0 / 26.0
    )  # variance 1 within rows, 25 between them
    assert known_skill(from_options(None, {"data": "wine"})) == -math.inf
