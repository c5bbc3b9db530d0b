"""Name or path: how the text of `--data` is understood."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from dlprobe.data import load
from dlprobe.errors import ConfigError, DataError


@dataclass(frozen=True)
class Text:
    """A `[data]` table that nobody has checked yet."""

    data: str
    target: str | None = None
    columns: tuple[str, ...] | None = None
    drop: tuple[str, ...] | None = None
    val_data: str | None = None
    test_data: str | None = None
    split_column: str | None = None
    group_column: str | None = None
    dates: str = "refuse"
    missing: str = "drop"
    sep: str = "auto"
    decimal: str = "auto"
    task: str = "auto"
    scaling: str = "standardize"
    split: tuple[float, float, float] = (60, 20, 20)
    stratify: bool = True
    data_seed: int | None = None


CSV = "a,b,y\n1,2,p\n3,4,q\n5,6,p\n7,8,q\n"


def test_a_misspelt_set_is_suggested_and_paths_are_explained() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'moons'.*a path with a suffix"):
        load(Text("mooons"), 0)


def test_a_name_wins_over_a_file_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wine").write_text(CSV)
    assert load(Text("wine"), 0).inputs.shape == (178, 13)


def test_a_name_with_parentheses_in_a_file_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits (1).csv").write_text(CSV)
    assert load(Text("digits (1).csv"), 0).inputs.shape == (4, 2)


def test_a_bare_name_with_a_known_suffix_is_a_path() -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv: there is no such file"):
        load(Text("nowhere.csv"), 0)


def test_names_take_hyphens_and_capitals() -> None:
    assert load(Text("Breast-Cancer"), 0).name == "breast_cancer"
