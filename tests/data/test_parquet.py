"""Parquet: typed columns."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path

import numpy as np
import polars
import pytest

from dlprobe.data import Dataset
from dlprobe.errors import DataError

Read = Callable[..., Dataset]


def write(path: Path, **columns: object) -> None:
    polars.DataFrame(columns).write_parquet(path / "t.parquet")


def test_types_of_the_file_are_kept(read: Read, tmp_path: Path) -> None:
    write(
        tmp_path,
        a=[1, 2, 3, 4],
        b=[True, False, True, True],
        c=["u", "v", "u", "v"],
        y=["p", "q", "p", "q"],
    )
    data = read("t.parquet")
    np.testing.assert_array_equal(
        data.inputs, [[1, 1, 1, 0], [2, 0, 0, 1], [3, 1, 1, 0], [4, 1, 0, 1]]
    )
    assert data.feature_names == ("a", "b", "c=u", "c=v")
    assert data.class_names == ("p", "q")


def test_categories_decimals_and_small_types_are_read(read: Read, tmp_path: Path) -> None:
    frame = polars.DataFrame(
        {
            "a": polars.Series([1, 2, 3], dtype=polars.UInt8),
            "b": polars.Series(["1.50", "2.25", "3"]).cast(polars.Decimal(10, 2)),
            "y": [0.5, 1.5, 2.5],
        }
    )
    frame.with_columns(c=polars.Series(["k", "l", "k"], dtype=polars.Categorical)).write_parquet(
        tmp_path / "t.parquet"
    )
    np.testing.assert_array_equal(
        read("t.parquet", target="y").inputs, [[1, 1.5, 1, 0], [2, 2.25, 0, 1], [3, 3, 1, 0]]
    )


def test_nulls_and_nans_are_missing(read: Read, tmp_path: Path) -> None:
    write(tmp_path, a=[1.0, None, 3.0, float("nan"), 5.0], y=[0.5, 1.5, 2.5, 3.5, 4.5])
    data = read("t.parquet")
    np.testing.assert_array_equal(data.inputs[:, 0], [1, 3, 5])
    assert "dropped 2 of 5 rows with missing values (the first: row 2, column 1 'a')" in data.notes


def test_dates_are_refused_by_column(read: Read, tmp_path: Path) -> None:
    write(tmp_path, when=[date(2020, 1, 1), date(2020, 1, 2)], y=[0.5, 1.5])
    with pytest.raises(DataError, match="column 1 'when': holds 'Date', expected numbers or text"):
        read("t.parquet")


def test_a_damaged_file_prints_nothing_by_itself(
    read: Read, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, a=list(range(100)), y=[0.5] * 100)
    good = (tmp_path / "t.parquet").read_bytes()
    for at in range(4, len(good), 11):
        with suppress(DataError):
            read("t.parquet", good[:at] + b"\xff" + good[at + 1 :])
    assert capfd.readouterr().err == ""


def test_standard_error_works_again_afterwards(
    read: Read, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, a=[1.0, 2.0], y=[0.5, 1.5])
    read("t.parquet")
    os.write(2, b"here again")
    assert capfd.readouterr().err == "here again"
