"""A Dataset from a table with named columns: target, missing values, categorical columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from dlprobe.data import labels
from dlprobe.data.columns import (
    DataColumn,
    DataTable,
    choose_targets,
    is_asked_for,
    pasted,
    special_columns,
)
from dlprobe.data.dataset import LARGEST_ELEMENTS, Dataset, Floats, Indices, Options
from dlprobe.data.dates import date_forms, with_dates
from dlprobe.data.gaps import FeatureGaps, gap_note, indicators, rows_without_gaps
from dlprobe.data.given_parts import groups_in, parts_in
from dlprobe.data.places import problem, quoted, quoted_list, visible
from dlprobe.data.written_numbers import hint
from dlprobe.errors import DataError
from dlprobe.registry import counted

MOST_CATEGORIES = 100
COPIED_ROWS = 512


def dataset_from_table(
    table: DataTable, options: Options, beside: FeatureGaps | None = None
) -> Dataset:
    """Dataset of a table: rows with missing values dropped, text columns one-hot, the target
    decided. Everything inferred is in its notes.

    beside: gaps in features that are not in the table.
    """
    if len(table.columns) < 2:
        raise problem(table.path, "has a single column, expected features and a target")
    if not table.rows:
        raise problem(table.path, "has no rows of data")
    special = special_columns(table, options)
    wanted = [column for column in table.columns if is_asked_for(column, options.target)]
    as_they_are = [*special.values(), *(wanted if options.dates == "drop" else ())]
    table, date_notes = with_dates(table, options.dates, [column.number for column in as_they_are])
    targets, target_note = _targets(table, special, options.target)
    whole = table.columns if options.missing == "drop" else (*targets, *special.values())
    kept, missing_notes = rows_without_gaps(
        table, whole, features=options.missing == "drop", beside=beside
    )
    if missing_notes:
        table = table.keep(kept)

    def fault_in(column: DataColumn, i: int, what: str) -> DataError:
        return problem(table.path_at(i), what, table.row_of(i), column.number, column.name)

    apart = {
        key: next(c for c in table.columns if c.number == column.number)
        for key, column in special.items()
    }
    columns = [column for column in table.columns if column not in apart.values()]
    for column in columns:
        refuse_infinite(column, partial(fault_in, column))
    parts = parts_in(table, apart["split_column"]) if "split_column" in apart else table.parts
    groups = groups_in(apart["group_column"]) if "group_column" in apart else None
    goals = [
        next(column for column in columns if column.number == target.number) for target in targets
    ]
    decided, label_note = _decided(goals, columns, options, fault_in)
    features = [column for column in columns if column not in goals]
    inputs, names, encoding_notes = encode(table.path, features, options.missing)
    return Dataset(
        parts=parts,
        groups=groups,
        name=visible(table.path.name),
        inputs=inputs,
        targets=decided.values,
        task=decided.task,
        feature_names=tuple(visible(name) for name in names),
        class_names=tuple(visible(name) for name in decided.class_names),
        notes=(
            *table.notes,
            target_note,
            *special_notes(apart),
            *date_notes,
            decided.note,
            *missing_notes,
            *label_note,
            *encoding_notes,
        ),
        source=visible(table.path),
        target_names=tuple(visible(column.name) for column in goals)
        if decided.task == "regression"
        else (),
    )


def _targets(
    table: DataTable, special: Mapping[str, DataColumn], wanted: str | None
) -> tuple[Sequence[DataColumn], str]:
    """The target columns, and what was inferred of them. Raises DataError where no feature is
    left beside them.
    """
    rest = table.of([column for column in table.columns if column not in special.values()])
    if len(rest.columns) < 2:
        raise problem(
            table.path,
            f"has no column beside {quoted_list([column.name for column in table.columns])}, "
            "expected features and a target",
        )
    targets, note = choose_targets(rest, wanted)
    if len(targets) == len(rest.columns):
        raise problem(
            table.path,
            "every column is a target, expected a feature beside "
            f"{quoted_list([column.name for column in targets])}",
        )
    return targets, note


def _decided(
    goals: Sequence[DataColumn],
    columns: Sequence[DataColumn],
    options: Options,
    fault_in: Callable[[DataColumn, int, str], DataError],
) -> tuple[labels.Targets, tuple[str, ...]]:
    """The targets as numbers or classes, and a note where another column looks like the label."""
    first = labels_first(options.target, goals[0], columns)
    try:
        decided = (
            decide(goals[0], options.task, partial(fault_in, goals[0]))
            if len(goals) == 1
            else decide_several(goals, options.task, fault_in)
        )
    except DataError as error:
        raise DataError(f"{error}; {first}") if first else error from None
    label = label_beside(decided, options.target, goals[0], columns)
    label = label or (first if decided.task == "regression" else "")
    return decided, (label,) if label else ()


def label_beside(
    decided: labels.Targets, wanted: str | None, target: DataColumn, columns: Sequence[DataColumn]
) -> str:
    """A note where the last column, without a name, was taken for a regression's target and one
    beside it has few texts, as labels have; else empty.
    """
    texts = [column for column in columns if column.codes is not None and column is not target]
    if (
        decided.task != "regression"
        or wanted is not None
        or target.name != f"x{target.number}"
        or len(texts) != 1
        or no_categories(texts[0])
    ):
        return ""
    count = len(one_hot(texts[0])[1])
    return (
        f"column {texts[0].number} {quoted(texts[0].name)} has {count} different texts: if these "
        f"are the labels, --target {pasted(texts)}"
    )


def labels_first(wanted: str | None, target: DataColumn, columns: Sequence[DataColumn]) -> str:
    """What is said where the last of columns without names was taken for the target and the
    first looks like labels, as in mnist_train.csv; else empty.
    """
    numbers = columns[0].numbers
    if (
        wanted is not None
        or target.name != f"x{target.number}"
        or columns[0] is target
        or numbers is None
        or np.isnan(numbers).any()
    ):
        return ""
    values, counts = np.unique(numbers, return_counts=True)
    if (
        not 2 <= len(values) <= min(MOST_CATEGORIES, len(numbers) / 10)
        or not np.array_equal(values, np.arange(len(values)))
        or counts.min() < 2
    ):
        return ""
    return (
        f"column {columns[0].number} holds the whole numbers 0 to {len(values) - 1}: if these are "
        f"the labels, --target {columns[0].number}"
    )


def special_notes(apart: Mapping[str, DataColumn]) -> list[str]:
    """What is said of the columns that are neither feature nor target."""
    told = {
        "split_column": "gives each row its part",
        "group_column": "names groups of rows, which stay together",
    }
    return [
        f"column {column.number} {quoted(column.name)} {told[key]}" for key, column in apart.items()
    ]


def refuse_infinite(column: DataColumn, fault: Callable[[int, str], DataError]) -> None:
    if column.numbers is not None and np.isinf(column.numbers).any():
        i = int(np.argmax(np.isinf(column.numbers)))
        raise fault(
            i,
            f"found {column.numbers[i]:g}, expected a finite number: mend the cell, or --drop "
            f"{pasted([column])} leaves the column out",
        )


def decide(column: DataColumn, task: str, fault: Callable[[int, str], DataError]) -> labels.Targets:
    if column.codes is not None:
        if told := written_as(column):
            raise fault(
                0,
                f"found {quoted(column.texts[column.codes[0]])}, expected a number or a "
                f"label{told}",
            )
        return labels.from_texts(column.codes, column.texts, task, fault)
    assert column.numbers is not None
    return labels.from_numbers(column.numbers, task, fault)


def decide_several(
    columns: Sequence[DataColumn], task: str, fault: Callable[[DataColumn, int, str], DataError]
) -> labels.Targets:
    """Several target columns are the targets of a regression: float64 (samples, outputs)."""
    several = f"{len(columns)} target columns are a regression"
    if task == "classification":
        raise fault(
            columns[1],
            0,
            f"{several}, and task = classification takes one label column: name one with "
            "target, or leave task out",
        )
    for column in columns:
        if column.codes is not None:
            raise fault(
                column,
                0,
                f"found {quoted(column.texts[column.codes[0]])}, expected a number: "
                f"{several}; name one label column with target",
            )
    values = np.column_stack([column.numbers for column in columns if column.numbers is not None])
    return labels.Targets(
        np.ascontiguousarray(values, dtype=np.float64),
        (),
        f"task: regression ({len(columns)} targets)",
    )


def encode(
    path: Path, columns: list[DataColumn], missing: str
) -> tuple[Floats, tuple[str, ...], tuple[str, ...]]:
    """Feature columns as float64 (rows, features), NaN where missing, their names, and notes on
    what was one-hot encoded and what will be filled.
    """
    refuse_free_text(path, columns)
    blocks: list[Floats] = []
    names: list[str] = []
    encoded: list[str] = []
    for column in columns:
        if column.numbers is not None:
            blocks.append(column.numbers[:, None])
            names.append(column.name)
        else:
            block, values = one_hot(column)
            blocks.append(block)
            names += [f"{column.name}={value}" for value in values]
            encoded.append(
                f"{quoted(column.name)} "
                f"({counted(len(values), 'value')}{', dates: --dates ordinal makes numbers of them' if date_forms(column) else ''})"  # noqa: E501
            )
    if missing == "indicator":
        more, flags = indicators([(column.name, column.missing) for column in columns])
        blocks, names = blocks + more, names + flags
    if sum(block.size for block in blocks) > LARGEST_ELEMENTS:
        raise problem(
            path,
            f"has {sum(block.size for block in blocks)} numbers, dlprobe takes up to "
            f"{LARGEST_ELEMENTS}",
        )
    notes: tuple[str, ...] = (
        (f"text columns one-hot encoded: {', '.join(encoded)}",) if encoded else ()
    )
    holed = [column for column in columns if column.missing.any()]
    notes += gap_note(
        missing,
        [column.name for column in holed],
        sum(int(column.missing.sum()) for column in holed),
    )
    return side_by_side(blocks), tuple(names), notes


def side_by_side(blocks: Sequence[Floats]) -> Floats:
    """Blocks (rows, some columns) in one matrix (rows, columns), float64, C-contiguous.

    A few rows at a time, so that the piece of the matrix that is written stays in the cache: a
    fifth of the time of one np.concatenate for 200,000 × 100 columns.
    """
    matrix = np.empty((len(blocks[0]), sum(block.shape[1] for block in blocks)))
    for row in range(0, len(matrix), COPIED_ROWS):
        rows = slice(row, row + COPIED_ROWS)
        np.concatenate([block[rows] for block in blocks], axis=1, out=matrix[rows])
    return matrix


def refuse_free_text(path: Path, columns: list[DataColumn]) -> None:
    """Refuses text columns that are no categories: the first with what is wrong, the others by
    name, with the options that let the file be read.
    """
    faults = [(column, what) for column in columns if (what := no_categories(column))]
    if not faults:
        return
    column, what = faults[0]
    others = (
        f"; so it is with {quoted_list([other.name for other, _ in faults[1:]])}"
        if faults[1:]
        else ""
    )
    dated = [column for column, _ in faults if date_forms(column)]
    useless = [column for column, _ in faults if not written_as(column) and column not in dated]
    cures = (
        [
            "--dates ordinal makes numbers of "
            f"{quoted_list([column.name for column in dated])}, --dates drop leaves dates out"
        ]
        if dated
        else []
    )
    cures += (
        [f"--drop {pasted(useless)} leaves {'it' if len(faults) == 1 else 'them'} out"]
        if useless
        else []
    )
    raise problem(
        path,
        f"{what}{others}{': ' if cures else ''}{'; '.join(cures)}",
        None,
        column.number,
        column.name,
    )


def no_categories(column: DataColumn) -> str:
    """What is wrong with a text column as categories: numbers in another form, identifiers or
    free text; empty where nothing is.
    """
    if column.codes is None:
        return ""
    if told := written_as(column):
        return f"holds {quoted(first_text(column))}, expected numbers or categories{told}"
    used, rows = len(used_codes(column)), int((~column.missing).sum())
    if used > MOST_CATEGORIES or (used > 10 and 2 * used > rows):
        fault = (
            f"has {used} different texts in {counted(rows, 'row')}, "
            f"{quoted(first_text(column))} is one"
        )
        kind = (
            ", a date" if date_forms(column) else ", so it names the rows" if used == rows else ""
        )
        return f"{fault}{kind}, expected numbers or at most {MOST_CATEGORIES} categories"
    return ""


def written_as(column: DataColumn) -> str:
    """Where the texts of a column are numbers in another form: which, and the option that reads
    them; else empty.
    """
    return "" if column.codes is None else hint([column.texts[i] for i in used_codes(column)])


def one_hot(column: DataColumn) -> tuple[Floats, list[str]]:
    """A text column as float64 (rows, values) and the text of each value: one column per text that
    occurs, in sorted order; a row of NaN where it is missing.
    """
    assert column.codes is not None
    used = used_codes(column)
    block = (column.codes[:, None] == used).astype(np.float64)
    block[column.missing] = np.nan
    return block, [column.texts[i] for i in used]


def first_text(column: DataColumn) -> str:
    assert column.codes is not None
    return column.texts[int(column.codes[int(np.argmax(column.codes >= 0))])]


def used_codes(column: DataColumn) -> Indices:
    assert column.codes is not None
    codes = np.unique(column.codes)
    return codes[codes >= 0]
