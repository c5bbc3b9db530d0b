"""Gaps are filled by what the training part says, in every part, and that is stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlprobe.config.records import DataConfig
from dlprobe.data import load, prepare
from dlprobe.data.resampling import Resampler
from dlprobe.errors import DataError

RNG = np.random.default_rng(5)
WHOLE = RNG.normal(size=(40, 2)).round(2)
HOLES = RNG.random((40, 2)) < 0.2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    cells = np.where(HOLES, "", WHOLE.astype(str))
    rows = [
        f"{a},{b},{'' if i % 9 == 4 else 'uvv'[i % 3]},{i % 2}" for i, (a, b) in enumerate(cells)
    ]
    file = tmp_path / "t.csv"
    file.write_text("a,b,k,y\n" + "\n".join(rows) + "\n")
    return file


@pytest.mark.parametrize(
    ("missing", "middle"),
    [("mean", np.nanmean), ("median", np.nanmedian), ("indicator", np.nanmean)],
)
def test_gaps_of_every_part_are_filled_by_the_training_part(
    path: Path, missing: str, middle: object
) -> None:
    options = DataConfig(data=str(path), missing=missing, scaling="none")
    data = prepare(load(options, 0), options, 0, "float64")
    with_gaps = np.where(HOLES, np.nan, WHOLE)
    expected = middle(with_gaps[data.indices["train"]], axis=0)  # type: ignore[operator]
    np.testing.assert_allclose(data.feature_fill[:2], expected)
    for part, rows in data.indices.items():
        np.testing.assert_allclose(
            data.inputs[part][:, :2], np.where(HOLES[rows], expected, WHOLE[rows])
        )
    if missing == "indicator":
        assert data.feature_names == ("a", "b", "k=u", "k=v", "a missing", "b missing", "k missing")
        np.testing.assert_array_equal(data.inputs["test"][:, 4:6], HOLES[data.indices["test"]])
    known = [r for r in data.indices["train"] if r % 9 != 4]
    if missing == "mean":  # a missing category is the share of each category in training
        assert data.feature_fill[2] == pytest.approx(np.mean([r % 3 == 0 for r in known]))


def test_replicas_fill_by_their_own_training_part(path: Path) -> None:
    options = DataConfig(data=str(path), missing="mean", scaling="none")
    replica = Resampler(options, 0, "float64", "disjoint", 2).prepared(1)
    rows = replica.indices["train"]
    np.testing.assert_allclose(
        replica.feature_fill[:2], np.nanmean(np.where(HOLES, np.nan, WHOLE)[rows], axis=0)
    )


def test_a_table_without_gaps_stores_nothing(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(20)))
    options = DataConfig(data=str(tmp_path / "t.csv"), missing="mean")
    assert not len(prepare(load(options, 0), options, 0, "float32").feature_fill)


def test_a_column_without_a_value_in_training_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,y\n" + "".join(f"{i},,{i % 2}\n" for i in range(20)))
    options = DataConfig(data=str(tmp_path / "t.csv"), missing="median")
    with pytest.raises(DataError, match="feature 'b' has no value in the training part"):
        prepare(load(options, 0), options, 0, "float32")
