"""Splits that come with the data: files for validation and test, arrays called x_train and the
like, a column that names each row's part.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import chain, product
from pathlib import Path

import numpy as np

from dlprobe.data.arrays import Arrays
from dlprobe.data.columns import DataColumn, DataTable
from dlprobe.data.dataset import PARTS, Array, Indices
from dlprobe.data.places import problem, quoted, visible
from dlprobe.registry import counted

# how people call the parts, in names of arrays and in cells
PART_WORDS = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "tst", "holdout"),
}


# and what they call inputs and targets, in names of arrays as x_train, train_images, train/X
ROLES = {
    "x": ("x", "inputs", "images", "features", "data"),
    "y": ("y", "targets", "target", "labels", "label"),
}


def usual_names() -> Iterator[str]:
    """The names of arrays that `array_pairs` knows, as they are usually written."""
    for word, role in product(chain(*PART_WORDS.values()), chain(*ROLES.values())):
        for called in {role, role.upper() if len(role) == 1 else role}:
            yield from (f"{called}_{word}", f"{word}_{called}", f"{word}/{called}")


def array_pairs(names: Collection[str]) -> dict[str, tuple[str, str]]:
    """Names of the inputs and targets of each part, among the names of a file's arrays:
    x_train, y_train, x_test, … in any case; empty without training.
    """
    named: dict[tuple[str, str], str] = {}
    for name in names:
        words = set(re.split("[_/]", name.lower()))
        part, role = (
            next((key for key, known in table.items() if words & set(known)), "")
            for table in (PART_WORDS, ROLES)
        )
        if part and role and len(words) == 2:
            named.setdefault((part, role), name)
    pairs = {
        part: (named[part, "x"], named[part, "y"])
        for part in PART_WORDS
        if (part, "x") in named and (part, "y") in named
    }
    return pairs if "train" in pairs else {}


def arrays_of_parts(
    path: Path, parts: dict[str, tuple[Array, Array]], names: dict[str, tuple[str, str]]
) -> Arrays:
    """One pair of arrays from those of each part, and which rows are whose."""
    whole = None
    for part, (inputs, targets) in parts.items():
        one = Arrays(path, inputs, targets, names[part])
        whole = one if whole is None else joined_arrays(whole, one, PARTS.index(part))
    assert whole is not None
    return whole


def joined_arrays(main: Arrays, other: Arrays, part: int) -> Arrays:
    """`other` behind `main`, its rows given to a part. Raises DataError where shapes of
    samples, or kinds of targets, differ.
    """
    refuse_unlike(main, other)
    names = (f"{main.names[0]} + {other.names[0]}", f"{main.names[1]} + {other.names[1]}")
    parts = appended(main.parts, len(main.inputs), len(other.inputs), part)
    inputs = np.concatenate([main.inputs, other.inputs])
    targets = np.concatenate([main.targets, other.targets])
    return Arrays(
        main.path,
        inputs,
        targets,
        names if main.path == other.path else main.names,
        parts,
        main.notes + told(other.path, part, len(other.inputs)),
    )


def refuse_unlike(main: Arrays, other: Arrays) -> None:
    """Raise DataError where shapes of samples, or kinds of targets, differ."""
    for array, mine, its in ((0, main.inputs, other.inputs), (1, main.targets, other.targets)):
        if (
            mine.ndim == 0
            or its.ndim == 0
            or mine.shape[1:] != its.shape[1:]
            or (mine.dtype.kind in "US") != (its.dtype.kind in "US")
        ):
            what = (
                f"array {quoted(other.names[array])} has shape {its.shape} and type {its.dtype}, "
                f"expected samples as in {quoted(main.names[array])} "
            )
            raise problem(
                other.path,
                f"{what}of {visible(main.path.name)}, of shape {mine.shape} and type {mine.dtype}",
            )
    for arrays in (main, other):
        if len(arrays.inputs) != len(arrays.targets):
            what = (
                f"array {quoted(arrays.names[1])} has shape {arrays.targets.shape}, expected "
                f"({len(arrays.inputs)},): one for each row of "
            )
            raise problem(arrays.path, f"{what}{quoted(arrays.names[0])}")


def joined(main: DataTable, other: DataTable, part: int) -> DataTable:
    """The rows of `other`, given to a part, behind those of `main`, whose columns it has in the
    same order.
    """
    count = main.rows
    columns = tuple(joined_column(a, b) for a, b in zip(main.columns, other.columns, strict=True))

    def row_of(i: int) -> int:
        return main.row_of(i) if i < count else other.row_of(i - count)

    def path_of(i: int) -> Path:
        return main.path_at(i) if i < count else other.path

    parts = appended(main.parts, count, other.rows, part)
    return replace(
        main,
        columns=columns,
        row_of=row_of,
        path_of=path_of,
        parts=parts,
        notes=main.notes + told(other.path, part, other.rows),
    )


def joined_column(one: DataColumn, other: DataColumn) -> DataColumn:
    """The column `one` followed by `other`; codes count the sorted texts of both."""
    if one.codes is None or other.codes is None:
        assert one.numbers is not None
        assert other.numbers is not None
        return replace(one, numbers=np.concatenate([one.numbers, other.numbers]))
    texts = tuple(sorted({*one.texts, *other.texts}))
    place = {text: code for code, text in enumerate(texts)}
    codes = [
        np.array([*(place[text] for text in column.texts), -1], dtype=np.int64)[column.codes]
        for column in (one, other)
        if column.codes is not None
    ]
    return replace(one, codes=np.concatenate(codes), texts=texts)


def appended(parts: Indices | None, count: int, more: int, part: int) -> Indices:
    """`parts` of `count` rows (zeros for None), then `more` times `part`: int64 (count + more,)."""
    before = np.zeros(count, np.int64) if parts is None else parts
    return np.concatenate([before, np.full(more, part, dtype=np.int64)])


def told(path: Path, part: int, rows: int) -> tuple[str, ...]:
    return (f"the {PARTS[part]} part is given: {counted(rows, 'row')} of {visible(path.name)}",)


def parts_in(table: DataTable, column: DataColumn) -> Indices:
    """The part that a column's text gives each row, int64: 0 train, 1 val, 2 test. Raises
    DataError with the row for another text.
    """
    words = {word: PARTS.index(part) for part, known in PART_WORDS.items() for word in known}
    if column.codes is None:
        fault = f"column {column.number} {quoted(column.name)} holds numbers"
        raise problem(table.path, f"split_column: {fault}, expected train, val or test in each row")
    codes = np.array(
        [words.get(text.strip().lower(), -1) for text in column.texts], dtype=np.int64
    )[column.codes]
    if (codes < 0).any():
        i = int(np.argmax(codes < 0))
        what = (
            f"found {quoted(column.texts[int(column.codes[i])])}, expected train, val or test: "
            "split_column names this column"
        )
        raise problem(table.path_at(i), what, table.row_of(i), column.number, column.name)
    if not (codes == 0).any():
        raise problem(
            table.path,
            f"split_column: column {column.number} {quoted(column.name)} gives no row to "
            "train, expected some",
        )
    return codes


def groups_in(column: DataColumn) -> Indices:
    """A number for each row's group, int64: rows of equal text or number are one."""
    if column.codes is not None:
        return column.codes
    assert column.numbers is not None
    return np.unique(column.numbers, return_inverse=True)[1].reshape(-1).astype(np.int64)
