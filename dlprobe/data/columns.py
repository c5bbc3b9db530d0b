"""The columns of a file, and which of them are used: the target, the features that are asked for, the others left out."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from dlprobe.data.dataset import Floats, Indices, Mask, Options
from dlprobe.data.places import nearest, problem, quoted, quoted_list

TARGET_NAMES = ("target", "label", "class", "y")


@dataclass(frozen=True)
class Column:
    """One column of a file. `number` counts from 1, as the user sees it.

    numbers: float64 (rows,), NaN where missing; or, for text, codes: int64 (rows,) positions in `texts`, −1 where missing.
    """

    name: str
    number: int
    numbers: Floats | None = None
    codes: Indices | None = None
    texts: tuple[str, ...] = ()

    @property
    def missing(self) -> Mask:
        """bool (rows,)"""
        if self.codes is not None:
            return self.codes < 0
        assert self.numbers is not None
        return np.isnan(self.numbers)

    def keep(self, rows: Indices) -> Column:
        """The column with only these rows."""
        numbers = None if self.numbers is None else self.numbers[rows]
        codes = None if self.codes is None else self.codes[rows]
        return Column(self.name, self.number, numbers, codes, self.texts)


@dataclass(frozen=True)
class Table:
    """Columns of equal length, rows in the file's order. `row_of(i)` is row index i as a person counts it: row 1 is the first line of the file."""

    path: Path
    columns: tuple[Column, ...]
    row_of: Callable[[int], int]
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        return len(self.columns[0].missing)

    def of(self, columns: Sequence[Column]) -> Table:
        """The table with these columns."""
        return replace(self, columns=tuple(columns))


def used_columns(table: Table, options: Options) -> tuple[Table, tuple[str, ...]]:
    """The table without the columns that `drop` names and, where `columns` names the features, without all others but the target's; and a note.

    Only names and numbers of the columns are looked at, so that what is left out need not be readable. Raises DataError for a name that no column has.
    """
    dropped = named_columns(table, options.drop, "drop")
    rest = table.of([column for column in table.columns if column not in dropped])
    if not rest.columns:
        raise problem(table.path, "drop names every column, expected features and a target to be left")
    if options.target is not None:
        refuse_dropped_target(table, dropped, options.target)
    if options.columns is not None:
        apart, _ = choose_targets(rest, options.target)
        features = named_columns(table, options.columns, "columns")
        if not any(column in features for column in rest.columns if column not in apart):
            raise problem(table.path, f"columns {quoted(','.join(options.columns))} names no feature: the target and dropped columns are none")
        rest = rest.of([column for column in rest.columns if column in features or column in apart])
    left_out = [column for column in table.columns if column not in rest.columns]
    many = f"{len(left_out)} of {len(table.columns)} columns were left out as asked: " if left_out else ""
    return rest, (f"{many}{quoted_list([column.name for column in left_out])}",) if left_out else ()


def named_columns(table: Table, wanted: Sequence[str] | None, key: str) -> list[Column]:
    """The columns that names, patterns (`pixel*`) or numbers from 1 (-1 is the last) mean, in the table's order."""
    found: set[int] = set()
    for item in wanted or ():
        exact = any(column.name.strip() == item for column in table.columns)
        if exact or not any(sign in item for sign in "*?["):
            found.add(wanted_column(table, item, key).number)
        elif matching := [column.number for column in table.columns if fnmatchcase(column.name.strip(), item)]:
            found.update(matching)
        else:
            raise problem(table.path, f"{key} {quoted(item)} fits no column: there are {quoted_list([column.name for column in table.columns])}")
    return [column for column in table.columns if column.number in found]


def refuse_dropped_target(table: Table, dropped: Sequence[Column], target: str) -> None:
    """Raise DataError where a target that is asked for is to be dropped too."""
    both = [column for column in choose_targets(table, target)[0] if column in dropped]
    if both:
        raise problem(table.path, f"column {both[0].number} {quoted(both[0].name)} is named by target and by drop, expected one of them")


def pasted(columns: Sequence[Column]) -> str:
    """What means these columns as an option's value, to paste into a shell: names, or numbers where a name would mean something else."""
    return shlex.quote(",".join(pasted_name(column) for column in columns))


def pasted_name(column: Column) -> str:
    name = column.name.strip()
    return name if name and name.isprintable() and not name.startswith("-") and not any(sign in name for sign in ",*?[") else str(column.number)


def choose_targets(table: Table, wanted: str | None) -> tuple[tuple[Column, ...], str]:
    """The target columns, several where names or numbers are given with commas between, with the note that says why."""
    names = [] if wanted is None else [name.strip() for name in wanted.split(",") if name.strip()]
    if wanted is None or len(names) < 2 or any(column.name.strip() == wanted.strip() for column in table.columns):
        target, note = choose_target(table, wanted)
        return (target,), note
    chosen = [wanted_column(table, name) for name in names]
    for k, column in enumerate(chosen):
        if column in chosen[:k]:
            raise problem(table.path, f"target {quoted(wanted)} names column {column.number} {quoted(column.name)} twice, expected different columns")
    return tuple(chosen), f"targets: columns {quoted_list([column.name for column in chosen])} (asked for)"


def choose_target(table: Table, wanted: str | None) -> tuple[Column, str]:
    """The target column, by name or number, or by the default, with the note that says why."""
    if wanted is not None:
        return wanted_column(table, wanted.strip()), f"target: column {quoted(wanted.strip())} (asked for)"
    for name in TARGET_NAMES:
        for column in table.columns:
            if column.name.strip().lower() == name:
                return column, f"target: column {column.number} {quoted(column.name)} (by its name)"
    last = table.columns[-1]
    return last, f"target: column {last.number} {quoted(last.name)} (the last; none is called {', '.join(TARGET_NAMES)})"


def wanted_column(table: Table, wanted: str, key: str = "target") -> Column:
    """The column of that name, or of that number from 1; −1 is the last. `key`: the option that asks for it."""
    named = [column for column in table.columns if column.name.strip() == wanted]
    if named:
        return named[0]
    if wanted.lstrip("-").isdecimal() and len(wanted) < 10:
        number = int(wanted)
        numbered = [table.columns[-1]] if number == -1 else [column for column in table.columns if column.number == number]
        if numbered:
            return numbered[0]
        raise problem(table.path, f"{key} {quoted(wanted)} is no column: columns count from 1 to {table.columns[-1].number}, -1 is the last")
    names = [column.name for column in table.columns]
    raise problem(table.path, f"{key} {quoted(wanted)} is no column: {nearest(wanted, names)}there are {quoted_list(names)}")
