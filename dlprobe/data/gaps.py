"""Missing values: which rows are left out, and what the gaps of the others are filled with,
fitted on the training part.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dlprobe.data.columns import DataColumn, DataTable, pasted
from dlprobe.data.dataset import Array, Floats, Indices, Mask
from dlprobe.data.places import problem, quoted, quoted_list
from dlprobe.dataclass import dataclass
from dlprobe.errors import DataError
from dlprobe.registry import counted

CURE = "--missing median fills gaps (or mean, indicator)"


@dataclass(frozen=True)
class FeatureGaps:
    """Gaps in columns of a table that are not held. first: int64 (rows,), the number of the first
    of them without a value in the row, 0 where none is.

    counts: rows without a value, of each column that has any.
    """

    first: Indices
    counts: Sequence[tuple[DataColumn, int]]


def rows_without_gaps(
    table: DataTable,
    needed: Sequence[DataColumn],
    features: bool,
    beside: FeatureGaps | None = None,
) -> tuple[Indices, tuple[str, ...]]:
    """Positions of the rows without a missing value in the `needed` columns, int64 ascending, and
    one note that counts the rows dropped, or none. Raises DataError where that is more than half of
    the rows.

    features: whether the needed columns include features, which only changes the advice in the
        error. beside: gaps in features that are read in tiles; their rows are dropped too.
    """
    gaps = np.zeros(table.rows, dtype=np.int64)
    for column in reversed(needed):
        gaps[column.missing] = column.number  # ends as the first missing column of the row
    counts = [(column, int(column.missing.sum())) for column in needed]
    if beside is not None:
        gaps = np.where(
            (beside.first > 0) & ((gaps == 0) | (beside.first < gaps)), beside.first, gaps
        )
        counts = sorted([*counts, *beside.counts], key=lambda one: one[0].number)
    kept = np.flatnonzero(gaps == 0)
    lost = table.rows - len(kept)
    if not lost:
        return kept, ()
    first = int(np.argmax(gaps > 0))
    column = next(c for c, many in counts if many and c.number == gaps[first])
    if 2 * lost > table.rows:
        worst = max(counts, key=lambda one: one[1])[0]
        cure = (
            f"--drop {pasted([worst])} leaves that column out, {CURE}"
            if features
            else "name another target"
        )
        what = (
            f"missing value; {lost} of {counted(table.rows, 'row')} have one, most in "
            f"{quoted(worst.name)}: {cure}"
        )
        raise problem(table.path_at(first), what, table.row_of(first), column.number, column.name)
    where = f"row {table.row_of(first)}, column {column.number} {quoted(column.name)}"
    return kept, (
        f"dropped {lost} of {counted(table.rows, 'row')} with missing values (the first: {where})",
    )


def whole_rows(
    path: Path, matrix: Floats, targets: Array, missing: str
) -> tuple[Indices, tuple[str, ...]]:
    """Of arrays (samples, features) and targets, NaN where missing: the rows that are used,
    int64, and a note as `rows_without_gaps` has it.
    """
    of_targets = np.zeros(len(targets), np.bool_)
    if targets.dtype.kind == "f":
        of_targets[np.isnan(targets).reshape(len(targets), -1).any(axis=1)] = True
    gaps = of_targets.copy()
    if missing == "drop":
        gaps[np.isnan(matrix).any(axis=1)] = True
    lost = int(gaps.sum())
    if not lost:
        return np.arange(len(matrix)), ()
    first = f"row {int(np.argmax(gaps)) + 1}"
    if 2 * lost > len(gaps):
        cure = (
            CURE
            if missing == "drop" and 2 * of_targets.sum() <= len(gaps)
            else "expected a target in most rows"
        )
        raise problem(
            path, f"{lost} of {counted(len(gaps), 'row')} hold NaN, {first} is the first: {cure}"
        )
    return np.flatnonzero(~gaps), (
        f"dropped {lost} of {counted(len(gaps), 'row')} with missing values (the first: {first})",
    )


def gap_note(missing: str, names: Sequence[str], gaps: int) -> tuple[str, ...]:
    """What is said of gaps that stay to be filled, in the columns of these names; nothing where
    there are none.
    """
    if not gaps:
        return ()
    by = (
        "the median of the training part"
        if missing == "median"
        else "the mean of the training part"
    )
    flag = ", and a column for each says where they were" if missing == "indicator" else ""
    columns = (
        f"{counted(len(names), 'column')} ({quoted_list(list(names))})"
        if len(names) > 1
        else f"column {quoted(names[0])}"
    )
    many = (
        f"{gaps} missing values in {columns} are"
        if gaps > 1
        else f"1 missing value in {columns} is"
    )
    return (f"{many} filled by {by}{flag}",)


def indicators(columns: Sequence[tuple[str, Mask]]) -> tuple[list[Floats], list[str]]:
    """One column float64 (rows, 1) per feature with gaps, 1.0 where it has a gap, and the column
    names `NAME missing`. Features without gaps give none.

    columns: (name, bool (rows,) where the value is missing) of each feature.
    """
    holed = [(name, gaps) for name, gaps in columns if gaps.any()]
    return [gaps.astype(np.float64)[:, None] for _, gaps in holed], [
        f"{name} missing" for name, _ in holed
    ]


def fit_fill(raw: Floats, missing: str, names: Sequence[str], data: str) -> Floats:
    """What fills the gaps of each feature, float64 (features,): its mean, or its median, over the
    raw training part; empty where nothing is missing.

    raw: (samples, features), NaN where missing. Raises DataError where a feature has no value
        there.
    """
    refuse_empty(np.asarray(np.isnan(raw).all(axis=0)), names, data)
    with np.errstate(all="ignore"):
        return np.nanmedian(raw, axis=0) if missing == "median" else np.nanmean(raw, axis=0)


def refuse_empty(empty: Mask, names: Sequence[str], data: str) -> None:
    """Raise DataError where a feature, bool (features,), has no value in the training part."""
    if empty.any():
        name = names[int(np.argmax(empty))]
        raise DataError(
            f"{data}: feature {quoted(name)} has no value in the training part, expected one "
            "to fill gaps by: leave it out with drop"
        )


def filled(raw: Floats, values: Floats) -> Floats:
    """`raw` (samples, features) with gaps filled by `values` (features,); itself where `values`
    is empty.
    """
    return np.where(np.isnan(raw), values, raw) if len(values) else raw
