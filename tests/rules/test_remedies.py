"""Remedies are made from the run: another configuration is another sentence, doses start from
what it has, and nothing is advised against itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rule_runs import FAILED, LEARNED, finding, made

from dlprobe.config import from_mapping, warnings_for, with_values
from dlprobe.config.records import RunConfig
from dlprobe.rules import Remedy
from dlprobe.rules.agreement import agreed, pull_of
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding
from dlprobe.rules.remedies import REMEDIES, remedies
from dlprobe.runs import Run

REGRESSION = {
    "task": "regression",
    "class_names": [],
    "train_class_counts": np.zeros(0, "i8"),
    "target_mean": [300.0],
    "target_std": [2.0],
}
VALIDATED = {**FAILED, "val_loss": (2.3, 2.4)}
FALLING = {"train_loss": (2.3, 2.2, 2.1), "train_error": (0.9, 0.9, 0.89)}
WANDERING = {"scalars": {"learning_rate": np.repeat([0.001, 1.0], 200)}}


def training(**options: Any) -> dict[str, Any]:
    return {"config": {"training": options}}


def model(**options: Any) -> dict[str, Any]:
    return {"config": {"model": options}}


def data(**options: Any) -> dict[str, Any]:
    return {"config": {"data": options}}


def dates(values: int) -> dict[str, Any]:
    """One column with so many dates, each of two training samples in ten."""
    return {
        "data": {
            "feature_names": [f"day=2024-01-0{k + 1}" for k in range(values)],
            "feature_mean": [0.2] * values,
            "feature_max": [1.0] * values,
            "train_indices": np.arange(10),
            "notes": [
                f"text columns one-hot encoded: 'day' ({values} values, dates: --dates ordinal "
                "makes numbers of them)"
            ],
        }
    }


RAW = {
    "feature_mean": [0.0, 0.0],
    "feature_std": [500.0, 900.0],
    "scaler_shift": [0.0, 0.0],
    "scaler_scale": [1.0, 1.0],
    "feature_names": ["a", "b"],
}
BOTH_OFF: dict[str, Any] = {
    "data": {**REGRESSION, **RAW},
    "config": {"data": {"scaling": "none", "target_scaling": "none"}},
}

PAIRS: dict[
    str, tuple[dict[str, Any], dict[str, Any]]
] = {  # two runs that differ in what the remedy is about
    "lower_rate": (training(lr=0.1), training(lr=0.2)),
    "raise_rate": (training(lr=1e-5), training(lr=1e-6)),
    "usual_rate": (training(lr=1e-5), training(lr=1e-6)),
    "usual_batch": (training(batch_size=64), training(batch_size=128)),
    "full_rate": (training(schedule="cosine"), training(schedule="exponential")),
    "no_dropout": (model(dropout=0.3), model(dropout=0.4)),
    "usual_optimizer": (training(optimizer="sgd"), training(optimizer="rmsprop")),
    "longer": (
        {"evaluations": FALLING, **training(epochs=20)},
        {"evaluations": FALLING, **training(epochs=30)},
    ),
    "larger_batch": (training(batch_size=4), training(batch_size=8)),
    "constant_schedule": (
        {**WANDERING, **training(schedule="cosine")},
        {**WANDERING, **training(schedule="one_cycle(max_lr=1.0)")},
    ),
    "decaying_rate": (training(lr=0.01), training(lr=0.02)),
    "warmup": (training(lr=0.01), training(lr=0.02)),
    "clip": (training(), training(clip_global_norm=0.5)),
    "no_clip": tuple(
        {**training(clip_global_norm=0.5), "scalars": {"clip_scale": left}} for left in (0.1, 0.2)
    ),
    "early_stopping": (
        {"evaluations": VALIDATED},
        {"evaluations": {**VALIDATED, "val_loss": (2.3, 1.9)}},
    ),
    "no_early_stopping": (
        training(early_stopping="yes"),
        training(early_stopping="early_stopping(patience=1)"),
    ),
    "patient_stopping": (
        training(early_stopping="yes"),
        training(early_stopping="early_stopping(patience=20)"),
    ),
    "dropout": (model(dropout=0.0), model(dropout=0.2)),
    "weight_penalty": (training(l2=0.0), training(optimizer="adamw")),
    "no_penalty": (training(l1=0.01), training(max_norm=0.1)),
    "ridge": (
        {"data": {"train_indices": np.arange(640)}},
        {"data": {"train_indices": np.arange(6400)}},
    ),
    "class_weights": (
        {"data": {"train_class_counts": [100] * 9 + [10]}},
        {"data": {"train_class_counts": [100] * 9 + [20]}},
    ),
    "another_start": (training(seed=1), training(seed=2)),
    "double": (
        {"config": {"training": {"dtype": "float32"}}},
        {"config": {"training": {"dtype": "float32"}}},
    ),
    "smaller_net": (model(layers="64,64"), model(layers="32,32")),
    "larger_net": (model(layers="2"), model(layers="4,4")),
    "shallower": (model(layers="32x5"), model(layers="32x6")),
    "wider": (model(layers="16,2,4"), model(layers="16,3,4")),
    "relu": (model(activation="sigmoid"), model(activation="tanh")),
    "leaky": (model(activation="relu"), model(activation="relu6")),
    "init": (model(init="zeros"), model(init="normal(std=3)")),
    "biases": (model(bias_init="constant(value=8)"), model(bias_init="constant(value=-8)")),
    "batch_norm": (model(layers="32x3"), model(layers="32x4")),
    "layer_norm": (model(norm="batch"), model(norm="none")),
    "no_norm": (model(norm="batch"), model(norm="layer")),
    "residual": (model(layers="32x3"), model(layers="32x4")),
    "scaling": (data(scaling="none"), data(scaling="minmax")),
    "no_residual": (
        model(layers="32x3", residual="identity"),
        model(layers="32x4", residual="identity"),
    ),
    "both_scales": (BOTH_OFF, {**BOTH_OFF, "data": {**BOTH_OFF["data"], "target_std": [9.0]}}),
    "target_scaling": (
        {"data": REGRESSION, **data(target_scaling="none")},
        {"data": {**REGRESSION, "target_std": [9.0]}, **data(target_scaling="none")},
    ),
    "outputs": (model(output_activation="relu"), model(output_activation="linear")),
    "robust_loss": tuple({"data": REGRESSION, **training(loss=loss)} for loss in ("mse", "mae")),
    "ordinal_dates": (dates(5), dates(4)),
    "drop_categories": (dates(5), dates(4)),
    "stratify": (
        {**data(stratify="no"), "data": {"train_class_counts": [9] * 10}},
        {**data(stratify="no"), "data": {"train_class_counts": [8] * 10}},
    ),
}


def said(name: str, run: Run) -> str:
    (remedy,) = remedies(Evidence(run), name)
    return remedy.why


def test_every_remedy_has_its_pair() -> None:
    assert set(PAIRS) == set(REMEDIES)


@pytest.mark.parametrize(
    "name", [name for name in REMEDIES if name != "double"]
)  # there is one precision that is not double
def test_another_configuration_is_another_sentence(name: str) -> None:
    first, second = (
        said(name, made(**{"evaluations": FAILED, **options})) for options in PAIRS[name]
    )
    assert first != second


@given(
    rate=st.floats(1e-6, 10.0),
    batch=st.integers(1, 64),
    epochs=st.integers(1, 500),
    width=st.integers(4, 300),
)
def test_sentences_quote_what_the_run_has(rate: float, batch: int, epochs: int, width: int) -> None:
    config = {
        "training": {"lr": rate, "batch_size": batch, "epochs": epochs, "optimizer": "sgd"},
        "model": {"layers": f"{width},{width}"},
    }
    run = made(steps=110, evaluations=FALLING, config=config)
    for name, quoted in (
        ("lower_rate", f"{rate:g}"),
        ("usual_optimizer", f"{rate:g}"),
        ("larger_batch", str(batch)),
        ("longer", str(epochs)),
        ("larger_net", str(width)),
    ):
        assert quoted in said(name, run)


@given(
    dropout=st.floats(0.0, 0.95),
    l2=st.sampled_from([0.0, 1e-6, 1e-4, 1e-2, 1.0]),
    decay=st.sampled_from([0.0, 1e-4, 0.01, 1.0]),
)
def test_a_dose_is_never_weaker_than_what_the_run_has(
    dropout: float, l2: float, decay: float
) -> None:
    optimizer = f"adamw(weight_decay={decay})"
    run = made(
        config={"model": {"dropout": dropout}, "training": {"l2": l2, "optimizer": optimizer}},
        scalars={"penalty": 3.0 * l2},
    )
    before = from_mapping(run.config)
    for remedy in remedies(Evidence(run), "dropout", "weight_penalty"):
        after = with_values(before, remedy.patch)
        assert after.model.dropout >= before.model.dropout
        assert after.training.l2 >= before.training.l2
        assert float(after.training.optimizer.parameters["weight_decay"]) >= decay


@pytest.mark.parametrize(
    ("options", "name", "patch"),
    [
        ({"model": {"dropout": 0.5}}, "dropout", None),
        ({"model": {"dropout": 0.2}}, "dropout", {"model.dropout": "0.4"}),
        (
            {"training": {"l2": 0.01}},
            "weight_penalty",
            None,
        ),  # its penalty of 1 is half of the loss
        (
            {"training": {"optimizer": "adamw"}},
            "weight_penalty",
            {"training.optimizer": "adamw(weight_decay=0.1)"},
        ),
        (
            {"training": {"optimizer": "sgd(weight_decay=2)"}},
            "no_penalty",
            {"training.optimizer": "sgd"},
        ),
        ({"training": {"max_norm": 0.02}}, "no_penalty", {"training.max_norm": "none"}),
        (
            {"training": {"lr": 20.0, "optimizer": "momentum"}},
            "lower_rate",
            {"training.lr": "0.01"},
        ),
        ({"training": {"lr": 0.003}}, "lower_rate", {"training.lr": "0.0003"}),
        ({"training": {"early_stopping": "early_stopping(patience=3)"}}, "early_stopping", None),
        ({"training": {"batch_size": 2}}, "batch_norm", None),
    ],
)
def test_doses(options: dict[str, Any], name: str, patch: dict[str, str] | None) -> None:
    found = remedies(
        Evidence(made(config=options, evaluations=VALIDATED, scalars={"penalty": 1.0})), name
    )
    assert [each.patch for each in found] == ([] if patch is None else [patch])


def test_a_rate_is_raised_as_far_as_the_weights_should_have_gone() -> None:
    """Adam at 1e-7 moved weights by 1e-3 of their norm: 2,000 times that is a rate which
    learns, to one digit; its usual rate is 1e-3.
    """
    run = made(
        config={"training": {"lr": 1e-7}},
        evaluations=FAILED,
        layer_evaluations={"weight_distance": [[0.0] * 4, [1e-3] * 4]},
    )
    assert remedies(Evidence(run), "raise_rate")[0].patch == {"training.lr": "0.0002"}


@pytest.mark.parametrize(("ratio", "told"), [(0.5, True), (0.0, False)])
def test_what_updates_typically_move_is_said_unless_it_is_nothing(ratio: float, told: bool) -> None:
    text = said("lower_rate", made({"update_ratio": ratio}, **training(lr=0.1)))
    assert (f"by {ratio:g} of its weights" in text, "of its weights" in text) == (told, told)


def test_no_remedy_trades_one_unwise_combination_for_another() -> None:
    run = made(config={"training": {"optimizer": "adamw", "l2": 0.0}}, evaluations=VALIDATED)
    config = from_mapping(run.config)
    for remedy in remedies(Evidence(run), *REMEDIES):
        assert len(warnings_for(with_values(config, remedy.patch))) <= len(warnings_for(config))


def found(code: str, *patches: dict[str, str], severity: Any = "warning") -> Finding:
    return Finding(
        1.0,
        1.0,
        "evidence",
        remedies=tuple(Remedy(patch, "why") for patch in patches),
        code=code,
        severity=severity,
    )


def left(run: Run, *findings: Finding) -> list[dict[str, str]]:
    return [
        dict(remedy.patch) for each in agreed(findings, Evidence(run)) for remedy in each.remedies
    ]


def test_steps_that_were_seen_to_be_too_long_are_not_made_longer() -> None:
    lower, higher = {"training.lr": "0.0001"}, {"training.lr": "0.01"}
    assert left(made(), found("L004", higher), found("L003", lower)) == [lower]
    assert left(made(), found("L004", higher), found("A005", lower)) == [higher]  # only a guess
    assert left(made(), found("A005", lower)) == [lower]


def test_a_net_that_fits_its_samples_gets_no_more_room() -> None:
    more, less, drop = (
        {"model.layers": "400,400"},
        {"model.layers": "25,25"},
        {"model.dropout": "0.3"},
    )
    findings = (found("B001", more), found("B002", drop, less))
    assert left(made(evaluations=LEARNED), *findings) == [drop, less]
    assert left(made(evaluations=FAILED), *findings) == [more]


def test_pulls_are_read_from_the_configuration() -> None:
    config: RunConfig = from_mapping(
        {"training": {"optimizer": "adam", "lr": 0.01}, "model": {"layers": "8,8", "dropout": 0.5}}
    )
    expected = {
        ("training.lr", "0.001"): {"rate": -1},
        ("training.optimizer", "sgd"): {},
        ("training.epochs", "80"): {"length": 1},
        ("model.layers", "8"): {"depth": -1},
        ("model.layers", "16,16"): {"room": 1},
        ("model.dropout", "0"): {"against overfitting": -1},
        ("training.early_stopping", "yes"): {"against overfitting": 1},
        ("training.lr", "nonsense"): {},
    }
    assert {pair: pull_of(config, Remedy(dict([pair]), "")) for pair in expected} == expected


def test_a_rule_that_is_right_about_the_bias_parameters_undoes_them_alone() -> None:
    dead = {"dead_fraction": [[0.9] * 4, [0.9] * 4]}
    run = made(
        layer_evaluations=dead,
        evaluations=FAILED,
        config={"model": {"bias_init": "constant(value=-20)"}},
    )
    assert finding("A001", run).remedies[0].patch == {"model.bias_init": "auto"}


@pytest.mark.parametrize(
    ("options", "advised"),
    [
        ({"optimizer": "adam(beta1=0.9, beta2=0.98)", "lr": 0.001}, False),
        ({"optimizer": "adamw", "lr": "auto"}, False),
        ({"optimizer": "adam", "lr": 1e-5}, True),
        ({"optimizer": "sgd", "lr": 0.001}, True),
    ],
)
def test_who_has_adam_at_its_usual_rate_is_not_sent_to_it(
    options: dict[str, Any], advised: bool
) -> None:
    assert bool(remedies(Evidence(made(**training(**options))), "usual_optimizer")) is advised


@pytest.mark.parametrize("missing", [("train_error",), ("train_error", "val_error")])
@pytest.mark.parametrize("name", ["no_dropout", "dropout", "weight_penalty", "another_start"])
def test_errors_that_are_not_known_are_not_told(name: str, missing: tuple[str, ...]) -> None:
    """As of a run that another program trained and never evaluated."""
    known = {key: value for key, value in VALIDATED.items() if key not in missing}
    run = made(evaluations=known, **model(dropout=0.3))
    assert not [each.why for each in remedies(Evidence(run), name) if "nan" in each.why]
