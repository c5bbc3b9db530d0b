"""Unwise is warned of, impossible is refused, ordinary is silent."""

from __future__ import annotations

import pytest

from dlprobe.config import from_options, warnings_for


@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        ({"norm": "batch", "batch_size": "1"}, ["norm = batch with batch_size = 1", "variance 0"]),
        ({"norm": "layer", "layers": ""}, ["without hidden layers has no effect"]),
        ({"bias": "no", "bias_init": "zeros"}, ["bias_init = zeros with bias = no has no effect"]),
        ({"init": "zeros"}, ["init = zeros", "stay identical"]),
        ({"init": "constant(value=.5)"}, ["init = constant(value=0.5)", "stay identical"]),
        ({"init": "normal(std=0)"}, ["init = normal(std=0)", "stay identical"]),
        (
            {"loss": "cross_entropy", "output_activation": "linear"},
            ["takes probabilities", "take softmax or auto"],
        ),
        (
            {"loss": "cross_entropy", "output_activation": "sigmoid"},
            ["shares of the classes that sum to 1", "take softmax or auto"],
        ),
        (
            {"loss": "hinge", "output_activation": "sigmoid"},
            ["hinge asks for outputs of -1 and 1", "take linear or auto"],
        ),
        (
            {"loss": "binary_cross_entropy", "output_activation": "tanh"},
            ["takes probabilities", "take sigmoid or auto"],
        ),
        (
            {"dropout": "0.5", "layers": ""},
            ["dropout = 0.5 without hidden layers has no effect", "input_dropout"],
        ),
        ({"l1_proximal": "yes"}, ["l1_proximal = yes without l1 has no effect"]),
        ({"l2": "0.1", "optimizer": "adamw"}, ["l2 = 0.1", "adamw", "both pull weights to zero"]),
        (
            {"steps": "10", "record_every": "10"},
            ["record_every = 10 with steps = 10 records step 0 alone"],
        ),
    ],
)
def test_unwise_combination_is_one_warning(options: dict[str, str], fragments: list[str]) -> None:
    (warning,) = warnings_for(from_options(None, dict(options)))
    for fragment in fragments:
        assert fragment in warning


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lr": "0"},
        {"steps": "1"},
        {"norm": "layer", "batch_size": "1"},
        {"norm": "batch", "batch_size": "2"},
        {"activation": "sigmoid", "init": "he_normal"},
        {"init": "lsuv"},
        {"init": "zeros", "layers": ""},
        {"loss": "cross_entropy", "output_activation": "softmax"},
        {"loss": "binary_cross_entropy", "output_activation": "softmax"},
        {"loss": "mse", "output_activation": "linear"},
    ],
)
def test_ordinary_configuration_is_silent(options: dict[str, str]) -> None:
    assert warnings_for(from_options(None, dict(options))) == []
