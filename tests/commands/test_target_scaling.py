"""What screens and JSON say of scaled targets, and which numbers are compared with which."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import dlprobe

SHORT = ("--data", "diabetes", "--layers", "4", "--epochs", "2", "--quiet")
COMPARED = (*SHORT, "--seeds", "2", "--format", "json")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same run, targets scaled and as they are."""
    folder = tmp_path_factory.mktemp("targets")
    made = {kind: folder / f"{kind}.h5" for kind in ("auto", "none")}
    for kind, path in made.items():
        assert dlprobe("train", *SHORT, "--target-scaling", kind, "-o", str(path)).code == 0
    return made


@pytest.fixture
def several(tmp_path: Path) -> str:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 4)) * [1, 1, 1000, 0.001]
    path = tmp_path / "houses.csv"
    path.write_text(
        "x1,x2,price,size\n"
        + "".join(",".join(f"{value:.6g}" for value in row) + "\n" for row in rows),
        encoding="utf-8",
    )
    return str(path)


def test_losses_are_told_to_be_of_scaled_targets(runs: dict[str, Path]) -> None:
    scaled, raw = (dlprobe("inspect", str(runs[kind])).out for kind in ("auto", "none"))
    assert "standardized: losses are of scaled targets" in " ".join(scaled.split())
    assert "loss (scaled targets)" in scaled
    assert "scaled targets" not in raw
    assert [
        dlprobe("inspect", str(runs[kind]), "--format", "json").data["target_scaling"]
        for kind in ("auto", "none")
    ] == ["standardize", "none"]


def test_errors_of_scaled_and_other_targets_compare_and_losses_do_not(
    runs: dict[str, Path],
) -> None:
    found = dlprobe("diff", str(runs["none"]), str(runs["auto"]), "--format", "json").data
    (pair,) = found["pairs"]
    assert {each["metric"] for each in pair["metrics"]} == {
        "train_error",
        "val_error",
        "test_error",
    }
    assert {each["key"]: (each["a"], each["b"]) for each in pair["configuration"]} == {
        "data.target_scaling": ("none", "auto")
    }
    same = dlprobe("diff", str(runs["auto"]), str(runs["auto"]), "--format", "json").data
    assert same["pairs"][0]["identical"]


def test_training_a_run_again_scales_as_it_did(runs: dict[str, Path], tmp_path: Path) -> None:
    for kind, path in runs.items():
        again = dlprobe(
            "train", str(path), "-o", str(tmp_path / f"{kind}.h5"), "--format", "json", "--quiet"
        ).data
        assert (
            again["content_sha256"]
            == dlprobe("inspect", str(path), "--format", "json").data["content_sha256"]
        )


def test_compare_ranks_by_the_error_where_losses_have_different_units() -> None:
    assert (
        dlprobe("compare", "target-scaling", "none", "standardize", *COMPARED).data["by"]
        == "val_error"
    )
    assert dlprobe("compare", "train-size", "50", "100", *COMPARED).data["by"] == "val_error"
    assert dlprobe("compare", "optimizer", "sgd", "adam", *COMPARED).data["by"] == "val_loss"
    assert (
        dlprobe("compare", "train-size", "50", "100", *COMPARED, "--target-scaling", "none").data[
            "by"
        ]
        == "val_loss"
    )
    refused = dlprobe(
        "compare", "target-scaling", "none", "standardize", *COMPARED, "--by", "val_loss"
    )
    assert refused.code == 2
    assert refused.errors == [
        (
            "error: --by val_loss: losses of differently scaled targets are not measured in the "
            "same unit: take --by val_error"
        )
    ]


def test_summary_and_lr_find_say_it() -> None:
    assert (
        dlprobe("train", "--dry-run", "--data", "diabetes", "--format", "json").data[
            "target_scaling"
        ]
        == "standardize"
    )
    assert (
        dlprobe("train", "--dry-run", "--data", "wine", "--format", "json").data["target_scaling"]
        == "none"
    )
    told = dlprobe("lr-find", *SHORT[:-1], "--quick").err
    assert "losses are of scaled targets, errors and metrics in the targets' own units" in told


def test_check_offers_to_scale_targets_that_hinder_learning(tmp_path: Path) -> None:
    path = tmp_path / "ill.h5"
    assert (
        dlprobe(
            "train",
            "--data",
            "diabetes",
            "--layers",
            "13",
            "--target-scaling",
            "none",
            "--quiet",
            "-o",
            str(path),
        ).code
        == 0
    )
    (found,) = [
        each
        for each in dlprobe("check", str(path), "--format", "json").data["runs"][0]["findings"]
        if each["code"] == "L001"
    ]
    assert found["remedies"][0]["patch"] == {"data.target_scaling": "auto"}


@pytest.mark.parametrize(
    "option", [("--target", "price,size"), ("--target", "price", "--target", "size")]
)
def test_several_targets_have_a_row_each(
    several: str, tmp_path: Path, option: tuple[str, ...]
) -> None:
    path = str(tmp_path / "several.h5")
    trained = dlprobe(
        "train",
        "--data",
        several,
        *option,
        "--layers",
        "4",
        "--epochs",
        "2",
        "-o",
        path,
        "--format",
        "json",
    )
    assert trained.data["target_names"] == ["price", "size"]
    assert len(trained.data["val_target_rmse"]) == 2
    shown = dlprobe("inspect", path, "--show", "metrics").out
    assert "Each target, validation part" in shown
    assert [
        line.split()[0] for line in shown.splitlines() if line.startswith(("price", "size"))
    ] == ["price", "size"] * 3
    assert dlprobe("inspect", path, "--statistic", "val_target_r2", "--format", "json").code == 0


def test_a_recipe_about_one_target_says_so(several: str) -> None:
    found = dlprobe("recipe", "bowl_paths", "--data", several, "--target", "price,size", "--tiny")
    assert found.code == 2
    assert (
        "the recipe is about one target, and houses.csv has 2: name one with --target"
        in found.errors[0]
    )
