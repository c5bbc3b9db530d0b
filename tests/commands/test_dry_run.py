"""train --dry-run: parameter counts as Keras counts them, worked by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import dlprobe

MNIST = ("--data", "gaussian(features=784, classes=10)", "--layers", "300,100")


def test_dense_net_784_300_100_10() -> None:
    data = dlprobe("train", "--dry-run", *MNIST, "--format", "json").data
    counts = [784 * 300 + 300, 300 * 100 + 100, 100 * 10 + 10]
    assert [layer["parameters"] for layer in data["layers"]] == counts
    assert (data["parameters"], data["trained"], data["not_trained"]) == (266_610, 266_610, 0)


def test_keras_count_of_the_net_that_normalizes_its_input_too() -> None:
    """784 inputs with batch norm, 300 and 100 units with batch norm each, 10 outputs: 271,346
    in all, 268,978 trainable, 2,368 not.
    """
    data = dlprobe(
        "train", "--dry-run", *MNIST, "--norm", "batch", "--input-norm", "batch", "--format", "json"
    ).data
    assert (data["parameters"], data["trained"], data["not_trained"]) == (271_346, 268_978, 2_368)
    assert data["layers"][0]["name"] == "input"
    assert data["layers"][0]["parameters"] == 4 * 784


def test_rezero_learns_one_number_per_layer() -> None:
    data = dlprobe(
        "train",
        "--dry-run",
        *MNIST[:2],
        "--layers",
        "100x4",
        "--residual",
        "rezero",
        "--format",
        "json",
    ).data
    assert data["trained"] == 784 * 100 + 3 * 100 * 100 + 100 * 10 + 4 * 100 + 10 + 3


def test_a_residual_connection_that_fits_nowhere_is_one_clear_line() -> None:
    found = dlprobe("train", "--data", "wine", "--layers", "30,20", "--residual", "yes")
    assert found.code == 2
    (line,) = [line for line in found.err.splitlines() if line.startswith("error")]
    assert "no hidden layer is as wide as what it gets (13 → 30 → 20)" in line


@pytest.mark.parametrize("position", ["before", "after"])
def test_batch_norm_has_four_numbers_per_unit_of_which_two_are_not_trained(position: str) -> None:
    """Keras's 271,346 for the net that also normalizes its input, less the 3,136 numbers of
    that one.
    """
    data = dlprobe(
        "train",
        "--dry-run",
        *MNIST,
        "--norm",
        "batch",
        "--norm-position",
        position,
        "--format",
        "json",
    ).data
    assert [layer["not_trained"] for layer in data["layers"]] == [600, 200, 0]
    assert data["parameters"] == 271_346 - 4 * 784
    assert data["trained"] == 268_978 - 2 * 784
    assert data["not_trained"] == 2_368 - 2 * 784


def test_layer_norm_trains_all_it_has_and_bias_can_be_left_out() -> None:
    data = dlprobe(
        "train", "--dry-run", *MNIST, "--norm", "layer", "--bias", "no", "--format", "json"
    ).data
    assert (data["trained"], data["not_trained"]) == (784 * 300 + 300 * 100 + 100 * 10 + 2 * 400, 0)


def test_rms_norm_learns_a_scale_and_no_shift() -> None:
    data = dlprobe("train", "--dry-run", *MNIST, "--norm", "rms", "--format", "json").data
    assert (data["trained"], data["not_trained"]) == (266_610 + 400, 0)


@pytest.mark.parametrize(
    ("norm", "layers", "problem"),
    [
        (
            "group(groups=7)",
            "21,20",
            (
                "norm = group(groups=7): hidden_2: 20 units cannot be divided into 7 equal "
                "groups: expected a divisor of 20"
            ),
        ),
        (
            "layer(ddof=1)",
            "1",
            "norm = layer(ddof=1): hidden_1: 1 unit leaves nothing to divide by with ddof = 1",
        ),
    ],
)
def test_a_width_that_a_norm_does_not_allow_is_one_clear_line(
    norm: str, layers: str, problem: str
) -> None:
    found = dlprobe("train", "--data", "wine", "--layers", layers, "--norm", norm)
    assert found.code == 2
    assert problem in found.err
    assert found.err.strip().count("\n") == 0


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        (
            "--input-norm",
            "group(groups=2)",
            "input_norm = group(groups=2): input: 1 units cannot be divided into 2 equal groups",
        ),
        (
            "--weight-transform",
            "weight_standardization",
            (
                "weight_transform = weight_standardization: hidden_1: a unit with one input "
                "always gets weight 0"
            ),
        ),
    ],
)
def test_so_is_a_number_of_inputs(option: str, value: str, problem: str) -> None:
    found = dlprobe("train", "--dry-run", "--data", "sine", "--layers", "4", option, value)
    assert found.code == 2
    assert problem in found.err


def test_operations_and_memory_of_a_step_by_hand() -> None:
    data = dlprobe(
        "train",
        "--dry-run",
        "--data",
        "gaussian(samples=100, features=20, classes=2)",
        "--layers",
        "10",
        "--batch-size",
        "8",
        "--format",
        "json",
    ).data
    first, second = 2 * 8 * 20 * 10, 2 * 8 * 10 * 2  # multiply and add, per batch of 8
    assert data["operations"] == {
        "forward": first + second,
        "step": (first + second) + (first + second) + second,
    }
    parameters = 20 * 10 + 10 + 10 * 2 + 2
    assert data["bytes"]["parameters"] == 4 * parameters
    assert data["bytes"]["optimizer"] == 2 * 4 * parameters  # adam's two moments
    # histograms are made of the gradients of all layers at once
    assert data["bytes"]["gradient"] == data["bytes"]["start"] == 4 * parameters
    # 256 samples are evaluated at a time: x, z and a of each layer, targets, three buffers of 20
    assert data["bytes"]["activations"] == 4 * 256 * (20 + 2 * 10 + 2 * 2 + 2 + 3 * 20)
    assert data["data_bytes"] == 4 * 100 * (20 + 2)


def test_a_dry_run_counts_what_a_run_file_counts(tmp_path: object) -> None:
    options = ("--data", "wine", "--layers", "5,4", "--norm", "batch", "--epochs", "1")
    assert dlprobe("train", *options, "-o", f"{tmp_path}/run.h5").code == 0
    stored = dlprobe("inspect", f"{tmp_path}/run.h5", "--show", "layers", "--format", "json").data
    summed = dlprobe("train", "--dry-run", f"{tmp_path}/run.h5", "--format", "json").data
    assert [layer["trained"] for layer in summed["layers"]] == [
        layer["parameter_count"] for layer in stored["layers"]
    ]
    assert summed["trained"] == stored["parameters"]


def test_steps_follow_epochs_and_batch() -> None:
    data = dlprobe(
        "train",
        "--dry-run",
        "--data",
        "wine",
        "--batch-size",
        "full",
        "--epochs",
        "3",
        "--format",
        "json",
    ).data
    assert (data["batch"], data["steps_per_epoch"], data["steps"]) == (107, 1, 3)


def test_a_dry_run_writes_nothing_and_says_what_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert dlprobe("train", "--data", "wine", "--dry-run").code == 0
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "run.h5").write_text("mine")
    assert (
        "another name" in dlprobe("train", "--data", "wine", "--dry-run", "-o", "run.h5").errors[0]
    )
    assert "--dry-run" in dlprobe("train", "--resume", "run.h5", "--dry-run").errors[0]
