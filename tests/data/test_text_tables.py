"""CSV and TSV: what is read, what is inferred, and that every inference is noted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dlprobe.data import Dataset
from dlprobe.errors import DataError

Read = Callable[..., Dataset]

FLOWERS = (
    "length,width,species\n5.1,3.5,setosa\n4.9,3.0,setosa\n6.4,3.2,versicolor\n6.9,3.1,versicolor\n"
)


def test_header_target_and_classes_are_found_and_noted(read: Read) -> None:
    data = read("flowers.csv", FLOWERS)
    np.testing.assert_array_equal(data.inputs, [[5.1, 3.5], [4.9, 3.0], [6.4, 3.2], [6.9, 3.1]])
    assert data.targets.tolist() == [0, 0, 1, 1]
    assert data.feature_names == ("length", "width")
    assert data.class_names == ("setosa", "versicolor")
    notes = " | ".join(data.notes)
    assert "row 1 is the header" in notes
    assert "column 3 'species' (the last" in notes
    assert "classification (2 text labels)" in notes


def test_without_header_the_first_row_is_data(read: Read) -> None:
    data = read("flowers.csv", FLOWERS.split("\n", 1)[1])
    assert data.inputs.shape == (4, 2)
    assert data.feature_names == ("x1", "x2")
    assert any("row 1 is data" in note for note in data.notes)


def test_header_above_text_only_is_recognised(read: Read) -> None:
    data = read(
        "shapes.csv", "colour,shape,class\nred,round,a\nblue,square,b\nred,square,a\nblue,round,b\n"
    )
    assert data.feature_names == ("colour=blue", "colour=red", "shape=round", "shape=square")
    np.testing.assert_array_equal(
        data.inputs, [[0, 1, 1, 0], [1, 0, 0, 1], [0, 1, 0, 1], [1, 0, 1, 0]]
    )
    assert any(
        "one-hot encoded: 'colour' (2 values), 'shape' (2 values)" in note for note in data.notes
    )


@pytest.mark.parametrize(
    ("name", "content", "noted"),
    [
        ("a.csv", FLOWERS.replace(",", ";"), "semicolons"),
        ("a.tsv", FLOWERS.replace(",", "\t"), ""),
        ("a.tab", FLOWERS, "commas"),
        ("a.txt", FLOWERS.replace(",", "|"), "bars"),
    ],
)
def test_other_separators_read_the_same_and_are_noted(
    read: Read, name: str, content: str, noted: str
) -> None:
    data = read(name, content)
    np.testing.assert_array_equal(data.inputs, read("plain.csv", FLOWERS).inputs)
    assert any(noted in note for note in data.notes)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + FLOWERS.encode(),
        FLOWERS.replace("\n", "\r\n").encode(),
        FLOWERS.rstrip("\n").encode(),
        FLOWERS.replace(",", " , ").encode(),
    ],
)
def test_marks_line_ends_and_spaces_change_nothing(read: Read, content: bytes) -> None:
    data = read("flowers.csv", content)
    np.testing.assert_array_equal(data.inputs, [[5.1, 3.5], [4.9, 3.0], [6.4, 3.2], [6.9, 3.1]])
    assert data.feature_names == ("length", "width")
    assert data.class_names == ("setosa", "versicolor")


@pytest.mark.parametrize(
    "missing", ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "?", " "]
)
def test_rows_with_missing_values_are_dropped_counted_and_the_first_named(
    read: Read, missing: str
) -> None:
    data = read("gaps.csv", f"a,b,y\n1,2,3.5\n4,{missing},4.5\n5,6,5.5\n")
    np.testing.assert_array_equal(data.inputs, [[1, 2], [5, 6]])
    assert "dropped 1 of 3 rows with missing values (the first: row 3, column 2 'b')" in data.notes


def test_a_missing_label_drops_its_row(read: Read) -> None:
    data = read("gaps.csv", "a,y\n1,p\n2,\n3,q\n4,p\n")
    np.testing.assert_array_equal(data.inputs[:, 0], [1, 3, 4])
    assert data.class_names == ("p", "q")


@pytest.mark.parametrize(
    ("target", "features"),
    [
        ("width", ("length", "species=a", "species=b")),
        ("1", ("width", "species=a", "species=b")),
        ("-1", ("length", "width")),
    ],
)
def test_target_is_a_name_or_a_number(read: Read, target: str, features: tuple[str, ...]) -> None:
    assert (
        read(
            "f.csv", "length,width,species\n1.5,2.5,a\n2.5,3.5,b\n3.5,4.5,a\n", target=target
        ).feature_names
        == features
    )


@pytest.mark.parametrize("name", ["target", "Label", "class", "y"])
def test_a_column_with_the_usual_name_is_the_target(read: Read, name: str) -> None:
    data = read("f.csv", f"{name},a,b\n0.5,1,2\n1.5,3,4\n")
    assert data.feature_names == ("a", "b")
    assert any("by its name" in note for note in data.notes)


def test_task_can_be_forced_both_ways(read: Read) -> None:
    content = "a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(10))
    assert read("f.csv", content).task == "classification"
    assert read("f.csv", content, task="regression").targets.shape == (10, 1)
    many = "a,y\n" + "".join(f"{i},{i % 5}\n" for i in range(10))
    assert read("f.csv", many).task == "regression"
    assert read("f.csv", many, task="classification").outputs == 5


def test_labels_that_mix_numbers_and_text_are_text_when_classes_are_asked_for(read: Read) -> None:
    data = read("f.csv", "a,y\n1,1\n2,2\n3,X\n4,1\n", task="classification")
    assert data.class_names == ("1", "2", "X")


def test_row_numbers_written_by_pandas_are_left_out(read: Read) -> None:
    data = read("f.csv", ",a,b,y\n0,1,2,0.5\n1,3,4,1.5\n2,5,7,2.5\n")
    assert data.feature_names == ("a", "b")
    assert any("counts the rows: left out" in note for note in data.notes)


@pytest.mark.parametrize(
    "name", ["Unnamed: 0", "index", "id", "ID", "PassengerId", "sample_id", "userID"]
)
def test_row_numbers_under_a_name_that_promises_them_are_left_out_and_named(
    read: Read, name: str
) -> None:
    data = read("f.csv", f"{name},a,b,y\n0,1,2,0.5\n1,3,4,1.5\n2,5,7,2.5\n")
    assert data.feature_names == ("a", "b")
    assert f"column 1 '{name}' counts the rows: left out" in data.notes


def test_row_numbers_stay_where_they_are_the_target_or_the_only_feature(read: Read) -> None:
    assert read("f.csv", "id,a,b\n0,1,2\n1,3,4\n2,5,7\n", target="id").targets.ravel().tolist() == [
        0,
        1,
        2,
    ]
    assert read("f.csv", "id,y\n0,0.5\n1,1.5\n2,2.5\n").feature_names == ("id",)
    for name in ("t", "grid", "Fluid"):
        assert read("f.csv", f"{name},a,y\n0,1,0.5\n1,3,1.5\n2,4,2.5\n").feature_names == (
            name,
            "a",
        )
    assert read("f.csv", "id,a,y\n7,1,0.5\n3,3,1.5\n5,5,2.5\n").feature_names == (
        "id",
        "a",
    )  # they do not count: numbers like others


def test_columns_that_pandas_numbered_have_a_header(read: Read) -> None:
    """DataFrame(array).to_csv() writes ',0,1,2' above its rows: read as data, it would be a row
    of its own, and the row numbers a feature.
    """
    data = read("f.csv", ",0,1,2\n0,7,2,5\n1,3,4,6\n2,5,7,8\n")
    np.testing.assert_array_equal(data.inputs, [[7, 2], [3, 4], [5, 7]])
    np.testing.assert_array_equal(data.targets.ravel(), [5, 6, 8])
    assert data.feature_names == ("0", "1")


def test_columns_that_are_numbered_without_row_numbers_have_a_header_where_it_is_sure(
    read: Read,
) -> None:
    assert len(read("f.csv", "0,1,2\n1.5,2,5\n3,4,6\n").inputs) == 2  # fractions below
    wide = ",".join(map(str, range(12)))
    assert (
        len(read("f.csv", f"{wide}\n{wide}\n{wide[:-2]}12\n", task="regression").inputs) == 2
    )  # nobody measures 0, 1, … 11
    assert len(read("f.csv", "0,1,2\n1,0,2\n2,1,0\n").inputs) == 3  # may well be data


@pytest.mark.parametrize("end", [",", ""])
def test_separators_at_the_ends_of_lines_make_no_column(read: Read, end: str) -> None:
    data = read("f.csv", f"a,b,y,\n1,2,0.5{end}\n3,4,1.5{end}\n")
    assert data.feature_names == ("a", "b")
    assert data.targets.ravel().tolist() == [0.5, 1.5]
    assert "column 4 has no name and no values: left out" in data.notes


@pytest.mark.parametrize("start", ["\n", "\r\n\r\n", "  \n\t\n", "\ufeff\n"])
def test_blank_lines_at_the_start_are_skipped_and_counted_too(read: Read, start: str) -> None:
    data = read("f.csv", start + "a,y\n1,0.5\n3,1.5\n")
    assert data.feature_names == ("a",)
    with pytest.raises(DataError, match=f"row {start.count(chr(10)) + 3}, column 1 'a': found 'x'"):
        read("f.csv", start + "a,y\n1,0.5\nx,1.5\n3,2.5\n")
    with pytest.raises(DataError, match=f"row {start.count(chr(10)) + 2}, column 1 'a': found inf"):
        read("f.csv", start + 'a,b,y\ninf,"p\nq",0.5\n5,"p\nq",1.5\n')


def test_blank_lines_are_skipped_noted_and_still_counted_as_rows(read: Read) -> None:
    assert "skipped 1 blank line" in read("f.csv", "a,y\n1,0.5\n\n2,1.5\n").notes
    with pytest.raises(Exception, match="row 5, column 1 'a': found 'oops'"):
        read("f.csv", "a,y\n1,0.5\n\n2,1.5\noops,2.5\n")


def test_rows_are_lines_even_after_a_cell_with_line_breaks(read: Read) -> None:
    # the quoted cell spans lines 2 to 4, so the bad number stands on line 6
    with pytest.raises(Exception, match="row 6, column 2 'b': found 'oops'"):
        read("f.csv", 'a,b,y\n"one\ntwo\nthree",1,0.5\none,2,0.5\none,oops,0.5\none,4,0.5\n')


def test_control_characters_of_a_file_never_reach_a_name(read: Read) -> None:
    data = read("f.csv", 'a\x1b[31m,"b\nc",y\n1,2,p\n3,4,q\n5,6,p\n')
    assert data.feature_names == ("a\\x1b[31m", "b\\nc")
