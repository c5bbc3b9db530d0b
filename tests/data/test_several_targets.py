"""Several target columns: which they are, what they are called, and what cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dlprobe.data import Dataset
from dlprobe.errors import DataError

Read = Callable[..., Dataset]

TABLE = "a,b,x,word,label\n1,10,0.5,red,0\n2,20.5,0.25,blue,1\n3,30,0.75,red,0\n4,40,1,blue,1\n"


@pytest.mark.parametrize("target", ["b,a", " b , a ", "2,1", "b,1"])
def test_columns_named_with_commas_are_targets_in_that_order(read: Read, target: str) -> None:
    found = read("table.csv", TABLE, target=target)
    assert (found.task, found.target_names, found.outputs) == ("regression", ("b", "a"), 2)
    np.testing.assert_array_equal(found.targets, [[10, 1], [20.5, 2], [30, 3], [40, 4]])
    assert found.feature_names == ("x", "word=blue", "word=red", "label")
    assert any("targets: columns 'b', 'a'" in note for note in found.notes)


def test_whole_numbers_are_no_classes_where_there_are_several_targets(read: Read) -> None:
    assert read("table.csv", TABLE, target="a,label").task == "regression"


def test_a_column_whose_name_has_a_comma_is_one_target(read: Read) -> None:
    found = read("table.csv", 'x,"a,b"\n1,2.5\n2,3.5\n', target="a,b")
    assert (found.target_names, found.outputs) == (("a,b",), 1)


def test_an_index_column_may_be_one_of_several_targets(read: Read) -> None:
    rows = "".join(f"{k},{k / 7:g},{k * k}\n" for k in range(1, 9))
    assert read("table.csv", f"id,x,y\n{rows}", target="id,y").target_names == ("id", "y")
    assert read("table.csv", f"id,x,y\n{rows}", target="y").feature_names == ("x",)


def test_one_target_keeps_its_name(read: Read) -> None:
    assert read("table.csv", TABLE, target="b").target_names == ("b",)
    assert read("table.csv", TABLE, target="word").target_names == ()


def test_rows_with_a_gap_in_any_target_are_left_out(read: Read) -> None:
    found = read("table.csv", TABLE.replace("20.5", ""), target="a,b")
    np.testing.assert_array_equal(found.targets[:, 0], [1, 3, 4])


@pytest.mark.parametrize(
    ("target", "options", "expected"),
    [
        (
            "a,word",
            {},
            (
                "row 2, column 4 'word': found 'red', expected a number: 2 target columns are a "
                "regression"
            ),
        ),
        (
            "a,b",
            {"task": "classification"},
            "2 target columns are a regression, and task = classification takes one label column",
        ),
        ("a,c", {}, "target 'c' is no column"),
        ("a,9", {}, "target '9' is no column"),
        ("a,b,a", {}, "names column 1 'a' twice"),
        ("a,b,x,word,label", {}, "every column is a target, expected a feature beside"),
    ],
)
def test_what_cannot_be_targets_is_one_clear_line(
    read: Read, target: str, options: dict[str, str], expected: str
) -> None:
    with pytest.raises(DataError) as raised:
        read("table.csv", TABLE, target=target, **options)
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_infinite_target_names_its_column(read: Read) -> None:
    with pytest.raises(DataError, match="row 3, column 2 'b': found inf"):
        read("table.csv", TABLE.replace("20.5", "inf"), target="a,b")


def test_columns_of_an_array_are_numbered(tmp_path: Path, read: Read) -> None:
    x, y = np.arange(8.0).reshape(4, 2), np.linspace(0.1, 0.8, 12).reshape(4, 3)
    np.savez(tmp_path / "made.npz", X=x, y=y)
    found = read("made.npz")
    assert (found.task, found.target_names) == ("regression", ("y1", "y2", "y3"))
    np.save(tmp_path / "made.npy", np.column_stack([x, y]))
    np.testing.assert_array_equal(read("made.npy", target="3,4,-1").targets, y)


def test_several_arrays_are_no_targets(tmp_path: Path, read: Read) -> None:
    np.savez(tmp_path / "made.npz", X=np.zeros((4, 2)), a=np.zeros(4), b=np.ones(4))
    with pytest.raises(
        DataError,
        match=(
            r"target 'a,b' names several arrays, expected one: save the columns together as one "
            r"array y \(samples, targets\)"
        ),
    ):
        read("made.npz", target="a,b")
