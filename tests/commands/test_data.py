"""`data`: what it says of a file before anything is trained, on a narrow and a wide screen,
piped and as JSON; the line that it gives is typed.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from command_line import dlprobe, process

from dlprobe import registry
from dlprobe.data.foretelling import foretold
from dlprobe.runs import open_single

ROWS = 400


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Writes a CSV of an ordinary problem, with columns replaced or added; its name."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    inputs = rng.standard_normal((ROWS, 2))
    usual = {
        "a": inputs[:, 0],
        "b": inputs[:, 1],
        "colour": np.array(["red", "green", "blue"])[rng.integers(0, 3, ROWS)],
    }
    usual["y"] = np.where(inputs[:, 0] + rng.standard_normal(ROWS) > 0, "yes", "no")

    def write(name: str = "my table.csv", **columns: Any) -> str:
        polars.DataFrame(
            {
                **usual,
                **{
                    key: value(usual) if callable(value) else value
                    for key, value in columns.items()
                },
            }
        ).write_csv(name)
        return name

    return write


def test_an_ordinary_table_is_described_and_its_line_trains(table: Callable[..., str]) -> None:
    found = dlprobe(
        "data", table(), "--target", "y", "--split", "50,25,25", "--format", "json"
    ).data
    assert (found["task"], found["targets"], found["cautions"], found["rows"]) == (
        "classification",
        ["y"],
        [],
        ROWS,
    )
    assert [(each["name"], each["role"], each["kind"]) for each in found["columns"]] == [
        ("a", "feature", "number"),
        ("b", "feature", "number"),
        ("colour", "feature", "text"),
        ("y", "target", "text"),
    ]
    program, *arguments = shlex.split(found["command"])
    trained = dlprobe(*arguments, "--epochs", "1", "-o", "run.h5", "--format", "json")
    assert (program, trained.code) == ("dlprobe", 0)
    with open_single("run.h5") as run:
        assert run.data["fingerprint"] == found["fingerprint"]


def test_numbers_of_a_column_are_those_of_polars(table: Callable[..., str]) -> None:
    name = table(a=lambda usual: np.where(np.arange(ROWS) % 10 == 0, np.nan, usual["a"]))
    column = dlprobe("data", name, "--target", "y", "--missing", "mean", "--format", "json").data[
        "columns"
    ][0]
    series = polars.read_csv(name)["a"].fill_nan(None)
    assert (column["missing"], column["distinct"]) == (
        series.null_count(),
        series.drop_nulls().n_unique(),
    )
    assert (column["low"], column["high"]) == (series.min(), series.max())
    assert column["mean"] == pytest.approx(series.mean(), rel=1e-12)
    counts, edges = np.histogram(series.drop_nulls().to_numpy(), 10)
    assert column["histogram"]["counts"] == counts.tolist()
    assert column["histogram"]["edges"] == pytest.approx(edges.tolist())


def test_a_column_that_gives_the_target_away_is_named(table: Callable[..., str]) -> None:
    """A code of each class, and one that only orders them: values below 0 are all of one class."""
    rng = np.random.default_rng(2)
    told = {
        "code": lambda usual: np.where(usual["y"] == "yes", "A", "B"),
        "score": lambda usual: np.where(usual["y"] == "yes", 1, -1) * rng.uniform(0.5, 1, ROWS),
    }
    found = dlprobe("data", table(**told), "--target", "y", "--format", "json").data
    assert {each["column"] for each in found["leaks"]["foretelling"]} == {"code", "score"}
    assert "column 5 'code' alone gives the target (right for 100 % of the rows)" in " ".join(
        found["cautions"]
    )
    left = dlprobe(
        "data", "my table.csv", "--target", "y", "--drop", "code,score", "--format", "json"
    ).data
    assert left["cautions"] == []


def test_a_column_that_numbers_the_rows_is_named(table: Callable[..., str]) -> None:
    order = np.random.default_rng(3).permutation(ROWS)
    found = dlprobe("data", table(place=order + 1000), "--target", "y", "--format", "json").data
    assert found["leaks"]["numbering"] == ["place"]
    assert found["cautions"] == ["column 5 'place' numbers the rows: --drop place leaves it out"]


def test_rows_in_two_parts_and_features_out_of_scale_are_found_by_the_rules_of_data(
    table: Callable[..., str],
) -> None:
    few = np.random.default_rng(4).integers(0, 2, ROWS)
    name = table(a=few * 1000.0, b=few / 1000, colour=few)
    found = dlprobe("data", name, "--target", "y", "--scaling", "none", "--format", "json").data
    assert {"D001", "D003"} <= {each["code"] for each in found["findings"]}
    assert next(each for each in found["findings"] if each["code"] == "D001")["options"] == [
        "--scaling standardize"
    ]
    assert [each["code"] for each in found["not_evaluated"]] == [
        *("D006", "D007"),  # of a regression
        "D008",  # of text columns
    ]
    assert found["leaks"]["duplicates"]["train_val"] == found["parts"]["val"]


def test_what_the_rules_say_of_data_is_what_they_say_of_the_run(table: Callable[..., str]) -> None:
    """The same measurement: evidence and numbers, of a run that did not learn (which excuses
    nothing).
    """
    name = table(a=lambda usual: usual["a"] * 1e5, b=7.0)
    before = dlprobe("data", name, "--target", "y", "--scaling", "none", "--format", "json").data[
        "findings"
    ]
    assert (
        dlprobe(
            "train",
            "--data",
            name,
            "--target",
            "y",
            "--scaling",
            "none",
            "--lr",
            "0",
            "--epochs",
            "20",
            "-o",
            "run.h5",
        ).code
        == 0
    )
    after = dlprobe(
        "check", "run.h5", "--select", "D001,D003,D004,D005", "--exit-zero", "--format", "json"
    ).data["runs"][0]["findings"]
    keys = ("code", "measured", "threshold", "evidence")
    assert before
    assert [[each[key] for key in keys] for each in before] == [
        [each[key] for key in keys] for each in after
    ]


def test_constant_features_are_named_as_in_the_file(table: Callable[..., str]) -> None:
    """Behind the target and texts of three values, no number of a feature is that of a column."""
    name = table(a=np.full(ROWS, 7), z=np.zeros(ROWS))
    columns = ["y", "colour", "a", "b", "z"]
    polars.read_csv(name).select(columns).write_csv(name)
    (finding,) = dlprobe("data", name, "--target", "y", "--format", "json").data["findings"]
    assert finding["code"] == "D004"
    assert finding["evidence"].endswith(
        "2 of 6 features have a standard deviation of 0 in the training part: 'a', 'z'"
    )


def test_targets_out_of_scale_are_found_too(table: Callable[..., str]) -> None:
    """They are scaled by default; as they are, 10,000 is far from what a net gives at first."""
    name = table(y=lambda usual: 1e4 + usual["a"])
    assert dlprobe("data", name, "--target", "y", "--format", "json").data["findings"] == []
    found = dlprobe(
        "data", name, "--target", "y", "--target-scaling", "none", "--format", "json"
    ).data["findings"]
    assert [(each["code"], each["options"]) for each in found] == [
        ("D006", ["--target-scaling auto"])
    ]


def test_a_few_targets_with_most_of_the_variance_are_told(table: Callable[..., str]) -> None:
    """Four of 400 prices with a zero too many; a house in a hundred for ten times as much has most
    of the squared distances.
    """
    price = np.random.default_rng(5).normal(10.0, 1.0, ROWS)
    sound = dlprobe("data", table(y=price), "--target", "y", "--format", "json").data
    assert sound["findings"] == []
    price[::100] *= 10
    found = dlprobe("data", table(y=price), "--target", "y", "--format", "json").data["findings"]
    assert [(each["code"], each["options"]) for each in found] == [("D007", ["--loss huber"])]


def test_a_stand_in_for_missing_values_is_told(table: Callable[..., str]) -> None:
    """-999 in a tenth of the rows: the deviation is 300, the middle half of the others 1.35."""
    usual = np.random.default_rng(6).normal(size=ROWS)
    ages = np.where(np.arange(ROWS) % 10 == 0, -999.0, usual)
    found = dlprobe("data", table(age=ages), "--target", "y", "--format", "json").data["findings"]
    assert [each["code"] for each in found] == ["D009"]
    assert found[0]["measured"] == pytest.approx(1.35 / 300, rel=0.3)
    assert "'age' reaches -999 while" in found[0]["evidence"]


def test_a_text_column_of_rare_values_is_told(table: Callable[..., str]) -> None:
    """Dates as categories: sixty of them in 240 training rows."""
    days = [f"2024-{1 + k % 60 // 20:02d}-{1 + k % 20:02d}" for k in range(ROWS)]
    towns = [f"{k % 5} Street" for k in range(ROWS)]
    found = dlprobe("data", table(day=days, town=towns), "--target", "y", "--format", "json").data[
        "findings"
    ]
    assert [(each["code"], each["options"]) for each in found] == [("D008", ["--dates ordinal"])]
    assert "'day' has 60 values in 240 training samples: 100%" in found[0]["evidence"]


def test_rare_classes_are_named(table: Callable[..., str]) -> None:
    found = dlprobe(
        "data",
        table(y=np.where(np.arange(ROWS) < 20, "ill", "well")),
        "--target",
        "y",
        "--format",
        "json",
    ).data
    assert found["cautions"] == [
        (
            "class 'ill' (20 of 400 rows) is rare: always naming the commonest has 5 % error, so "
            "look at each class"
        )
    ]


@pytest.mark.parametrize("width", ["80", "200"])
def test_the_answer_comes_first_and_fits(
    width: str, table: Callable[..., str], tmp_path: Path
) -> None:
    name = table(**{f"feature_number_{k}": np.arange(ROWS) * 1.5e7 + k for k in range(40)})
    outcome = process("data", name, "--target", "y", folder=tmp_path, COLUMNS=width)
    lines = outcome.out.splitlines()
    assert (outcome.code, outcome.err) == (0, "")
    assert [line for line in lines[:-1] if len(line) > int(width)] == []
    assert lines[2].startswith("400 rows × 45 features, 2 classes in 'y'")
    assert lines.index("Rows of each class") < 10
    assert "20 of 44 columns (--details: all)" in lines
    assert lines[-1] == "next: dlprobe train --data 'my table.csv' --target y"
    assert "\x1b" not in outcome.out


def test_details_have_every_column(table: Callable[..., str]) -> None:
    name = table(**{f"f{k}": np.arange(ROWS) * 1.5 for k in range(40)})
    assert "f39" not in dlprobe("data", name, "--target", "y").out
    assert "f39" in dlprobe("data", name, "--target", "y", "--details").out


def test_a_stream_without_block_characters_gets_plain_ones(
    table: Callable[..., str], tmp_path: Path
) -> None:
    outcome = process("data", table(), "--target", "y", folder=tmp_path, PYTHONIOENCODING="ascii")
    assert outcome.out.isascii()
    assert "\\u" not in outcome.out
    assert "####" in outcome.out


def test_arrays_sets_and_configurations_are_looked_at_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(5)
    inputs = rng.standard_normal((90, 3, 2))
    inputs[4, 0, 0] = np.nan
    np.savez("pair.npz", X=inputs, y=np.arange(90) % 3)
    found = dlprobe("data", "pair.npz", "--format", "json").data
    assert (found["rows_read"], found["rows"], len(found["features"])) == (90, 89, 6)
    assert [each["missing"] for each in found["columns"]] == [1, 0, 0, 0, 0, 0, 0]
    assert (
        dlprobe("data", "sine(samples=50, noise=0.2)", "--format", "json").data["task"]
        == "regression"
    )
    Path("net.toml").write_text('[data]\ndata = "pair.npz"\nmissing = "mean"\n', encoding="utf-8")
    of_toml = dlprobe("data", "net.toml", "--format", "json").data
    assert (of_toml["rows"], of_toml["command"]) == (90, "dlprobe train net.toml")


def test_a_large_file_is_looked_at_by_evenly_spaced_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ranges and means are those of all rows; a code of the target, and row numbers, are found."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 2, 5_000)
    columns = [
        rng.standard_normal(5_000),
        labels * 3.0 + 1,
        rng.permutation(5_000) + 7.0,
        rng.standard_normal(5_000),
    ]
    columns[3][4_999] = 1e6
    np.save("large.npy", np.column_stack([*columns, labels]))
    registry.records("file_format")
    monkeypatch.setattr("dlprobe.data.large_files.LARGE", 1)
    monkeypatch.setattr("dlprobe.data.survey.LOOKED_AT", 600)
    found = dlprobe("data", "large.npy", "--format", "json").data
    assert (found["rows"], found["rows_looked_at"], found["targets"]) == (5_000, 600, ["class"])
    assert [each["high"] for each in found["columns"][:4]] == [max(column) for column in columns]
    assert found["columns"][0]["mean"] == pytest.approx(columns[0].mean())
    assert [each["column"] for each in found["leaks"]["foretelling"]] == ["x2"]
    assert found["leaks"]["numbering"] == ["x3"]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        # every number stands in ten rows, which are the same: none says what it does for others
        (
            lambda rng: [
                np.repeat(rng.standard_normal(40), 10),
                np.repeat(rng.permutation(40), 10),
            ],
            [],
        ),
        # twelve kinds of rows; the first column is the label in other words
        (lambda rng: [np.tile(LABELS * 2 + 5, 10), np.repeat(np.arange(10) % 6, 40)], ["x1"]),
        (lambda rng: [np.zeros(400), np.zeros(400)], []),
    ],
)
def test_rows_that_repeat_give_nothing_away(
    columns: Any, told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    made = columns(rng)
    labels = np.repeat(rng.integers(0, 2, 40), 10) if not told else np.tile(LABELS, 10)
    np.savez("rows.npz", X=np.column_stack(made), y=labels)
    found = dlprobe("data", "rows.npz", "--format", "json").data
    assert [each["column"] for each in found["leaks"]["foretelling"]] == told


LABELS = np.arange(40) % 2


@pytest.mark.parametrize("missing", ["drop", "indicator"])
def test_gaps_of_a_large_file_are_counted_in_all_its_rows(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(7)
    columns = [rng.standard_normal(5_000), rng.standard_normal(5_000)]
    columns[1][1_000:1_300] = np.nan
    np.save("large.npy", np.column_stack([*columns, rng.integers(0, 2, 5_000)]))
    registry.records("file_format")
    monkeypatch.setattr("dlprobe.data.large_files.LARGE", 1)
    monkeypatch.setattr("dlprobe.data.survey.LOOKED_AT", 600)
    found = dlprobe("data", "large.npy", "--missing", missing, "--format", "json").data
    assert (found["rows_read"], [each["missing"] for each in found["columns"][:2]]) == (
        5_000,
        [0, 300],
    )
    assert found["columns"][1]["mean"] == pytest.approx(np.nanmean(columns[1]))


def test_reading_a_large_file_is_said(
    table: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is read; quiet says nothing."""
    monkeypatch.setattr("dlprobe.commands.base.preparing.LARGE_FILE", 1)
    name = table()
    assert f"note: reading {name} (0 MiB) …" in dlprobe("data", name, "--target", "y").err
    assert dlprobe("data", name, "--target", "y", "-q").err == ""


def test_what_cannot_be_trained_on_is_the_line_that_train_says(table: Callable[..., str]) -> None:
    name = table(b=[f"free text {k}" for k in range(ROWS)])
    looked, trained = dlprobe("data", name), dlprobe("train", "--data", name)
    assert (looked.code, looked.out) == (2, "")
    assert looked.errors == trained.errors
    assert "--drop b" in looked.err


def test_labels_in_the_first_column_are_named_as_in_mnist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last pixel never changes, or changes: an error, or a regression, with the same hint."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(6).integers(0, 256, (120, 17))
    pixels[:, 0] = np.arange(120) % 10
    np.savetxt("mnist_train.csv", pixels, fmt="%d", delimiter=",")
    hint = "column 1 holds the whole numbers 0 to 9: if these are the labels, --target 1"
    assert dlprobe("data", "mnist_train.csv", "--format", "json").data["cautions"] == [hint]
    pixels[:, -1] = 0
    np.savetxt("mnist_train.csv", pixels, fmt="%d", delimiter=",")
    outcome = dlprobe("train", "--data", "mnist_train.csv")
    assert (outcome.code, len(outcome.errors)) == (2, 1)
    assert outcome.err.rstrip().endswith(hint)
    assert (
        dlprobe("data", "mnist_train.csv", "--target", "1", "--format", "json").data["task"]
        == "classification"
    )


def test_skill_of_one_column_is_that_of_leave_one_out_by_hand() -> None:
    """Ties are guessed by the others of their value, single rows by the nearest, numbers by the
    line between their neighbours.
    """
    values = np.array([0.0, 0.0, 0.0, 1.0, 5.0, 6.0])
    goal = np.array([0.0, 0.0, 1.0, 1.0, 2.0, 2.0])
    # 0,0,1 at value 0: one other 0 against one 1 each for the zeros (no majority lost: right), the
    # 1 is wrong; 1.0 is nearest to the zeros: wrong
    assert foretold(values, goal, classes=True) == pytest.approx(1 - (2 / 6) / (4 / 6))
    line = np.array([1.0, 2.0, 4.0, 7.0, 9.0])
    assert foretold(line, 3 * line + 1, classes=False) == pytest.approx(1.0)
    assert foretold(line, np.array([0.0, 1.0, 0.0, 1.0, 0.0]), classes=False) < 0
