"""Index columns: what pandas, polars and R write beside the features is no feature, is said,
and can be the target all the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars
import pytest

from dlprobe.data import Dataset
from dlprobe.errors import DataError

Read = Callable[..., Dataset]

# 12 noise rows sorted by class, then shuffled, as train_test_split leaves them: the old row number,
# // 4, is the class
ORDER = np.random.default_rng(0).permutation(12)
NOISE = np.random.default_rng(1).normal(size=(12, 2)).round(3)
ROWS = [(int(i), *NOISE[i].tolist(), "rst"[i // 4]) for i in ORDER]


def csv(header: str, rows: list[tuple[object, ...]] = ROWS) -> str:
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def parquet(path: Path, index: list[object], **columns: object) -> None:
    """A file as DataFrame.to_parquet writes it: the "pandas" entry in the form of its developer
    documentation.
    """
    metadata = {
        "pandas": json.dumps(
            {"index_columns": index, "column_indexes": [], "columns": [], "pandas_version": "3.0.0"}
        )
    }
    polars.DataFrame(columns).write_parquet(path / "t.parquet", metadata=metadata)


def columns_of(rows: list[tuple[object, ...]] = ROWS) -> dict[str, list[object]]:
    return {name: [row[at] for row in rows] for at, name in enumerate(("i", "a", "b", "y"))}


def noted(data: Dataset, *words: str) -> bool:
    return any(all(word in note for word in words) for note in data.notes)


@pytest.mark.parametrize(
    ("header", "called"),
    [
        (",a,b,y", "column 1 has no name and"),  # DataFrame.to_csv
        ('"",a,b,y', "column 1 has no name and"),  # R's write.csv
        ("a,b,y", "column 1 has no name and"),  # R's write.table, pandas' index_label=False
        ("Unnamed: 0,a,b,y", "column 1 'Unnamed: 0'"),  # read and written again
        ("__index_level_0__,a,b,y", "column 1 '__index_level_0__'"),
    ],
)
def test_a_shuffled_index_in_a_text_table_is_no_feature_and_is_said(
    read: Read, header: str, called: str
) -> None:
    data = read("t.csv", csv(header))
    np.testing.assert_array_equal(data.inputs, NOISE[ORDER])
    assert data.feature_names == ("a", "b")
    assert f"{called} holds a different whole number in each row: left out" in data.notes


def test_row_names_that_are_texts_are_no_categories(read: Read) -> None:
    data = read(
        "cars.csv", csv('"",a,b,y', [(f"Mazda {i}", *row[1:]) for i, row in enumerate(ROWS)])
    )
    assert data.feature_names == ("a", "b")
    assert noted(data, "column 1 has no name and holds a different text in each row: left out")


def test_an_index_written_twice_is_left_out_twice(read: Read) -> None:
    data = read("t.csv", csv(",Unnamed: 0,a,b,y", [(i, *row) for i, row in enumerate(ROWS)]))
    assert data.feature_names == ("a", "b")
    assert noted(data, "column 1 has no name and counts the rows")
    assert noted(data, "column 2 'Unnamed: 0' holds a different whole")


@pytest.mark.parametrize("target", ["1", "x1"])
def test_an_unnamed_index_that_is_asked_for_is_the_target(read: Read, target: str) -> None:
    data = read("t.csv", csv(",a,b,y"), target=target)
    assert data.targets.ravel().tolist() == ORDER.tolist()


@pytest.mark.parametrize("name", ["id", "index", "row_nr", "PassengerId"])
def test_a_named_column_that_may_number_the_rows_stays_and_is_named(read: Read, name: str) -> None:
    data = read("t.csv", csv(f"{name},a,b,y"))
    assert data.feature_names == (name, "a", "b")
    assert noted(
        data,
        f"column 1 '{name}' holds a different whole number in each row, a feature all the same",
    )


@pytest.mark.parametrize(
    "index", [[5, 5, *range(10)], [i / 2 for i in range(12)], ["", *range(11)]]
)
def test_an_unnamed_column_that_numbers_no_rows_stays_and_is_said(
    read: Read, index: list[object]
) -> None:
    data = read("t.csv", csv(",a,b,y", [(i, *row[1:]) for i, row in zip(index, ROWS, strict=True)]))
    assert data.feature_names == ("x1", "a", "b")
    assert noted(data, "column 1 has no name and is a feature all the same")


def test_the_only_feature_stays(read: Read) -> None:
    data = read("t.csv", csv(",y", [(row[0], row[3]) for row in ROWS]))
    assert data.feature_names == ("x1",)
    assert noted(data, "column 1 has no name and holds", "the only feature")


def test_a_separator_at_the_end_of_every_row_but_the_header_makes_no_index(read: Read) -> None:
    data = read("t.csv", csv("a,b,y", [(*row[1:], "") for row in ROWS]))
    assert data.feature_names == ("a", "b")
    assert "column 4 has no name and no values: left out" in data.notes


def test_a_gap_below_a_short_header_is_named_with_its_line(read: Read) -> None:
    content = csv("a,b,y").splitlines()
    content[5] = "99,,1,r"
    assert noted(read("t.csv", "\n".join(content)), "dropped 1 of 12 rows", "row 6, column 2 'a'")


def test_a_missing_label_below_a_short_header_drops_its_row_and_a_short_row_is_refused(
    read: Read,
) -> None:
    lines = csv("a,b,y").splitlines()
    assert noted(
        read("t.csv", "\n".join([*lines[:-1], "99,1,2,"])),
        "dropped 1 of 12 rows",
        "row 13, column 4 'y'",
    )
    with pytest.raises(DataError, match="row 13: has 2 fields, expected 4"):
        read("t.csv", "\n".join([*lines[:-1], "99,1"]))


@pytest.mark.parametrize(
    ("stored", "index"), [("__index_level_0__", ["__index_level_0__"]), ("plant", ["plant"])]
)
def test_what_parquet_calls_an_index_is_neither_target_nor_feature(
    read: Read, tmp_path: Path, stored: str, index: list[object]
) -> None:
    plain = columns_of()
    parquet(tmp_path, index, a=plain["a"], b=plain["b"], y=plain["y"], **{stored: plain["i"]})
    data = read("t.parquet")
    assert (data.task, data.feature_names, data.class_names) == (
        "classification",
        ("a", "b"),
        ("r", "s", "t"),
    )
    assert f"column '{stored}' is the index that pandas stored: left out" in data.notes
    assert read("t.parquet", target=stored).targets.ravel().tolist() == ORDER.tolist()


def test_an_index_of_dates_is_in_nobodys_way(read: Read, tmp_path: Path) -> None:
    plain = columns_of()
    days = polars.Series(range(12)).cast(polars.Date)
    parquet(tmp_path, ["when"], a=plain["a"], b=plain["b"], y=plain["y"], when=days)
    assert read("t.parquet").feature_names == ("a", "b")


def test_several_levels_are_left_out_and_a_range_has_no_column(read: Read, tmp_path: Path) -> None:
    plain, ranged = columns_of(), {"kind": "range", "name": None, "start": 0, "stop": 12, "step": 1}
    parquet(
        tmp_path,
        ["u", ranged, "__index_level_1__"],
        u=["p"] * 12,
        a=plain["a"],
        y=plain["y"],
        __index_level_1__=plain["i"],
    )
    assert read("t.parquet").feature_names == ("a",)


@pytest.mark.parametrize(
    "told",
    ["", "[", "[]", '{"index_columns": 3}', '{"index_columns": [["a"], null]}', "[" * 100_000],
)
def test_metadata_that_cannot_be_understood_say_nothing(
    read: Read, tmp_path: Path, told: str
) -> None:
    plain = columns_of()
    polars.DataFrame({"a": plain["a"], "b": plain["b"], "y": plain["y"]}).write_parquet(
        tmp_path / "t.parquet", metadata={"pandas": told}
    )
    assert read("t.parquet").feature_names == ("a", "b")


def test_parquet_without_metadata_follows_the_rule_of_text_tables(
    read: Read, tmp_path: Path
) -> None:
    plain = columns_of()
    for name, features in (("Unnamed: 0", ("a",)), ("id", ("id", "a"))):
        polars.DataFrame({name: plain["i"], "a": plain["a"], "y": plain["y"]}).write_parquet(
            tmp_path / "t.parquet"
        )
        assert read("t.parquet").feature_names == features
    polars.DataFrame({"a": plain["a"], "y": plain["y"]}).with_row_index().write_parquet(
        tmp_path / "t.parquet"
    )
    data = read("t.parquet")
    assert data.feature_names == ("a",)
    assert "column 1 'index' counts the rows: left out" in data.notes


def test_a_blank_line_at_the_end_changes_nothing_below_a_short_header(read: Read) -> None:
    assert read("t.csv", csv("a,b,y") + "\n").feature_names == ("a", "b")
