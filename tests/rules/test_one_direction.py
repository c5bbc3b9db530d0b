"""One direction of a run: by the larger part of its validation loss, and B001 and B002 advise
nothing that goes the other way.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import rule_runs
from command_line import ROOT

from dlprobe.analysis.bias_variance.direction import RunEnd, direction
from dlprobe.rules import Fired, all_rules
from dlprobe.rules.evidence import Evidence
from dlprobe.runs import open_run

CLASSES = RunEnd("classification", 0.05, 0.10, train_loss=0.1, val_loss=0.4, classes=3, narrowest=8)
VALUES = RunEnd("regression", 0.2, 0.6)


@pytest.mark.parametrize(
    ("seen", "way"),
    [
        (
            CLASSES,
            "more data or regularization",
        ),  # a quarter of the validation loss is there in training
        (
            replace(CLASSES, train_loss=0.3),
            "cannot be told",
        ),  # three quarters, but a small error that may be the best
        (replace(CLASSES, train_loss=0.3, late_fall=0.5), "more capacity"),  # …and still falling
        (replace(CLASSES, train=0.15, val=0.2, train_loss=0.3), "more capacity"),
        (
            replace(CLASSES, train=0.15, val=0.3, train_loss=0.3, plain=0.2),
            "more data or regularization",  # another method does better with these samples
        ),
        (replace(CLASSES, train=0.15, val=0.3, train_loss=0.3, plain=0.1), "more capacity"),
        (replace(CLASSES, train=0.15, val=0.2, train_loss=0.3, plain=0.25), "more capacity"),
        (
            replace(CLASSES, train=0.15, val=0.2, train_loss=0.3, val_rise=1.2),
            "more data or regularization",
        ),
        (replace(CLASSES, train_loss=0.18), "cannot be told"),
        (replace(CLASSES, narrowest=2), "more capacity"),
        (replace(CLASSES, train=0.01, val=0.02), "fine"),
        (replace(CLASSES, reference=0.05), "more data or regularization"),
        (replace(CLASSES, train=0.2, val=0.21, noise=0.2), "fine"),
        (replace(CLASSES, val=float("nan")), "cannot be told"),
        (VALUES, "more data or regularization"),
        (replace(VALUES, train=0.5, val=0.55), "cannot be told"),
        (replace(VALUES, train=0.7, val=0.75), "more capacity"),
        (replace(VALUES, train=0.5, val=0.6, plain=0.55), "more data or regularization"),
        (replace(VALUES, train=0.2, val=0.21, reference=0.2), "fine"),
    ],
)
def test_the_first_reason_that_holds_decides(seen: RunEnd, way: str) -> None:
    found = direction(seen)
    assert found.way == way
    assert 20 < len(found.reason) < 200


def remedies_of(run: object) -> dict[str, tuple[str, ...]]:
    said = {code: all_rules()[code].apply(Evidence(run)) for code in ("B001", "B002")}  # type: ignore[arg-type]
    return {
        code: tuple(
            key for each in found.findings for remedy in each.remedies for key in remedy.patch
        )
        for code, found in said.items()
        if isinstance(found, Fired)
    }


def test_the_healthy_sample_is_advised_one_thing() -> None:
    """Both readings are infos; a wider net is advised, and no narrower one beside it."""
    with open_run(ROOT / "sample_runs" / "healthy.h5") as run:
        found = remedies_of(run)
    assert set(found) == {"B001", "B002"}
    assert "model.layers" in found["B001"]
    assert found["B002"] == ()


@pytest.mark.parametrize("train_loss", [0.05, 0.3, 0.45, 0.6, 1.2])
@pytest.mark.parametrize(
    ("train", "val"),
    [(0.03, 0.07), (0.03, 0.2), (0.15, 0.2), (0.2, 0.35), (0.45, 0.6), (0.6, 0.75)],
)
def test_never_do_both_advise(train: float, val: float, train_loss: float) -> None:
    ends = {
        "train_loss": (2.3, train_loss),
        "val_loss": (2.3, 1.0),
        "train_error": (0.9, train),
        "val_error": (0.9, val),
    }
    found = remedies_of(rule_runs.made(evaluations=ends))
    assert sum(bool(keys) for keys in found.values()) <= 1
