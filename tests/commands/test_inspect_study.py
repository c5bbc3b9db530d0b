"""inspect STUDY --statistic: medians and ranges by group, extremes, and runs named STUDY#ID.
The oracle is NumPy over the runs as they are stored.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import dlprobe

from dlprobe.runs import open_run

GRID = (
    "--data",
    "wine",
    "--depth",
    "2,3",
    "--width",
    "6",
    "--activation",
    "tanh,relu",
    "--init",
    "he_normal",
    "--norm",
    "none",
    "--epochs",
    "2",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("asked")
    assert dlprobe("gradients", *GRID, "--seeds", "3", "-o", str(path / "study.h5")).code == 0
    return path


@pytest.fixture(autouse=True)
def _there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def asked(*options: str) -> dict[str, Any]:
    outcome = dlprobe("inspect", "study.h5", "--statistic", *options, "--format", "json")
    assert outcome.code == 0, outcome.err
    return outcome.data


def stored(name: str, **place: object) -> np.ndarray:
    """(run, step, layer) or (run, step) of the runs at a place, in float64."""
    with open_run("study.h5") as study:
        ids = [id for id, own in study.coordinates.items() if place.items() <= own.items()]  # type: ignore[union-attr]
        read = [
            study.runs[id].scalar(name) if name == "batch_loss" else study.runs[id].statistic(name)
            for id in ids
        ]  # type: ignore[union-attr]
    return np.array(read, np.float64)


def test_groups_have_medians_and_ranges_over_their_runs() -> None:
    data = asked(
        "error_signal_rms",
        "--by",
        "activation",
        "--where",
        "depth=3",
        "--steps",
        "2:4",
        "--layers",
        "hidden_1,hidden_3",
    )
    assert [group["coordinates"] for group in data["groups"]] == [
        {"activation": "tanh"},
        {"activation": "relu"},
    ]
    for group in data["groups"]:
        assert len(group["runs"]) == 3
        values = stored("error_signal_rms", depth=3, **group["coordinates"])[:, 2:5]
        for layer, column in zip(group["layers"], (0, 2), strict=True):
            assert (layer["layer"], layer["steps"], layer["runs"]) == (
                f"hidden_{column + 1}",
                [2, 3, 4],
                [3, 3, 3],
            )
            for key, of in (("median", np.median), ("low", np.min), ("high", np.max)):
                np.testing.assert_allclose(layer[key], of(values[..., column], axis=0), rtol=1e-7)


@pytest.mark.parametrize(("at", "row"), [("start", 0), ("5", 5), ("end", -1)])
def test_one_moment_runs_through_the_layers(at: str, row: int) -> None:
    data = asked("gradient_rms", "--by", "depth", "--at", at)
    assert (data["over"], [len(group["layers"]) for group in data["groups"]]) == (
        "layer",
        [3, 4],
    )  # the output layer too
    for group in data["groups"]:
        medians = np.median(stored("gradient_rms", **group["coordinates"])[:, row], axis=0)
        np.testing.assert_allclose(
            [layer["median"][0] for layer in group["layers"]], medians, rtol=1e-7
        )


def test_error_rates_are_shown_in_percent_and_given_as_shares() -> None:
    """Of 36 validation rows k are wrong: k/36 in JSON, 100·k/36 on the screen."""
    median = asked("val_error", "--by", "seed", "--where", "seed=1", "--at", "end")["groups"][0][
        "layers"
    ][0]["median"][0]
    assert (36 * median * 2) % 1 == pytest.approx(
        0.0, abs=1e-9
    )  # a median of an even number of runs may lie between two
    out = dlprobe(
        "inspect",
        "study.h5",
        "--statistic",
        "val_error",
        "--by",
        "seed",
        "--where",
        "seed=1",
        "--at",
        "end",
    ).out
    assert "val_error [%]" in out
    assert f"  {100 * median:.3g} (" in out


def test_without_axes_the_groups_are_the_configurations() -> None:
    data = asked("batch_loss", "--at", "end")
    assert data["by"] == ["depth", "activation"]
    assert data["fixed"] == {"width": 6, "init": "he_normal", "norm": "none"}
    assert [len(group["runs"]) for group in data["groups"]] == [3] * 4


def test_groups_are_sorted_by_their_medians() -> None:
    def order(sort: str) -> list[str]:
        lines = dlprobe(
            "inspect", "study.h5", "--statistic", "batch_loss", "--at", "end", "--sort", sort
        ).out.splitlines()
        return [line.split("  ")[0].strip() for line in lines if line.startswith("depth ")]

    medians = {
        f"depth {d} · {a}": float(np.median(stored("batch_loss", depth=d, activation=a)[:, -1]))
        for d in (2, 3)
        for a in ("tanh", "relu")
    }
    assert order("largest") == sorted(medians, key=lambda label: -medians[label])
    assert order("smallest") == order("largest")[::-1]


@pytest.mark.parametrize("by", [(), ("--by", "activation")])
def test_extremes_name_run_layer_and_step(by: tuple[str, ...]) -> None:
    data = asked("weight_rms", "--where", "depth=3", "--extreme", *by)
    assert len(data["extremes"]) == (2 if by else 1)
    for each in data["extremes"]:
        values = stored("weight_rms", depth=3, **each["coordinates"])
        for kind, place in (("smallest", values.argmin()), ("largest", values.argmax())):
            run, step, layer = np.unravel_index(place, values.shape)
            found = each[kind]
            assert (found["value"], found["step"], found["layer"]) == (
                values[run, step, layer],
                step,
                ["hidden_1", "hidden_2", "hidden_3", "output"][layer],
            )
            one = dlprobe(
                "inspect",
                f"study.h5#{found['run']}",
                "--statistic",
                "weight_rms",
                "--extreme",
                "--format",
                "json",
            ).data
            assert one["extremes"][0][kind]["value"] == found["value"]


def test_a_part_of_one_run_is_what_the_file_holds() -> None:
    with open_run("study.h5") as study:
        id = next(id for id, own in study.coordinates.items() if own["depth"] == 3)  # type: ignore[union-attr]
        values = study.runs[id].statistic("update_ratio")  # type: ignore[union-attr]
    data = dlprobe(
        "inspect",
        f"study.h5#{id}",
        "--statistic",
        "update_ratio",
        "--layers",
        "output,hidden_2",
        "--steps",
        "3:",
        "--format",
        "json",
    ).data
    assert (data["layers"], data["steps"]) == (["output", "hidden_2"], list(range(3, 8)))
    np.testing.assert_array_equal(np.float32(data["values"]), values[3:, [3, 1]])


def test_csv_has_a_row_for_each_group_layer_and_step() -> None:
    out = dlprobe(
        "inspect",
        "study.h5",
        "--statistic",
        "weight_rms",
        "--by",
        "activation",
        "--where",
        "depth=2",
        "--steps",
        "3:4",
        "--format",
        "csv",
    ).out
    rows = list(csv.DictReader(out.splitlines()))
    assert len(rows) == 2 * 2 * 2  # activations, first and last hidden layer, steps
    for row in rows:
        values = stored("weight_rms", depth=2, activation=row["activation"])[
            :, int(row["step"]), int(row["layer"][-1]) - 1
        ]
        assert float(row["median"]) == pytest.approx(np.median(values), rel=1e-7)
        assert int(row["runs"]) == 3


def test_old_spellings_answer_as_before() -> None:
    with open_run("study.h5") as study:
        id = next(iter(study.runs))  # type: ignore[union-attr]
    assert (
        dlprobe("inspect", "study.h5", "--run", id).out == dlprobe("inspect", f"study.h5#{id}").out
    )
    assert "--run" not in dlprobe("inspect", "--help").out


def test_an_overview_says_which_command_shows_the_study_again() -> None:
    assert "next: dlprobe gradients study.h5" in dlprobe("inspect", "study.h5").out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--statistic", "weight_rms", "--by", "depht"), "did you mean 'depth'"),
        (("--statistic", "weight_rms", "--where", "depth=4"), "unknown value of depth '4'"),
        (("--statistic", "weight_rms", "--where", "depth"), "expected AXIS=VALUE"),
        (("--statistic", "weight_rms", "--layers", "hidden_7"), "unknown layer 'hidden_7'"),
        (("--statistic", "weight_rms", "--steps", "9:3"), "lies behind"),
        (("--statistic", "weight_rms", "--at", "99"), "no step 99 was recorded"),
        (("--statistic", "weight_rms", "--at", "now"), "expected start, end or a step"),
        (("--statistic", "weight_rms", "--at", "3", "--steps", "3:4"), "give one of them"),
        (("--statistic", "batch_loss", "--layers", "hidden_1"), "leave --layers out"),
        (("--statistic", "wieght_rms"), "did you mean 'weight_rms'"),
        (("--statistic", "weight_histogram"), "study.h5#ID"),
        (("--by", "depth"), "give --statistic NAME too"),
    ],
)
def test_what_cannot_be_asked_is_one_line(options: tuple[str, ...], message: str) -> None:
    outcome = dlprobe("inspect", "study.h5", *options)
    assert (outcome.code, len(outcome.err.splitlines())) == (2, 1), outcome.err
    assert message in outcome.err
