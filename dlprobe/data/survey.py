"""What would be trained on: kind, range and gaps of every column, how the target is spread, and
what leaks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from dlprobe.data.arrays import Arrays
from dlprobe.data.columns import DataColumn, DataTable, choose_targets, pasted, special_columns
from dlprobe.data.dataset import (
    Array,
    Dataset,
    Floats,
    Indices,
    Options,
    PreparedData,
    ScannedTiles,
)
from dlprobe.data.filling import totals_in_tiles
from dlprobe.data.foretelling import foretold
from dlprobe.data.places import visible
from dlprobe.data.row_names import ROW_COUNTER, is_whole
from dlprobe.data.tiles import row_digests, rows_within
from dlprobe.dataclass import dataclass

LOOKED_AT = 100_000  # rows, evenly spaced, that distinct values and histograms are of
COMPARED = 20_000  # rows, evenly spaced, on which a column is compared with the target
FEWEST = 30  # rows below which chance alone may make a column foretell the target
# skill of one column alone from which it may be a leak
FORETOLD = {"classification": 0.99, "regression": 0.999}
SAMPLED = 2**24  # numbers of those rows at most, where a file is too large to be held
BINS = 10
MOST_VALUES = 10  # of a column that has no more, each is counted


@dataclass(frozen=True)
class ColumnSummary:
    """One column of what was read. drop: what means it as the value of --drop.

    role: feature | target | split | group. kind: number | integer | text | empty. number: from 1, as in the file.
    low, high, mean: over all rows, NaN for text. missing: rows without a value. distinct: different
        values in the rows looked at.
    counts: rows of each of `values` (of text the most frequent ones first), or between each two of
        `edges`, where values is empty.
    """  # noqa: E501

    number: int
    name: str
    role: str
    kind: str
    low: float
    high: float
    mean: float
    missing: int
    distinct: int
    drop: str = ""
    counts: tuple[int, ...] = ()
    values: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()


@dataclass(frozen=True)
class Foretelling:
    """A column that gives the target away. skill: 1 − error/error of guessing (classification)
    or R², of the nearest other row by that column alone.
    """

    column: str
    number: int
    skill: float
    drop: str


@dataclass(frozen=True)
class Survey:
    """A data set as it would be trained on, with what was read.

    looked_at: rows that distinct values and histograms are of. numbering: columns, used as
        features, that number the rows.
    target: how the first regression target is spread, all rows; None for classes.
    """

    data: PreparedData
    rows: int
    columns: tuple[ColumnSummary, ...]
    looked_at: int
    target: ColumnSummary | None
    numbering: tuple[ColumnSummary, ...]
    foretelling: tuple[Foretelling, ...]

    @property
    def class_rows(self) -> tuple[int, ...]:
        """Rows of each class in all parts."""
        return tuple(int(count) for count in np.sum(list(self.data.class_counts.values()), axis=0))


def survey(
    data: PreparedData, dataset: Dataset, source: DataTable | Arrays | None, options: Options
) -> Survey:
    """Look at what was read (None: a named set, or a large file), at the Dataset made of it and
    at what was prepared from that.
    """
    if dataset.tiles is not None:
        return survey_of_tiles(data, dataset, dataset.tiles, options)
    roles = roles_of(source, options) if isinstance(source, DataTable) else {}
    read = (
        source.columns
        if isinstance(source, DataTable)
        else (*columns_of(dataset, source), *target_columns(dataset))
    )
    columns = tuple(
        summary(
            column,
            roles.get(column.number, "feature")
            if roles
            else ("feature" if column.number <= len(dataset.feature_names) else "target"),
        )
        for column in read
    )
    features = [column for column in columns if column.role == "feature"]
    first_target = next((column for column in columns if column.role == "target"), None)
    rows = (
        source.rows
        if isinstance(source, DataTable)
        else len(dataset.inputs)
        if source is None
        else len(source.inputs)
    )
    return Survey(
        data=data,
        rows=rows,
        columns=columns,
        looked_at=min(rows, LOOKED_AT),
        target=first_target if dataset.task == "regression" else None,
        numbering=tuple(
            column
            for column in features
            if len(features) > 1 and numbers_rows(column, rows, min(rows, LOOKED_AT))
        ),
        foretelling=tuple(foretelling(dataset, source, roles)) if len(features) > 1 else (),
    )


def survey_of_tiles(
    data: PreparedData, dataset: Dataset, held: ScannedTiles, options: Options
) -> Survey:
    """A survey of evenly spaced rows of a large file, of those that were not dropped; range,
    mean and gaps are those of all.
    """
    tiles = held.tiles
    rows, features = tiles.shape
    chosen = evenly(np.arange(rows), max(FEWEST, min(LOOKED_AT, SAMPLED // features)))
    sample = np.empty((len(chosen), features))
    for tile in tiles:
        kept, inside = rows_within(chosen, tile)
        sample[kept, tile.columns] = tile.values[inside]
    looked = survey(
        data,
        replace(dataset, inputs=sample, targets=dataset.targets[chosen], tiles=None),
        None,
        options,
    )
    lows, highs, totals, known = totals_in_tiles(tiles, np.arange(rows))
    # indicators of gaps have none
    missing = np.concatenate([held.missing, np.zeros(features - len(held.missing), np.int64)])
    with np.errstate(all="ignore"):
        numbers = np.stack([lows, highs, totals / known, missing], axis=1).tolist()
    columns = [
        column
        if column.kind == "empty"
        else replace(column, low=low, high=high, mean=mean, missing=int(gaps))
        for column, (low, high, mean, gaps) in zip(looked.columns, numbers, strict=False)
    ]
    numbering = tuple(column for column in columns if numbers_rows(column, rows, len(chosen)))
    return replace(
        looked,
        rows=held.rows,
        columns=(*columns, *looked.columns[features:]),
        looked_at=len(chosen),
        numbering=numbering,
    )


def roles_of(table: DataTable, options: Options) -> Mapping[int, str]:
    special = special_columns(table, options)
    rest = table.of([column for column in table.columns if column not in special.values()])
    targets, _ = choose_targets(rest, options.target)
    named = {column.number: key.removesuffix("_column") for key, column in special.items()}
    return (
        {column.number: "feature" for column in table.columns}
        | {column.number: "target" for column in targets}
        | named
    )


def columns_of(dataset: Dataset, source: Arrays | None) -> Iterator[DataColumn]:
    """The features of a named set, or of a file's array as it was before rows were left out."""
    matrix = dataset.inputs if source is None else source.inputs.reshape(len(source.inputs), -1)
    for number, name in enumerate(dataset.feature_names, start=1):
        # of arrays features are x1, x2, …
        place = (
            number - 1 if source is None else int(name[1:]) - 1 if name[1:].isdecimal() else None
        )
        if place is not None:
            yield DataColumn(name, number, numbers=matrix[:, place].astype(np.float64))


def target_columns(dataset: Dataset) -> Iterator[DataColumn]:
    """The targets of a set or of a file's array: class names, or numbers."""
    number = len(dataset.feature_names) + 1
    if dataset.task == "classification":
        yield DataColumn("class", number, codes=dataset.targets, texts=dataset.class_names)
    else:
        for k, name in enumerate(dataset.target_names):
            yield DataColumn(name, number + k, numbers=dataset.targets[:, k])


def summary(column: DataColumn, role: str) -> ColumnSummary:
    """The summary of one column."""
    missing = int(column.missing.sum())
    empty = ColumnSummary(
        column.number,
        visible(column.name),
        role,
        "empty",
        np.nan,
        np.nan,
        np.nan,
        missing,
        0,
        pasted([column]),
    )
    if missing == len(column.missing):
        return empty
    if column.codes is not None:
        codes = evenly(column.codes, LOOKED_AT)
        counts = np.bincount(codes[codes >= 0], minlength=len(column.texts))
        order = np.argsort(-counts, kind="stable")[: min(MOST_VALUES, int((counts > 0).sum()))]
        values = tuple(visible(column.texts[k]) for k in order)
        return replace(
            empty,
            kind="text",
            distinct=int((counts > 0).sum()),
            counts=as_counts(counts[order]),
            values=values,
        )
    assert column.numbers is not None
    with np.errstate(all="ignore"):
        low = float(np.nanmin(column.numbers))
        high = float(np.nanmax(column.numbers))
        mean = float(np.nanmean(column.numbers))
    looked = evenly(column.numbers, LOOKED_AT)
    looked = looked[~np.isnan(looked)]
    distinct, counts = np.unique(looked, return_counts=True)
    kind = "integer" if is_whole(looked) else "number"
    summarised = replace(empty, kind=kind, low=low, high=high, mean=mean, distinct=len(distinct))
    if len(distinct) <= MOST_VALUES:
        return replace(
            summarised, counts=as_counts(counts), values=tuple(f"{value:.6g}" for value in distinct)
        )
    # a quarter: the width of a range may leave float64
    bins, edges = np.histogram(looked / 4, BINS, range=(low / 4, high / 4))
    return replace(
        summarised, counts=as_counts(bins), edges=tuple(float(edge) for edge in edges * 4)
    )


def as_counts(counts: Array) -> tuple[int, ...]:
    return tuple(int(count) for count in counts)


def evenly(values: Array, most: int) -> Array:
    """At most `most` values at evenly spaced positions, the first and the last among them; all of
    them, as they are, where there are no more.
    """
    if len(values) <= most:
        return values
    return values[np.linspace(0, len(values) - 1, most).astype(np.int64)]


def numbers_rows(column: ColumnSummary, rows: int, looked: int) -> bool:
    """Whether a column numbers the rows: whole numbers, none missing or repeated, that are
    consecutive or stand under a name such as `id`. False for fewer than 30 rows.
    """
    if column.kind != "integer" or column.missing or column.distinct < looked or rows < FEWEST:
        return False
    return column.high - column.low + 1 == rows or bool(ROW_COUNTER.fullmatch(column.name.strip()))


def foretelling(
    dataset: Dataset, source: DataTable | Arrays | None, roles: Mapping[int, str]
) -> Iterator[Foretelling]:
    """Features that give the target away on their own, the surest first: among the rows, and
    among those that differ, for of rows that stand there twice every column gives the target.
    """
    telling: list[Foretelling] = []
    if isinstance(source, DataTable):
        by_number = {column.number: column for column in source.columns}
        targets = [by_number[number] for number, role in roles.items() if role == "target"]
        features = [column for column in source.columns if roles[column.number] == "feature"]
    else:
        targets = list(target_columns(dataset))
        features = [
            DataColumn(name, k + 1, numbers=dataset.inputs[:, k])
            for k, name in enumerate(dataset.feature_names)
        ]
    if len(targets) != 1:
        return iter(())
    goal = goal_of(targets[0], dataset.task)
    chosen = evenly(np.arange(len(goal)), COMPARED)
    chosen = chosen[~np.isnan(goal[chosen])]
    least, classes = FORETOLD[dataset.task], dataset.task == "classification"
    differing: Indices | None = None
    for column in features:
        values = numbers_of(column)
        rows = chosen[~np.isnan(values[chosen])]
        skill = foretold(values[rows], goal[rows], classes) if len(rows) >= FEWEST else 0.0
        if not skill >= least:
            continue
        if differing is None:
            differing = distinct_rows(features, chosen)
        rows = rows[np.isin(rows, differing)]
        if len(rows) > 2 and foretold(values[rows], goal[rows], classes) >= least:
            telling.append(
                Foretelling(visible(column.name), column.number, skill, pasted([column]))
            )
    return iter(sorted(telling, key=lambda column: -column.skill))


def distinct_rows(features: Sequence[DataColumn], rows: Indices) -> Indices:
    """The first of these rows of each that are alike in all features."""
    numbers = np.stack([numbers_of(column)[rows] for column in features], axis=1)
    return rows[np.unique(row_digests(numbers), return_index=True)[1]]


def numbers_of(column: DataColumn) -> Floats:
    """A column as numbers, texts by their codes, NaN where missing."""
    if column.codes is None:
        assert column.numbers is not None
        return column.numbers
    return np.where(column.codes < 0, np.nan, column.codes)


def goal_of(column: DataColumn, task: str) -> Floats:
    """The target as float64 (rows,), NaN where missing; for classification each value's rank 0, 1,
    2, … among the distinct values.
    """
    numbers = numbers_of(column)
    if task == "regression":
        return numbers
    known = ~np.isnan(numbers)
    places: Indices = np.unique(numbers[known], return_inverse=True)[1].reshape(-1)
    goal = np.full(len(numbers), np.nan)
    goal[known] = places
    return goal
