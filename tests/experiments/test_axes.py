"""Every axis: its usual values make configurations that differ, and wrong values are one line."""

from __future__ import annotations

import pytest

from dlprobe.config import from_options, to_mapping
from dlprobe.errors import ConfigError
from dlprobe.experiments.axes import CLIPPINGS, REGULARIZERS, SHORT, axis_of

BASE = from_options(None, {"norm": "batch"})


@pytest.mark.parametrize("name", SHORT)
def test_usual_values_make_different_configurations(name: str) -> None:
    axis = SHORT[name]
    values = axis.defaults(BASE, 107)
    made = [to_mapping(axis.apply(BASE, value)) for value in values]
    assert len(values) >= 2
    assert all(one != other for index, one in enumerate(made) for other in made[:index])
    assert len({axis.label(BASE, value) for value in values}) == len(values)


@pytest.mark.parametrize(
    "name", ["training.l2", "l2", "bias-init", "model.norm_inference", "Learning-Rate"]
)
def test_keys_are_axes_with_or_without_their_table(name: str) -> None:
    assert axis_of(name).name == name.rpartition(".")[2].replace("-", "_").lower()


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("lr", "learning_rate"),
        ("training.lr", "learning_rate"),
        ("model.init", "init"),
        ("model.residual", "residual"),
    ],
)
def test_a_key_with_a_short_name_is_that_axis_with_its_usual_values(key: str, name: str) -> None:
    assert axis_of(key) is SHORT[name]


def test_train_sizes_halve_what_there_is() -> None:
    assert axis_of("train-size").defaults(BASE, 107) == ["13", "26", "53", "all"]
    assert axis_of("train-size").defaults(BASE, 3) == ["1", "all"]


def test_one_value_has_one_name() -> None:
    init = axis_of("init")
    assert init.label(BASE, "He-Normal") == init.label(BASE, "he_normal") == "he_normal"
    assert axis_of("bias").label(BASE, "yes") == "yes"
    assert axis_of("layers").label(BASE, "10x2") == "10,10"
    assert (
        axis_of("regularizer").label(BASE, "l2(1e-2)")
        == axis_of("regularizer").label(BASE, "L2(0.01)")
        == "l2(0.01)"
    )


def test_regularizer_excludes_what_the_configuration_had() -> None:
    base = from_options(None, {"l2": "0.5", "dropout": "0.1"})
    made = axis_of("regularizer").apply(base, "l1(0.2)+drop-connect")
    assert (made.training.l1, made.training.l2, made.model.dropout, made.model.drop_connect) == (
        0.2,
        0.0,
        0.0,
        0.2,
    )
    assert axis_of("regularizer").apply(base, "none").training.l2 == 0


@pytest.mark.parametrize(
    ("axis", "names"), [("regularizer", REGULARIZERS), ("clipping", CLIPPINGS)]
)
def test_every_strength_can_be_given_alone(axis: str, names: dict[str, tuple[str, str]]) -> None:
    for name in names:
        assert axis_of(axis).label(BASE, name).startswith(f"{name}(")


def test_depth_and_width_go_together_in_either_order() -> None:
    depth, width = axis_of("depth"), axis_of("width")
    assert (
        width.apply(depth.apply(BASE, "3"), "7").model.layers
        == depth.apply(width.apply(BASE, "7"), "3").model.layers
        == (7, 7, 7)
    )
    assert depth.apply(BASE, "0").model.layers == ()


@pytest.mark.parametrize(
    ("axis", "value", "said"),
    [
        ("init", "he", "init"),
        ("depth", "two", "whole numbers"),
        ("width", "0", ">= 1"),
        ("regularizer", "l3", "expected none or among l1"),
        ("dropout", "1.5", "dropout"),
        ("clipping", "value(x)", "'x' is no number"),
        ("regularizer", "l2(-1)", "l2"),
    ],
)
def test_wrong_value_is_one_clear_line(axis: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        axis_of(axis).apply(BASE, value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("inti", "did you mean 'init'"),
        ("seed", "--seeds"),
        ("data.init", "unknown axis"),
        ("threads", "unknown axis"),
        ("adam", "'adam' is no axis but a value of optimizer: write optimizer=A,B"),
        ("Leaky-ReLU", "a value of activation"),
        ("he_normal", "a value of init"),
    ],
)
def test_unknown_axis_says_what_there_is(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        axis_of(name)


def test_norm_position_needs_a_norm() -> None:
    with pytest.raises(ConfigError, match="--norm batch"):
        axis_of("norm-position").apply(from_options(None, {}), "after")
