"""The columns of a file, and which of them are used: the target, the features that are asked
for, the others left out.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from dlprobe.data.dataset import Floats, Indices, Mask, Options
from dlprobe.data.places import nearest, problem, quoted, quoted_list, visible
from dlprobe.dataclass import dataclass
from dlprobe.registry import counted

TARGET_NAMES = ("target", "label", "class", "y")


@dataclass(frozen=True)
class DataColumn:
    """One column of a file. `number` counts from 1, as the user sees it.

    numbers: float64 (rows,), NaN where missing; or, for text, codes: int64 (rows,) positions in
        `texts`, −1 where missing.
    """

    name: str
    number: int
    numbers: Floats | None = None
    codes: Indices | None = None
    texts: tuple[str, ...] = ()

    @property
    def missing(self) -> Mask:
        """Whether a row has no value, bool (rows,)."""
        if self.codes is not None:
            return self.codes < 0
        assert self.numbers is not None
        return np.isnan(self.numbers)

    def keep(self, rows: Indices) -> DataColumn:
        """The column with only these rows."""
        numbers = None if self.numbers is None else self.numbers[rows]
        codes = None if self.codes is None else self.codes[rows]
        return DataColumn(self.name, self.number, numbers, codes, self.texts)


@dataclass(frozen=True)
class DataTable:
    """Columns of equal length, rows in the file's order. `row_of(i)` is row index i as a person
    counts it: row 1 is the first line of the file.

    parts: int64 (rows,), the part that a row is given to: 1 val, 2 test, 0 for training or not
        given; None where nothing is given.
    path_of: the file of row i, where rows of several files were joined.
    """

    path: Path
    columns: tuple[DataColumn, ...]
    row_of: Callable[[int], int]
    notes: tuple[str, ...] = ()
    parts: Indices | None = None
    path_of: Callable[[int], Path] | None = None

    def path_at(self, i: int) -> Path:
        """The file that row i comes from."""
        return self.path if self.path_of is None else self.path_of(i)

    @property
    def rows(self) -> int:
        return len(self.columns[0].missing)

    def keep(self, rows: Indices) -> DataTable:
        """The table with only these rows."""
        columns = tuple(column.keep(rows) for column in self.columns)
        parts = None if self.parts is None else self.parts[rows]
        return replace(
            self,
            columns=columns,
            parts=parts,
            row_of=lambda i: self.row_of(int(rows[i])),
            path_of=self.path_of and (lambda i: self.path_at(int(rows[i]))),
        )

    def of(self, columns: Sequence[DataColumn]) -> DataTable:
        """The table with these columns."""
        return replace(self, columns=tuple(columns))


def used_columns(
    table: DataTable, options: Options, like: DataTable | None = None
) -> tuple[DataTable, tuple[str, ...]]:
    """The table without the columns that `drop` names and, where `columns` names the features,
    without all others but the target's; and a note.

    Only names and numbers of the columns are looked at, so that what is left out need not be
    readable. `like`: the table of the training part, whose columns are the ones that are used.
    Raises DataError for a name that no column has.
    """
    if like is not None:
        return columns_like(table, like), ()
    special = special_columns(table, options)
    dropped = named_columns(table, options.drop, "drop")
    rest = table.of([column for column in table.columns if column not in dropped])
    if not rest.columns:
        raise problem(
            table.path, "drop names every column, expected features and a target to be left"
        )
    if options.target is not None:
        refuse_dropped(choose_targets(table, options.target)[0], dropped, table.path, "target")
    for key, column in special.items():
        refuse_dropped([column], dropped, table.path, key)
    if options.columns is not None:
        goals, _ = choose_targets(
            rest.of([column for column in rest.columns if column not in special.values()]),
            options.target,
        )
        apart = [*goals, *special.values()]
        features = named_columns(table, options.columns, "columns")
        if not any(column in features for column in rest.columns if column not in apart):
            raise problem(
                table.path,
                f"columns {quoted(','.join(options.columns))} names no feature: the target "
                "and dropped columns are none",
            )
        rest = rest.of([column for column in rest.columns if column in features or column in apart])
    left_out = [column for column in table.columns if column not in rest.columns]
    many = (
        f"{len(left_out)} of {counted(len(table.columns), 'column')} were left out as asked: "
        if left_out
        else ""
    )
    return rest, (f"{many}{quoted_list([column.name for column in left_out])}",) if left_out else ()


def named_columns(table: DataTable, wanted: Sequence[str] | None, key: str) -> list[DataColumn]:
    """The columns that names, patterns (`pixel*`) or numbers from 1 (-1 is the last) mean, in
    the table's order.
    """
    numbers: set[int] = set()
    for item in wanted or ():
        exact = any(column.name.strip() == item for column in table.columns)
        if exact or not any(sign in item for sign in "*?["):
            numbers.add(wanted_column(table, item, key).number)
        elif matching := [
            column.number for column in table.columns if fnmatchcase(column.name.strip(), item)
        ]:
            numbers.update(matching)
        else:
            raise problem(
                table.path,
                f"{key} {quoted(item)} fits no column: there are "
                f"{quoted_list([column.name for column in table.columns])}",
            )
    return [column for column in table.columns if column.number in numbers]


def refuse_dropped(
    wanted: Sequence[DataColumn], dropped: Sequence[DataColumn], path: Path, key: str
) -> None:
    """Raise DataError where a column that the option `key` names is to be dropped too."""
    both = [column for column in wanted if column in dropped]
    if both:
        raise problem(
            path,
            f"column {both[0].number} {quoted(both[0].name)} is named by {key} and by drop, "
            "expected one of them",
        )


def special_columns(table: DataTable, options: Options) -> dict[str, DataColumn]:
    """The columns that say of each row where it belongs, by option: neither features nor
    targets. Raises DataError for a name that no column has.
    """
    roles = {"split_column": options.split_column, "group_column": options.group_column}
    return {
        key: wanted_column(table, name.strip(), key)
        for key, name in roles.items()
        if name is not None
    }


def columns_like(table: DataTable, like: DataTable) -> DataTable:
    """The columns of another table by name, in its order. Raises DataError where some are not
    there.
    """
    by_name = {column.name.strip(): column for column in reversed(table.columns)}
    names = [column.name.strip() for column in like.columns]
    if lost := [name for name in names if name not in by_name]:
        many = "s" * (len(lost) > 1)
        raise problem(
            table.path,
            f"lacks the column{many} {quoted_list(lost)}, which {visible(like.path.name)} "
            "has: give both files the same columns",
        )
    return table.of([by_name[name] for name in names])


def pasted(columns: Sequence[DataColumn]) -> str:
    """What means these columns as an option's value, to paste into a shell: names, or numbers
    where a name would mean something else.
    """
    return shlex.quote(",".join(pasted_name(column) for column in columns))


def pasted_name(column: DataColumn) -> str:
    name = column.name.strip()
    if (
        name
        and name.isprintable()
        and not name.startswith("-")
        and not any(sign in name for sign in ",*?[")
    ):
        return name
    return str(column.number)


def choose_targets(table: DataTable, wanted: str | None) -> tuple[tuple[DataColumn, ...], str]:
    """The target columns, several where names or numbers are given with commas between, with
    the note that says why.
    """
    names = [] if wanted is None else [name.strip() for name in wanted.split(",") if name.strip()]
    if (
        wanted is None
        or len(names) < 2
        or any(column.name.strip() == wanted.strip() for column in table.columns)
    ):
        target, note = choose_target(table, wanted)
        return (target,), note
    chosen = [wanted_column(table, name) for name in names]
    for k, column in enumerate(chosen):
        if column in chosen[:k]:
            raise problem(
                table.path,
                f"target {quoted(wanted)} names column {column.number} {quoted(column.name)} "
                "twice, expected different columns",
            )
    return tuple(
        chosen
    ), f"targets: columns {quoted_list([column.name for column in chosen])} (asked for)"


def choose_target(table: DataTable, wanted: str | None) -> tuple[DataColumn, str]:
    """The target column, by name or number, or by the default, with the note that says why."""
    if wanted is not None:
        return wanted_column(
            table, wanted.strip()
        ), f"target: column {quoted(wanted.strip())} (asked for)"
    for name in TARGET_NAMES:
        for column in table.columns:
            if column.name.strip().lower() == name:
                return column, f"target: column {column.number} {quoted(column.name)} (by its name)"
    last = table.columns[-1]
    return (
        last,
        (
            f"target: column {last.number} {quoted(last.name)} (the last; none is called "
            f"{', '.join(TARGET_NAMES)})"
        ),
    )


def wanted_column(table: DataTable, wanted: str, key: str = "target") -> DataColumn:
    """The column of that name, or of that number from 1; −1 is the last. `key`: the option that
    asks for it.
    """
    named = [column for column in table.columns if column.name.strip() == wanted]
    if named:
        return named[0]
    if wanted.lstrip("-").isdecimal() and len(wanted) < 10:
        number = int(wanted)
        numbered = (
            [table.columns[-1]]
            if number == -1
            else [column for column in table.columns if column.number == number]
        )
        if numbered:
            return numbered[0]
        raise problem(
            table.path,
            f"{key} {quoted(wanted)} is no column: columns count from 1 to "
            f"{table.columns[-1].number}, -1 is the last",
        )
    names = [column.name for column in table.columns]
    raise problem(
        table.path,
        f"{key} {quoted(wanted)} is no column: {nearest(wanted, names)}there are "
        f"{quoted_list(names)}",
    )


def is_asked_for(column: DataColumn, target: str | None) -> bool:
    """Whether this column is asked for as the target, or as one of several."""
    return target is not None and any(
        name.strip() in (column.name, str(column.number)) for name in (target, *target.split(","))
    )
