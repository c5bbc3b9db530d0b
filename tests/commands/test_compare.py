"""compare on the command line: the documented keys, ways to say an axis, the study file and its
resumption, wrong input.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from command_line import dlprobe

import dlprobe as package
from dlprobe.runs import Study, StudyWriter

NET = ["--data", "wine", "--layers", "4,4", "--epochs", "2", "--dtype", "float64", "--quiet"]
SHORT = [*NET, "--seeds", "2", "--format", "json"]
SETTLED = (
    "label",
    "axes",
    "rank",
    "standing",
    "seeds",
    "metrics",
    "per_seed",
    "steps_to_target",
    "diverged",
    "states",
    "diagnosis",
    "healed",
    "because",
    "first_loss",
    "dead_fraction",
    "saturated_fraction",
    "initial",
    "final",
    "curve",
    "parameters",
)


def compared(*arguments: str) -> dict[str, Any]:
    outcome = dlprobe("compare", *arguments)
    assert outcome.code == 0, outcome.err
    return outcome.data


def settled(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What does not depend on the clock."""
    return [{key: value[key] for key in SETTLED} for value in data["values"]]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compare") / "study.h5"
    compared("init=he_normal,glorot_normal", "activation=relu,tanh", *SHORT, "-o", str(path))
    return path


def test_json_has_the_documented_keys(study: Path) -> None:
    data = compared(str(study), "--format", "json")
    assert data["schema"] == "dlprobe-compare/1"
    assert data["axes"] == {"init": ["he_normal", "glorot_normal"], "activation": ["relu", "tanh"]}
    assert (data["seeds"], data["by"], data["effect"], data["complete"], data["equal"]) == (
        [0, 1],
        "val_loss",
        "factor",
        True,
        "samples",
    )
    assert [value["rank"] for value in data["values"]] == [1, 2, 3, 4]
    value = data["values"][0]
    assert set(SETTLED) | {"layers", "learning_rate", "tuning", "updates", "step_seconds"} == set(
        value
    )
    assert {
        "final_val_loss",
        "best_val_loss",
        "final_val_error",
        "final_train_loss",
        "final_test_error",
    } <= set(value["metrics"])
    assert set(value["metrics"]["final_val_loss"]) == {"median", "low", "high"}
    assert len(value["initial"]["error_signal_rms"]) == 2
    assert len(data["comparisons"]) == 6
    assert set(data["comparisons"][0]) == {
        "a",
        "b",
        "effect",
        "low",
        "high",
        "p",
        "p_adjusted",
        "different",
        "seeds",
    }
    assert [margin["axis"] for margin in data["marginals"]] == ["init", "activation"]
    assert (
        data["power"]["seeds_needed"] == 8
    )  # 2 of 2**8 patterns of signs: the first power of two below 0.05 / 6
    assert "not tuned" in data["caveats"][0]


def test_saved_study_is_shown_again_by_another_metric_without_training(study: Path) -> None:
    before = study.stat().st_mtime_ns
    assert compared(str(study), "--by", "train_loss", "--format", "json")["by"] == "train_loss"
    assert "too few seeds for a test" in dlprobe("compare", str(study), "--by", "val-error").out
    assert study.stat().st_mtime_ns == before


@pytest.mark.parametrize("width", [40, 80, 200])
def test_table_keeps_to_the_width(study: Path, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = dlprobe("compare", str(study)).out.splitlines()
    assert [line for line in lines if len(line) > width and not line.startswith("next: ")] == []


def test_study_keeps_every_run_like_any_study(study: Path) -> None:
    with package.open_run(study) as found:
        assert isinstance(found, Study)
        assert (len(found.runs), found.status) == (8, "finished")
        assert found.coordinates["1-he_normal-relu-seed1"] == {
            "init": "he_normal",
            "activation": "relu",
            "seed": 1,
        }
        assert sorted(found.table["rank"]) == [1, 2, 3, 4]
    assert "1-he_normal-relu-seed1" in dlprobe("inspect", str(study)).out
    asked = dlprobe("inspect", str(study), "--show", "config").out
    assert 'coordinates = {"init": "he_normal", "activation": "relu"}' in asked
    assert max(map(len, asked.splitlines())) < 200  # whole configurations are in the runs
    assert dlprobe("check", str(study), "--exit-zero").code == 0
    assert dlprobe("diff", str(study), str(study)).code == 0


def test_killed_study_goes_on_and_ends_the_same(study: Path, tmp_path: Path) -> None:
    path = tmp_path / "killed.h5"
    with package.open_run(study) as found:
        assert isinstance(found, Study)
        shutil.copy(study, tmp_path / "copy.h5")
        description, content = dict(found.description), found.content_sha256
    StudyWriter.resume(
        tmp_path / "copy.h5", description
    ).close()  # the journal of a study that was killed after its last run
    journal = tmp_path / "copy.h5.journal"
    Path(f"{path}.journal").write_bytes(journal.read_bytes()[: journal.stat().st_size // 2])
    assert f"next: dlprobe compare --resume {path}" in dlprobe("compare", str(path)).out
    data = compared("--resume", str(path), "--workers", "2", "--format", "json", "--quiet")
    assert settled(data) == settled(compared(str(study), "--format", "json"))
    with package.open_run(path) as found:
        assert isinstance(found, Study)
        assert found.content_sha256 == content


def test_more_seeds_join_a_finished_study(study: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(study, tmp_path / "more.h5"))
    data = compared("--resume", str(path), "--seeds", "3", "--format", "json", "--quiet")
    assert data["seeds"] == [0, 1, 2]
    assert all(len(value["per_seed"]) == 3 for value in data["values"])
    assert dlprobe("compare", "--resume", str(path), "--seeds", "2").code == 2


@pytest.mark.parametrize(
    "command",
    [
        ["compare", "init", "zeros", "ones"],
        ["gradients", "--depth", "1", "--width", "2", "--activation", "relu", "--init", "zeros"],
    ],
)
def test_study_of_data_that_changed_is_not_gone_on_with(command: list[str], tmp_path: Path) -> None:
    data, study = tmp_path / "mine.csv", tmp_path / "mine.h5"
    rows = [f"{i % 7},{i % 5},{'up' if i % 2 else 'down'}" for i in range(40)]
    data.write_text("\n".join(["a,b,side", *rows]), encoding="utf-8")
    shared = ["--layers", "2"] if command[0] == "compare" else []
    assert (
        dlprobe(
            *command,
            *shared,
            "--data",
            str(data),
            "--target",
            "side",
            "--steps",
            "1",
            "--seeds",
            "1",
            "-o",
            str(study),
        ).code
        == 0
    )
    data.write_text("\n".join(["a,b,side", *rows[::-1], "9,9,up"]), encoding="utf-8")
    found = dlprobe(command[0], "--resume", str(study), "--seeds", "2")
    assert found.code == 2
    assert "has changed since" in found.err


def test_values_share_seeds_split_and_random_numbers(study: Path) -> None:
    with package.open_run(study) as found:
        assert isinstance(found, Study)
        he, glorot = (
            found.runs[f"{k}-{init}-relu-seed1"]
            for k, init in ((1, "he_normal"), (3, "glorot_normal"))
        )
        assert (
            he.data["fingerprint"]
            == glorot.data["fingerprint"]
            == found.runs["1-he_normal-relu-seed0"].data["fingerprint"]
        )
        weights = [run.initial_parameters[: 13 * 4] for run in (he, glorot)]
        # the same normal numbers, of variance 2/13 and 2/(13 + 4)
        assert weights[0] / weights[1] == pytest.approx((17 / 13) ** 0.5)


def test_every_way_to_say_an_axis_means_the_same() -> None:
    ways = (
        ["init", "he_normal", "zeros"],
        ["init", "he_normal,zeros"],
        ["init=he-normal,zeros"],
        ["model.init", "he_normal", "zeros"],
    )
    found = [settled(compared(*way, *SHORT)) for way in ways]
    assert all(each == found[0] for each in found)


def test_tuned_values_get_the_same_number_of_rates() -> None:
    data = compared("optimizer", "sgd", "adam", "--tune-lr", *SHORT)
    by_name = {value["label"]: value for value in data["values"]}
    assert data["tuned"]
    assert data["caveats"] == [] or "at the end of those tried" in data["caveats"][0]
    assert [len(value["tuning"]) for value in data["values"]] == [5, 5]
    for name, usual in (("sgd", 0.01), ("adam", 0.001)):
        best = min(by_name[name]["tuning"], key=lambda each: each["mean"])
        assert by_name[name]["learning_rate"] == best["rate"]
        assert by_name[name]["tuning"][2]["rate"] == usual


def test_equal_updates_and_seconds_set_the_length() -> None:
    samples, updates = (
        compared("batch-size", "8", "32", "--equal", equal, *SHORT)["values"]
        for equal in ("samples", "updates")
    )
    assert {value["label"]: value["updates"] for value in samples} == {
        "8": 28,
        "32": 8,
    }  # 107 rows, two epochs
    assert {value["label"]: value["updates"] for value in updates} == {"8": 8, "32": 8}
    seconds = {
        value["label"]: value["updates"]
        for value in compared("batch-size", "8", "107", "--equal", "seconds", *SHORT)["values"]
    }
    assert seconds["8"] > seconds["107"]
    assert "--equal updates" in " ".join(
        dlprobe("compare", "batch-size", "8", "32", *NET, "--seeds", "1", "--details").out.split()
    )


def test_equal_parameters_makes_deeper_nets_narrower() -> None:
    values = compared(
        "depth", "1", "2", "5", "--equal-parameters", *SHORT[:2], "--layers", "20,20", *SHORT[4:]
    )["values"]
    widths = {value["label"]: value["layers"] for value in values}
    assert widths["2"] == [20, 20]
    assert widths["1"][0] > 20 > widths["5"][0]
    sizes = {value["label"]: value["parameters"] for value in values}
    # one unit more or less changes the count by 17 at depth 1 and by under 60 at depth 5
    assert abs(sizes["1"] - sizes["2"]) <= 17
    assert abs(sizes["5"] - sizes["2"]) <= 60


def test_train_size_without_values_fits_the_data() -> None:
    assert compared("train-size", *SHORT)["axes"] == {
        "train_size": ["13", "26", "53", "all"]
    }  # of 107 rows


def test_option_that_changes_nothing_is_said_to() -> None:
    out = dlprobe(
        "compare", "training.max_norm", "none", "1000", *NET, "--seeds", "2", "--details"
    ).out
    assert "the same numbers to the last bit" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to compare"),
        (["inti", "a", "b"], "did you mean 'init'"),
        (["init", "he_normal"], "two at least"),
        (["init", "he_normal", "He-Normal"], "given twice"),
        (["init=he_normal,zeros", "init=ones,zeros"], "an axis is given twice"),
        (["l2"], "has no usual values"),
        (["init", "zeros", "ones", "activation", "relu", "tanh"], "init=A,B activation=C,D"),
        (["init=zeros,ones", "activation=relu"], "--activation relu"),
        (["regularizer", "none", "l2(abc)"], "'abc' is no number"),
        (["seed", "1", "2"], "--seeds"),
        (["init", "zeros", "ones", "--init", "ones"], "--init is what init compares"),
        (["init", "zeros", "ones", "--by", "val_accuracy"], "more of it is better"),
        (["init", "zeros", "ones", "--by", "test_loss"], "the test part"),
        (["loss", "mse", "cross_entropy", "--by", "val_loss"], "val_error"),
        (["learning-rate", "--tune-lr", "--data", "wine"], "--tune-lr"),
        (["init", "--equal-parameters", "--data", "wine"], "depth and width"),
        (["init", "--equal", "money"], "money"),
        (["nothing.h5"], "nothing.h5"),
        (["--resume", "nothing.h5"], "nothing.h5"),
        (["init", "--resume", "nothing.h5"], "leave AXIS and VALUES out"),
        (["train-size", "1000", "2000", "--data", "wine"], "train_size = 1000"),
    ],
)
def test_wrong_input_is_one_line(arguments: list[str], said: str) -> None:
    found = dlprobe("compare", *arguments, "--quiet")
    assert found.code == 2
    assert said in found.err
    assert len(found.err.strip().splitlines()) == 1
    assert not found.out


def test_file_of_something_else_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "run.h5"
    assert dlprobe("train", *NET, "-o", str(run)).code == 0
    assert "a single run" in dlprobe("compare", str(run)).err
    assert (
        "exists already"
        in dlprobe("compare", "init", "zeros", "ones", *NET, "--seeds", "1", "-o", str(run)).err
    )


def test_the_best_of_nets_that_learned_nothing_is_not_praised() -> None:
    arguments = [
        "optimizer",
        "sgd",
        "adam",
        "--data",
        "wine",
        "--layers",
        "20,20",
        "--lr",
        "1e-9",
        "--epochs",
        "20",
        "--seeds",
        "2",
        "--quiet",
    ]
    out = dlprobe("compare", *arguments, "--details").out
    assert "most seeds did not learn well beside guessing" in " ".join(out.split())
    assert "(did not learn in 2 of 2 seeds)" in " ".join(out.split())
    assert "✓" not in out.replace("✓ ×", "").replace("✓ level", "")
    assert [
        value["states"]
        for value in dlprobe("compare", *arguments, "--format", "json").data["values"]
    ] == [{"did not learn": 2}] * 2
