"""Defaults, and what depends on other values."""

from __future__ import annotations

import pytest

from dlprobe.config import (
    INSTRUMENTS,
    OptionField,
    RunConfig,
    fields,
    from_mapping,
    from_options,
    without_instruments,
)

DEFAULTS = {
    "data": "digits",
    "target": "auto",
    "columns": "all",
    "drop": "none",
    "dates": "refuse",
    "missing": "drop",
    "sep": "auto",
    "decimal": "auto",
    "task": "auto",
    "scaling": "standardize",
    "split": "60,20,20",
    "stratify": "yes",
    "data_seed": "auto",
    "label_noise": "0",
    "outliers": "0",
    "layers": "100,100",
    "activation": "relu",
    "output_activation": "auto",
    "init": "auto",
    "bias_init": "auto",
    "bias": "yes",
    "norm": "none",
    "norm_position": "before",
    "norm_inference": "running",
    "loss": "auto",
    "class_weights": "none",
    "label_smoothing": "0",
    "early_stopping": "none",
    "optimizer": "adam",
    "lr": "auto",
    "schedule": "constant",
    "warmup": "0",
    "batch_size": "32",
    "epochs": "20",
    "steps": "none",
    "seed": "0",
    "dtype": "float32",
    "threads": "auto",
    "record_every": "auto",
    "evaluate_every": "1",
    "checkpoint_every": "never",
    "histogram_every": "auto",
    "track_unit": "none",
    "track_every": "auto",
    "jacobian": "none",
    "sharpness": "none",
}


def test_default_texts_are_the_documented_ones() -> None:
    assert {field.key: field.default for field in fields() if field.key in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize(
    "field",
    [field for field in fields() if field.key not in DEFAULTS],
    ids=lambda field: str(field.key),
)
def test_every_further_remedy_is_off_unless_asked_for(field: OptionField) -> None:
    assert field.default in (
        "none",
        "no",
        "0",
        "0,0",
        "never",
        "auto",
        "constant",
        "running",
        "all",
    ), field.key


def test_default_texts_given_as_options_change_nothing() -> None:
    assert (
        from_options(None, dict(DEFAULTS))
        == RunConfig()
        == from_mapping({})
        == from_options(None, dict.fromkeys(DEFAULTS))
    )


def test_default_values() -> None:
    config = RunConfig()
    assert (config.data.data, config.data.target, config.data.split, config.data.stratify) == (
        "digits",
        None,
        (60.0, 20.0, 20.0),
        True,
    )
    assert (
        config.model.layers,
        str(config.model.activation),
        config.model.norm,
        config.model.init,
    ) == ((100, 100), "relu", None, None)
    assert (
        config.training.batch_size,
        config.training.epochs,
        config.training.steps,
        config.training.lr,
    ) == (32, 20, None, None)
    assert (
        config.recording.record_every,
        config.recording.evaluate_every,
        config.recording.checkpoint_every,
    ) == (None, 1, None)


@pytest.mark.parametrize("field", fields(), ids=lambda field: field.key)
def test_every_option_has_type_range_and_one_line_of_help(field: OptionField) -> None:
    for text in (field.type, field.default, field.allowed, field.help):
        assert text
        assert "\n" not in text
    assert field.option == "--" + field.key.replace("_", "-")


def test_keys_are_unique_over_the_tables() -> None:
    assert len({field.key for field in fields()}) == len(fields())


def test_completion_knows_choices_kinds_and_words() -> None:
    by_key = {field.key: field for field in fields()}
    assert by_key["scaling"].choices == ("standardize", "minmax", "robust", "none")
    assert (by_key["init"].kind, by_key["init"].words) == ("initializer", ("auto",))
    assert by_key["data"].kind == "data"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "he_normal"),
        ({"activation": "leaky_relu(slope=.3)"}, "he_normal"),
        ({"activation": "selu"}, "lecun_normal"),
        ({"activation": "tanh"}, "glorot_normal"),
        ({"activation": "sigmoid"}, "glorot_normal"),
        ({"activation": "selu,tanh"}, "lecun_normal"),
        ({"layers": ""}, "glorot_normal"),
        ({"init": "normal(std=2)"}, "normal(std=2)"),
    ],
)
def test_initializer_follows_the_first_hidden_activation(
    options: dict[str, str], expected: str
) -> None:
    assert str(from_options(None, dict(options)).model.resolved_init) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 0.001),
        ({"optimizer": "sgd"}, 0.01),
        ({"optimizer": "momentum"}, 0.01),
        ({"lr": "0"}, 0.0),
    ],
)
def test_learning_rate_follows_the_optimizer(options: dict[str, str], expected: float) -> None:
    assert from_options(None, dict(options)).training.resolved_lr == expected


def test_data_seed_follows_the_seed() -> None:
    assert from_options(None, {"seed": "7"}).resolved_data_seed == 7
    assert from_options(None, {"seed": "7", "data_seed": "0"}).resolved_data_seed == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100x20", (100,) * 20),
        ("300,100", (300, 100)),
        ("64x3,10", (64, 64, 64, 10)),
        (" 64 X 2 , 10 ", (64, 64, 10)),
        ("", ()),
        ("none", ()),
        (100, (100,)),
        (["64x2", 10], (64, 64, 10)),
        ([], ()),
    ],
)
def test_notation_of_layers(text: object, expected: tuple[int, ...]) -> None:
    assert from_mapping({"model": {"layers": text}}).model.layers == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("yes", True), ("No", False), ("true", True), ("FALSE", False), (True, True)],
)
def test_notation_of_yes_and_no(text: object, expected: bool) -> None:
    assert from_mapping({"model": {"bias": text}}).model.bias is expected


def test_words_stand_for_none_or_themselves() -> None:
    config = from_options(
        None,
        {
            "batch-size": "full",
            "evaluate-every": "never",
            "checkpoint-every": "none",
            "norm": "none",
            "lr": "auto",
            "data-seed": "auto",
        },
    )
    assert (config.training.batch_size, config.recording.evaluate_every) == ("full", "never")
    assert (
        config.recording.checkpoint_every,
        config.model.norm,
        config.training.lr,
        config.data.data_seed,
    ) == (None, None, None, None)


@pytest.mark.parametrize(
    ("base", "options", "expected"),
    [
        ({}, {"steps": "5"}, (None, 5)),
        ({"epochs": 3}, {"steps": "5"}, (None, 5)),
        ({"steps": 5}, {"epochs": "3"}, (3, None)),
        ({"steps": 5}, {"steps": "none"}, (20, None)),
        ({"epochs": 3}, {"steps": "none"}, (3, None)),
        ({"epochs": 3}, {"epochs": "none", "steps": "5"}, (None, 5)),
        ({"steps": 5}, {"lr": "1"}, (None, 5)),
        ({"steps": 5}, {"epochs": "none"}, (None, 5)),
    ],
)
def test_steps_and_epochs_replace_each_other(
    base: dict[str, int], options: dict[str, str], expected: tuple[int | None, int | None]
) -> None:
    training = from_options(from_mapping({"training": base}), dict(options)).training
    assert (training.epochs, training.steps) == expected


def test_steps_alone_in_a_file_replace_the_default_epochs() -> None:
    training = from_mapping({"training": {"steps": 1}}).training
    assert (training.epochs, training.steps) == (None, 1)


def test_one_activation_per_hidden_layer() -> None:
    model = from_options(
        None, {"layers": "9x3", "activation": "relu, leaky_relu(slope=.2), tanh"}
    ).model
    assert [str(spec) for spec in model.activations] == ["relu", "leaky_relu(slope=0.2)", "tanh"]
    assert [str(spec) for spec in from_options(None, {"layers": "9x3"}).model.activations] == [
        "relu"
    ] * 3


@pytest.mark.parametrize(
    "text", ["digits.csv", "./digits", "folder/digits", "~digits", "a (1).csv", "C:\\net.npz"]
)
def test_slash_or_dot_makes_a_path(text: str) -> None:
    data = from_options(None, {"data": text}).data
    assert data.data == text
    assert data.spec is None
    assert data.path is not None


def test_name_of_a_data_set_is_kept_in_its_short_form() -> None:
    data = from_options(None, {"data": "Gaussian( samples = 64 )"}).data
    assert data.data == "gaussian(samples=64)"
    assert data.path is None
    assert data.spec is not None
    assert data.spec.parameters["samples"] == 64


def test_data_may_be_a_table() -> None:
    assert (
        from_mapping({"data": {"data": {"name": "gaussian", "samples": 64}}}).data.data
        == "gaussian(samples=64)"
    )


def test_instruments_are_the_recording_options_that_are_no_cadence_of_the_run_itself() -> None:
    recording = {field.key for field in fields() if field.table == "recording"}
    assert set(INSTRUMENTS) == recording - {"record_every", "evaluate_every", "checkpoint_every"}


def test_without_instruments_nothing_is_measured_and_all_else_stays() -> None:
    plain = from_options(None, {"record_every": "3", **INSTRUMENTS})
    watched = from_options(
        None,
        {
            "record_every": "3",
            "histogram_every": "5",
            "track_unit": "hidden_1:0",
            "jacobian": "8",
            "sharpness": "8",
        },
    )
    assert without_instruments(watched) == plain
