"""Splits that come with the data: what is given to a part is in it, the rest is split, and
leaks are said.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import polars
import pytest

from dlprobe.config import from_mapping
from dlprobe.config.records import DataConfig
from dlprobe.data import PreparedData, load, prepare
from dlprobe.data.resampling import Resampler
from dlprobe.errors import ConfigError, DataError

RNG = np.random.default_rng(2)
X = RNG.normal(size=(60, 2)).round(3)
Y = np.arange(60) % 2
KIND = np.array(["u", "v", "w"])[np.arange(60) % 3]
Prepared = Callable[..., PreparedData]


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    """Loads and prepares a file of the working folder, unscaled, in float64."""
    monkeypatch.chdir(tmp_path)

    def load_and_prepare(data: str, **options: object) -> PreparedData:
        config = DataConfig(data=f"./{data}", scaling="none", **options)
        return prepare(load(config, 0), config, 0, "float64")

    return load_and_prepare


def frame(rows: slice, **more: object) -> polars.DataFrame:
    return polars.DataFrame(
        {
            "a": X[rows, 0],
            "b": X[rows, 1],
            "k": KIND[rows],
            "y": np.array(["no", "yes"])[Y[rows]],
            **more,
        }
    )


def write(name: str, table: polars.DataFrame) -> str:
    if name.endswith(".csv"):
        table.write_csv(name)
    elif name.endswith(".feather"):
        table.write_ipc(name)
    else:
        table.write_parquet(name)
    return name


def numbers(data: PreparedData, part: str) -> list[list[float]]:
    return sorted(data.inputs[part][:, :2].tolist())


def sorted_rows(rows: slice | np.ndarray) -> list[list[float]]:
    return sorted(X[rows].tolist())


@pytest.mark.parametrize("end", [".csv", ".parquet", ".feather"])
def test_files_for_validation_and_test_are_these_parts(prepared: Prepared, end: str) -> None:
    write(f"t{end}", frame(slice(0, 40)))
    write(f"v{end}", frame(slice(40, 50)).select("y", "k", "b", "a"))  # another order of columns
    write(f"e{end}", frame(slice(50, 60), more=np.arange(10)))
    data = prepared(f"t{end}", val_data=f"v{end}", test_data=f"e{end}")
    for part, rows in (("train", slice(0, 40)), ("val", slice(40, 50)), ("test", slice(50, 60))):
        assert numbers(data, part) == sorted_rows(rows)
        np.testing.assert_array_equal(data.targets[part], Y[rows])
    assert data.feature_names == ("a", "b", "k=u", "k=v", "k=w")
    assert "rows of the parts: 40 train, 10 val, 10 test" in data.notes


def test_a_part_that_is_not_given_comes_from_the_training_rows_by_split(prepared: Prepared) -> None:
    write("t.csv", frame(slice(0, 40)))
    write("e.csv", frame(slice(40, 60)))
    data = prepared("t.csv", test_data="e.csv")
    assert [len(data.inputs[part]) for part in ("train", "val", "test")] == [
        30,
        10,
        20,
    ]  # 60 : 20 of 40
    assert sorted([*numbers(data, "train"), *numbers(data, "val")]) == sorted_rows(slice(0, 40))
    assert any(
        "the val part is not given: it was taken from the training rows by split" in note
        for note in data.notes
    )
    assert [
        len(prepared("t.csv", test_data="e.csv", split="100,0,0").inputs[part])
        for part in ("train", "val", "test")
    ] == [40, 0, 20]


def images(rows: slice) -> np.ndarray:
    return (np.arange(60 * 6).reshape(60, 2, 3) * 7 % 256).astype(np.uint8)[rows]


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("X_train", "y_train", "X_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("train/X", "train/y", "test/X", "test/y"),
    ],
)
@pytest.mark.parametrize("end", [".npz", ".h5"])
def test_arrays_with_the_usual_names_bring_their_split(
    prepared: Prepared, names: tuple[str, ...], end: str
) -> None:
    train, test = slice(0, 48), slice(48, 60)
    arrays = dict(zip(names, (images(train), Y[train], images(test), Y[test]), strict=True))
    if end == ".npz":
        np.savez("m.npz", **arrays)  # type: ignore[arg-type]
    else:
        with h5py.File("m.h5", "w") as file:
            for name, array in arrays.items():
                file[name] = array
    data = prepared(f"m{end}")
    assert [len(data.inputs[part]) for part in ("train", "val", "test")] == [36, 12, 12]
    np.testing.assert_array_equal(data.inputs["test"], images(test).reshape(12, 6))
    np.testing.assert_array_equal(data.targets["test"], Y[test])
    assert any("flattened" in note for note in data.notes)


def test_arrays_with_a_validation_part_leave_nothing_to_split(prepared: Prepared) -> None:
    parts = {"train": slice(0, 40), "val": slice(40, 50), "test": slice(50, 60)}
    np.savez(
        "m.npz",
        **{f"x_{p}": X[rows] for p, rows in parts.items()},
        **{f"y_{p}": Y[rows] for p, rows in parts.items()},
    )  # type: ignore[arg-type]
    data = prepared("m.npz")
    for part, rows in parts.items():
        np.testing.assert_array_equal(data.inputs[part], X[rows])


def test_a_file_of_arrays_for_the_test_part(prepared: Prepared) -> None:
    np.savez("t.npz", X=X[:40], y=Y[:40])
    np.savez("e.npz", X=X[40:], y=Y[40:])
    np.testing.assert_array_equal(prepared("t.npz", test_data="e.npz").inputs["test"], X[40:])


def test_a_column_says_the_part_of_each_row(prepared: Prepared) -> None:
    words = np.array(["train", "Train", "TRAINING", "valid", "test"])[np.arange(60) % 5]
    write("t.csv", frame(slice(0, 60), set=words))
    data = prepared("t.csv", split_column="set")
    assert data.feature_names == ("a", "b", "k=u", "k=v", "k=w")
    assert data.class_names == ("no", "yes")  # the last column that is no split, not the last
    np.testing.assert_array_equal(data.indices["val"], np.flatnonzero(np.arange(60) % 5 == 3))
    np.testing.assert_array_equal(data.indices["test"], np.flatnonzero(np.arange(60) % 5 == 4))


@pytest.mark.parametrize(
    "groups", [np.arange(60) // 4, np.array([f"p{i}" for i in np.arange(60) % 15])]
)
def test_groups_stay_in_one_part_and_are_no_feature(prepared: Prepared, groups: np.ndarray) -> None:
    write("t.csv", frame(slice(0, 60), patient=groups).select("patient", "a", "b", "y"))
    data = prepared("t.csv", group_column="patient")
    found = {part: set(groups[rows].tolist()) for part, rows in data.indices.items()}
    assert not found["train"] & found["val"]
    assert not found["train"] & found["test"]
    assert not found["val"] & found["test"]
    assert [len(data.indices[part]) for part in ("train", "val", "test")] == [
        36,
        12,
        12,
    ]  # 15 groups of 4
    assert data.feature_names == ("a", "b")
    assert "groups of the parts: 9 train, 3 val, 3 test" in data.notes


def groups_of_replicas(kind: str, sizes: list[int], size: int | None = None) -> list[np.ndarray]:
    """The group of each training row of three replicas, of a file whose groups have these sizes."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    write("t.csv", frame(slice(0, len(groups)), patient=groups).select("patient", "a", "b", "y"))
    config = DataConfig(data="./t.csv", group_column="patient", split="80,0,20")
    sampler = Resampler(config, 0, "float64", kind, 3)
    sets = [groups[sampler.prepared(number, size).indices["train"]] for number in range(3)]
    assert not set(np.concatenate(sets)) & set(groups[sampler.base.indices["test"]])
    assert {len(one) for one in sets} == {size or sampler.largest}
    return sets


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("sizes", [[4] * 15, [1, 9, 2, 8, 3, 7, 4, 6, 5, 5, 5, 5]])
def test_no_group_is_in_two_disjoint_training_sets(sizes: list[int]) -> None:
    one, other, third = map(set, groups_of_replicas("disjoint", sizes))
    assert len(one | other | third) == len(one) + len(other) + len(third)


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize(("kind", "size"), [("bootstrap", None), ("bootstrap", 20), ("same", 20)])
def test_replicas_draw_whole_groups(kind: str, size: int | None) -> None:
    """Each group as often as it was drawn, 4 rows a time; of the last one what the size has
    room for.
    """
    for drawn in groups_of_replicas(kind, [4] * 15, size):
        whole = drawn[: len(drawn) // 4 * 4].reshape(-1, 4)
        assert (whole == whole[:, :1]).all()
        assert kind == "bootstrap" or len(set(whole[:, 0])) == len(whole)


@pytest.mark.usefixtures("prepared")
def test_fewer_groups_than_disjoint_sets_are_refused() -> None:
    with pytest.raises(ConfigError, match="2 groups of training samples give no 3 disjoint sets"):
        groups_of_replicas("disjoint", [4] * 3)


def test_the_split_by_groups_depends_on_the_seed_and_repeats(prepared: Prepared) -> None:
    write("t.csv", frame(slice(0, 60), patient=np.arange(60) // 4))
    rows = [
        prepared("t.csv", group_column="patient", data_seed=seed).indices["train"].tolist()
        for seed in ("1", "1", "2")
    ]
    assert rows[0] == rows[1] != rows[2]


def test_rows_and_groups_in_two_parts_are_said(prepared: Prepared) -> None:
    write("t.csv", frame(slice(0, 40), patient=np.arange(40) // 4))
    write("e.csv", frame(slice(35, 60), patient=np.arange(35, 60) // 4))
    data = prepared("t.csv", test_data="e.csv", split="100,0,0", group_column="patient")
    assert data.repeats.duplicates["train_test"] == 5
    assert "leak: 5 of 25 test rows are in the train part too" in data.notes
    assert "leak: 2 groups are in the train and in the test part" in data.notes


def test_a_class_that_training_lacks_is_said(prepared: Prepared) -> None:
    write("t.csv", frame(slice(0, 40)).with_columns(y=polars.Series(["no", "yes"] * 20)))
    write("e.csv", frame(slice(40, 60)).with_columns(y=polars.Series(["no", "perhaps"] * 10)))
    assert "no training row has the class 'perhaps'" in prepared("t.csv", test_data="e.csv").notes


def test_gaps_and_categories_of_the_test_file_follow_the_training_file(prepared: Prepared) -> None:
    write("t.csv", frame(slice(0, 40)))
    write(
        "e.csv", frame(slice(40, 60)).with_columns(a=polars.Series([None, *X[41:60, 0].tolist()]))
    )
    data = prepared("t.csv", test_data="e.csv", missing="mean", split="100,0,0")
    assert data.inputs["test"][0, 0] == pytest.approx(X[:40, 0].mean())


@pytest.mark.parametrize(
    ("other", "options", "words"),
    [
        (
            frame(slice(40, 60)).drop("b"),
            {},
            "e.csv: lacks the column 'b', which t.csv has: give both files the same columns",
        ),
        (frame(slice(40, 60)).drop("y"), {}, "e.csv: lacks the column 'y'"),
        (
            frame(slice(40, 60)).with_columns(b=polars.lit("x")),
            {},
            "e.csv: row 2, column 2 'b': found 'x', expected a number as in the training file",
        ),
        (
            frame(slice(40, 60)).with_columns(b=polars.lit("inf")),
            {},
            "e.csv: row 2, column 2 'b': found inf",
        ),
        (None, {"test_data": "./t.csv"}, "t.csv: is named by test_data and by data"),
        (None, {"test_data": "gone.csv"}, "gone.csv: there is no such file"),
        (
            None,
            {"test_data": "e.npz"},
            "e.npz: and t.csv are one a table, the other a pair of arrays",
        ),
        (
            None,
            {"test_data": "none", "split_column": "k"},
            "t.csv: row 2, column 3 'k': found 'u', expected train, val or test",
        ),
        (
            None,
            {"test_data": "none", "split_column": "a"},
            "split_column: column 1 'a' holds numbers, expected train, val or test",
        ),
        (None, {"test_data": "none", "split_column": "sett"}, "split_column 'sett' is no column"),
        (
            None,
            {"test_data": "none", "group_column": "k", "drop": "k"},
            "column 3 'k' is named by group_column and by drop",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(
    prepared: Prepared, other: polars.DataFrame | None, options: dict[str, str], words: str
) -> None:
    write("t.csv", frame(slice(0, 40)))
    np.savez("e.npz", X=X, y=Y)
    if other is not None:
        write("e.csv", other)
    with pytest.raises(DataError) as caught:
        prepared("t.csv", **{"test_data": "e.csv", **options})
    assert words in str(caught.value)


def test_arrays_that_do_not_fit_are_one_line(prepared: Prepared) -> None:
    np.savez("m.npz", x_train=X, y_train=Y, x_test=X[:, :1], y_test=Y)
    with pytest.raises(
        DataError, match=r"array 'x_test' has shape \(60, 1\) .* expected samples as in 'x_train'"
    ):
        prepared("m.npz")
    np.savez("m.npz", x_train=X, y_train=Y[:50], x_test=X, y_test=Y)
    with pytest.raises(DataError, match=r"array 'y_train' has shape \(50,\), expected \(60,\)"):
        prepared("m.npz")
    np.savez("m.npz", X=X, y=Y)
    with pytest.raises(DataError, match="group_column = p names a column, and arrays have none"):
        prepared("m.npz", group_column="p")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"split_column": "s", "val_data": "v.csv"}, "val_data gives a split too"),
        ({"split_column": "s", "group_column": "s"}, "it is split_column too"),
        ({"val_data": "v.csv", "test_data": "v.csv"}, "it is val_data too"),
    ],
)
def test_what_cannot_go_together_is_one_line(table: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        from_mapping({"data": {"data": "a.csv", **table}})


def test_the_same_table_without_a_given_split_is_split_as_before(prepared: Prepared) -> None:
    """A younger key that is not used changes nothing: the rows are those that scikit-free
    counting gives, 60 : 20 : 20 within each class.
    """
    write("t.csv", frame(slice(0, 60)))
    data = prepared("t.csv")
    assert [np.bincount(data.targets[part]).tolist() for part in ("train", "val", "test")] == [
        [18, 18],
        [6, 6],
        [6, 6],
    ]
