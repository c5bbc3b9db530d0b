"""A run beside the practical guidelines: what they are, and when what a run shows speaks for a
change.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rule_runs import FAILED, LEARNED, made

from dlprobe.config import from_mapping
from dlprobe.config.presets import DEEP, GUIDELINES, PRESETS, guidelines
from dlprobe.rules import all_rules
from dlprobe.rules.advice import CASES, Advice, advise
from dlprobe.runs import Run

FOLLOWED = {
    "model": {"layers": "100x3", "activation": "elu", "init": "he_normal"},
    "training": {"optimizer": "momentum", "early_stopping": "yes"},
}
RISEN = {**FAILED, "train_loss": (2.3, 1.5, 1.0, 0.8, 0.5), "val_loss": (2.3, 1.5, 1.0, 1.5, 2.0)}
RISEN |= dict.fromkeys(("train_error", "val_error"), (0.9, 0.5, 0.4, 0.4, 0.4))
JUMPING = {
    "train_loss": (2.3, *(1.0, 2.0) * 8),
    "val_loss": (2.3,) * 17,
    "train_error": (0.9,) * 17,
    "val_error": (0.9,) * 17,
}
VANISHING = [1e-6, 1e-4, 1e-2, 1.0]


def lines(run: Run) -> dict[str, Advice]:
    return {each.key: each for each in advise(run, Path("run.h5"))}


@pytest.mark.parametrize("depth", [1, DEEP - 1, DEEP, 20])
def test_what_the_preset_writes_follows_every_guideline_and_nothing_else_is_asked(
    depth: int,
) -> None:
    written, reasons = PRESETS["guidelines"].applied(
        from_mapping({"model": {"layers": f"10x{depth}"}})
    )
    assert [each.place for each in guidelines(depth) if each.followed(written)] == list(reasons)
    assert ("model.norm" in reasons) == (depth >= DEEP)


def test_plain_gradient_descent_with_a_sigmoid_follows_none() -> None:
    model = {"layers": "10x6", "activation": "sigmoid", "init": "normal(std=1)"}
    config = from_mapping({"model": model, "training": {"optimizer": "sgd"}})
    assert not any(each.followed(config) for each in GUIDELINES)
    assert next(each for each in GUIDELINES if each.place == "model.norm").has(config) == "none"


@pytest.mark.parametrize(
    ("table", "key", "text"),
    [
        ("model", "activation", "selu"),
        ("model", "activation", "leaky_relu"),
        ("model", "init", "he_uniform"),
        ("training", "optimizer", "adam"),
        ("training", "optimizer", "nesterov"),
    ],
)
def test_what_does_the_same_follows_too(table: str, key: str, text: str) -> None:
    guideline = next(each for each in GUIDELINES if each.place == f"{table}.{key}")
    assert guideline.followed(from_mapping({table: {key: text}}))


def test_momentum_of_zero_is_no_momentum() -> None:
    guideline = next(each for each in GUIDELINES if each.place == "training.optimizer")
    assert not guideline.followed(from_mapping({"training": {"optimizer": "momentum(momentum=0)"}}))


def test_every_guideline_has_its_case_of_known_rules() -> None:
    assert sorted(CASES) == sorted(each.place for each in GUIDELINES)
    assert {code for case in CASES.values() for code in (*case.lacking, *case.following)} <= set(
        all_rules()
    )


def dead(share: float, activation: str = "relu") -> Run:
    layers: dict[str, Any] = {"dead_fraction": np.full((2, 4), share)}
    return made(
        activation=activation,
        evaluations=FAILED,
        layer_evaluations=layers,
        config={"model": {"layers": "100x3", "activation": activation}},
    )


@pytest.mark.parametrize(
    ("key", "run", "worth", "code"),
    [
        ("model.activation", lambda: dead(0.9), "yes", "A001"),
        ("model.activation", lambda: dead(0.1), "no", None),
        (
            "model.activation",
            lambda: made(
                {"error_signal_rms": VANISHING},
                activation="sigmoid",
                evaluations=FAILED,
                config=SIGMOID,
            ),
            "yes",
            "G001",
        ),
        (
            "model.activation",
            lambda: made({"error_signal_rms": VANISHING}, activation="sigmoid", config=SIGMOID),
            "no",
            None,
        ),
        (
            "model.init",
            lambda: made(
                {"error_signal_rms": VANISHING},
                evaluations=FAILED,
                config={"model": {"init": "normal(std=1)"}},
            ),
            "yes",
            "G001",
        ),
        ("model.init", lambda: made({"error_signal_rms": float("nan")}), "no evidence", None),
        ("training.optimizer", lambda: made(evaluations=FAILED, config=SGD), "yes", "L001"),
        ("training.optimizer", lambda: made(evaluations=FAILED, config={}), "no", None),
        ("training.schedule", lambda: made(evaluations=JUMPING), "yes", "L003"),
        (
            "training.schedule",
            lambda: made(evaluations=JUMPING, config={"training": {"schedule": "one_cycle"}}),
            "no",
            None,
        ),
        ("training.schedule", lambda: made(evaluations=LEARNED), "no evidence", None),
        ("training.early_stopping", lambda: made(evaluations=RISEN), "yes", "B003"),
        ("training.early_stopping", lambda: made(evaluations=RISEN, config=FOLLOWED), "no", None),
        (
            "training.early_stopping",
            lambda: made(evaluations={"train_loss": (2.3, 1.0), "train_error": (0.9, 0.5)}),
            "no evidence",
            None,
        ),
    ],
)
def test_what_the_run_shows_decides(key: str, run: Any, worth: str, code: str | None) -> None:
    found = lines(run())[key]
    assert found.worth_changing == worth, found
    assert (code in found.codes) if code else not found.codes
    assert found.shows


SIGMOID = {"model": {"layers": "100x3", "activation": "sigmoid"}}
SGD = {"training": {"optimizer": "sgd"}}


def test_the_numbers_are_those_of_the_run() -> None:
    """Validation loss 1.0 at the third of five evaluations of 400 updates, 2.0 at the end:
    twice the best, after 200.
    """
    shown = lines(made(evaluations=RISEN, config=FOLLOWED))["training.early_stopping"].shows
    assert shown == "val_loss was smallest, 1, after 200 updates and ends at 2, 2 times that"
    assert (
        "train_loss went from 2.3 to 0.5 in 400 updates, half of the way by update 200"
        in lines(made(evaluations=RISEN))["training.optimizer"].shows
    )


def test_a_validation_loss_of_zero_divides_nothing() -> None:
    """Cross-entropy in float32 is exactly 0 where every sample is certain."""
    zero = {**RISEN, "val_loss": (2.3, 1.0, 0.0, 0.0, 1e-7)}
    found = lines(made(evaluations=zero))["training.early_stopping"]
    assert (found.worth_changing, found.codes) == ("yes", ("B003",))


def test_batch_norm_that_hinders_a_deep_net_is_worth_changing() -> None:
    off = {"norm_mean_mismatch": np.full((2, DEEP + 1), 3.0)}
    deep = {"model": {"layers": f"100x{DEEP}", "norm": "batch"}}
    found = lines(
        made(hidden=DEEP, norm="batch", evaluations=FAILED, layer_evaluations=off, config=deep)
    )["model.norm"]
    assert (found.followed, found.worth_changing, found.codes) == (True, "yes", ("A007",))


def test_a_configuration_that_cannot_be_read_gets_no_advice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = made()
    run.config.clear()
    run.config["model"] = {"of": "another program"}
    assert advise(run, Path("run.h5")) == ()


def test_thresholds_of_the_rules_hold_for_advice_too() -> None:
    run = made(evaluations=RISEN)
    found = {each.key: each for each in advise(run, Path("run.h5"), {"B003": {"rise": 3.0}})}[
        "training.early_stopping"
    ]
    assert found.worth_changing == "no"


def test_what_a_finding_asks_for_is_worth_changing() -> None:
    """B002 asks a net that learned 40 samples by heart to stop early: the guideline says so too."""
    memorised = {**LEARNED, "val_error": (0.9, 0.4)}
    run = made(
        evaluations=memorised, data={"val_indices": np.arange(1000), "val_class_counts": [100] * 10}
    )
    found = lines(run)["training.early_stopping"]
    assert (found.worth_changing, found.codes) == ("yes", ("B002",))
