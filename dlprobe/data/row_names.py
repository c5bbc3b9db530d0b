"""Columns that number or name the rows and are no features: the index that pandas writes, row
numbers, the row names of R.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np

from dlprobe.data.columns import DataColumn, is_asked_for, pasted
from dlprobe.data.dataset import Array
from dlprobe.data.places import quoted

# what pandas calls a column that had no name: in Parquet, and when it reads again what it has
# written
NAMELESS = re.compile(r"|Unnamed: 0(\.\d+)*|__index_level_\d+__")
# names that promise row numbers: …id in each spelling, as in PassengerId, and what polars writes
ROW_COUNTER = re.compile(r"(?i:index|row|row_nr|(.*[\W_])?id)|.*[a-z]I[dD]")
UNLESS = "a feature all the same: if it numbers the rows,"


def without_row_names(
    columns: Sequence[DataColumn],
    named: Sequence[bool],
    target: str | None,
    apart: Collection[int] = (),
) -> tuple[list[DataColumn], list[str]]:
    """The columns to leave out because they number or name the rows, and notes on them and on what
    may be such.

    Looked at are the first column and, while they are left out, those behind it. A column without a
    name is left out where its whole numbers, or its texts, are all different; one whose name
    promises row numbers where it counts up by one. The target (a name, or a number from 1) and the
    only feature stay. `apart`: numbers of columns that options name for another use.
    """
    left_out: list[DataColumn] = []
    notes: list[str] = []
    for column, has_name in zip(columns, named, strict=True):
        name = column.name.strip() if has_name else ""
        what = numbering_of(column, name)
        if is_asked_for(column, target) or column.number in apart or (name and not what):
            break
        called = f"column {column.number}{f' {quoted(name)}' if name else ' has no name and'}"
        cure = f"{UNLESS} --drop {pasted([column])} leaves it out"
        only = len(columns) - len(apart) - len(left_out) <= 2
        if only or not what or not (NAMELESS.fullmatch(name) or counts_rows(column)):
            notes.append(
                f"{called} "
                f"{what or 'is'}{': the only feature' if only else f', {cure}' if what else f' {cure}'}"  # noqa: E501
            )
            break
        left_out.append(column)
        notes.append(f"{called} {what}: left out")
    return left_out, notes


def numbering_of(column: DataColumn, name: str) -> str:
    """How a column of this name (empty: it has none) numbers or names the rows, in words; empty
    where it does not.
    """
    nameless = bool(NAMELESS.fullmatch(name))
    if (
        not (nameless or ROW_COUNTER.fullmatch(name))
        or len(column.missing) < 2
        or column.missing.any()
    ):
        return ""
    if counts_rows(column):
        return "counts the rows"
    if column.numbers is not None:
        if is_whole(column.numbers) and all_different(column.numbers):
            return "holds a different whole number in each row"
        return ""
    if nameless and column.codes is not None and all_different(column.codes):
        return "holds a different text in each row"
    return ""


def counts_rows(column: DataColumn) -> bool:
    """Whether a column of numbers rises by exactly 1 from row to row."""
    numbers = column.numbers
    return numbers is not None and bool(
        np.array_equal(numbers, numbers[0] + np.arange(len(numbers)))
    )


def is_whole(numbers: Array) -> bool:
    """Whether all numbers are finite and whole."""
    return bool(np.isfinite(numbers).all() and (numbers == np.floor(numbers)).all())


def all_different(values: Array) -> bool:
    return len(np.unique(values)) == len(values)
