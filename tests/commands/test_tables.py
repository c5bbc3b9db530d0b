"""Tables as people have them, from the command line: options are stored and repeated, mistakes
are one line with what to type.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import dlprobe

import dlprobe as package

SHORT = ("--layers", "4", "--epochs", "2", "--quiet", "--force")
RNG = np.random.default_rng(7)
HEAD = "PassengerId,Survived,Age,Name,When,Fare,Patient"
ROWS = [
    (
        f'{i + 1},{RNG.integers(2)},{"" if i % 5 == 2 else RNG.integers(1, 80)},"Doe, Mr. '
        f'{i}",2024-01-{i % 28 + 1:02d},"${RNG.uniform(5, 2000):,.2f}",p{i % 20}'
    )
    for i in range(120)
]
OPTIONS = {
    "target": "Survived",
    "drop": "Name,Pass*",
    "missing": "median",
    "decimal": "point",
    "dates": "ordinal",
    "group_column": "Patient",
}
AS_TEXTS = [
    text for key, value in OPTIONS.items() for text in (f"--{key.replace('_', '-')}", value)
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "titanic.csv").write_text("\n".join([HEAD, *ROWS]) + "\n", encoding="utf-8")
    return tmp_path


def test_options_are_stored_and_a_run_repeats_them(folder: Path) -> None:
    assert dlprobe("train", "--data", "titanic.csv", *AS_TEXTS, "-o", "a.h5", *SHORT).code == 0
    run = package.open_run("a.h5")
    assert {key: run.config["data"][key] for key in OPTIONS} == {
        **OPTIONS,
        "drop": ["Name", "Pass*"],
    }
    assert list(run.data["feature_names"]) == ["Age", "When", "Fare"]
    assert np.isfinite(run.data["feature_fill"]).all()
    assert dlprobe("train", "a.h5", "-o", "b.h5", *SHORT).code == 0
    (folder / "net.toml").write_text(
        "[data]\ndata = 'titanic.csv'\n"
        + "".join(f"{key} = {json.dumps(value)}\n" for key, value in OPTIONS.items())
    )
    assert dlprobe("train", "net.toml", "-o", "c.h5", *SHORT).code == 0
    assert (
        package.open_run("b.h5").content_sha256
        == run.content_sha256
        == package.open_run("c.h5").content_sha256
    )
    assert dlprobe("train", "a.h5", "--missing", "mean", "-o", "d.h5", *SHORT).code == 0
    assert package.open_run("d.h5").content_sha256 != run.content_sha256
    pair = dlprobe("diff", "a.h5", "d.h5", "--format", "json").data["pairs"][0]
    assert {each["key"]: (each["a"], each["b"]) for each in pair["configuration"]} == {
        "data.missing": ("median", "mean")
    }


def test_a_run_that_uses_none_of_the_options_stores_none(folder: Path) -> None:
    assert dlprobe("train", "--data", "wine", "-o", "a.h5", *SHORT).code == 0
    assert not set(package.open_run("a.h5").config["data"]) & {
        *OPTIONS,
        "sep",
        "columns",
        "val_data",
        "test_data",
        "split_column",
    } - {"target"}


def test_files_of_parts_are_opened_again_and_their_paths_are_no_content(folder: Path) -> None:
    (folder / "late").mkdir()
    for place in (folder / "late", folder):
        (place / "test.csv").write_text("\n".join([HEAD, *ROWS[80:]]) + "\n", encoding="utf-8")
    for name, test in (("a.h5", "test.csv"), ("b.h5", "late/test.csv")):
        assert (
            dlprobe(
                "train", "--data", "titanic.csv", "--test-data", test, *AS_TEXTS, "-o", name, *SHORT
            ).code
            == 0
        )
    assert package.open_run("a.h5").content_sha256 == package.open_run("b.h5").content_sha256
    told = dlprobe("train", "a.h5", "-o", "c.h5", *SHORT)
    assert "a.h5 names test_data" in " ".join(told.err.split())
    assert package.open_run("c.h5").content_sha256 == package.open_run("a.h5").content_sha256


def test_values_of_an_option_are_compared(folder: Path) -> None:
    chosen = (
        "--data",
        "titanic.csv",
        "--target",
        "Survived",
        "--drop",
        "Name,When",
        "--decimal",
        "point",
    )
    found = dlprobe(
        "compare",
        "missing",
        "mean,indicator",
        *chosen,
        *SHORT[:-1],
        "--seeds",
        "2",
        "--format",
        "json",
    )
    assert found.code == 0, found.err
    assert "indicator" in json.dumps(found.data)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--missing", "zero"], "--missing zero: expected drop | mean | median | indicator"),
        (["--dates", "year"], "--dates year: expected refuse | drop | ordinal"),
        (["--sep", "colon"], "--sep colon: expected auto | comma | semicolon | tab | bar | blank"),
        (["--columns", ","], "--columns ,: expected names, patterns or numbers of columns"),
        (["--split-column", "a", "--test-data", "b.csv"], "test_data gives a split too"),
        (
            ["--data", "wine", "--drop", "alcohol"],
            "drop = alcohol does not suit data = wine: drop is for files",
        ),
        (["--data", "wine", "--test-data", "b.csv"], "test_data = b.csv does not suit data = wine"),
        (["--drop", "Nam"], "drop 'Nam' is no column: did you mean 'Name'?"),
        ([], "--drop Name leaves it out"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(folder: Path, options: list[str], words: str) -> None:
    told = dlprobe(
        "train",
        "--data",
        "titanic.csv",
        "--target",
        "Survived",
        "--decimal",
        "point",
        *SHORT,
        *options,
    )
    if "wine" in options:
        told = dlprobe("train", *SHORT, *options)
    assert told.code == 2
    assert words in " ".join(told.err.split()), told.err


def test_help_names_the_options() -> None:
    told = " ".join(dlprobe("train", "--help").out.split())
    for key in (*OPTIONS, "sep", "columns", "val_data", "test_data", "split_column"):
        assert f"--{key.replace('_', '-')}" in told
