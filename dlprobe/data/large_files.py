"""Data sets of files too large to be held twice: names, targets and what says where a row belongs
are read as ever, the features in tiles.

That is for features that are finite numbers or missing; every other file is read whole, which also
says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dlprobe.data.arrays import Arrays, dataset_from_arrays
from dlprobe.data.columns import (
    DataColumn,
    DataTable,
    choose_targets,
    columns_like,
    special_columns,
    used_columns,
)
from dlprobe.data.dataset import Array, Dataset, Options, ScannedTiles, Tiles
from dlprobe.data.frames import column_like
from dlprobe.data.gaps import FeatureGaps, gap_note
from dlprobe.data.given_parts import joined, joined_arrays, refuse_unlike
from dlprobe.data.named_sets import numbered_features
from dlprobe.data.places import problem, visible
from dlprobe.data.row_names import without_row_names
from dlprobe.data.tables import dataset_from_table
from dlprobe.data.tile_views import Flagged, KeptRows, Stacked
from dlprobe.data.tiles import LARGE, LARGEST_TILED, TileScan, Told, new_digests, scanned
from dlprobe.dataclass import dataclass


@dataclass(frozen=True)
class LargeTable:
    """A table in a file. names: of its columns. load: reads the columns of these numbers, from 1.
    tiles: those of the columns of these numbers.

    readable, numeric: numbers of the columns that `load` can read, and of those that hold numbers,
        which `tiles` can.
    counted: whether a first column may number the rows. left_out: numbers of columns that the file
        itself calls an index, and the notes on them.
    """

    path: Path
    names: Sequence[str]
    rows: int
    load: Callable[[Sequence[int]], list[DataColumn]]
    tiles: Callable[[Sequence[int]], Tiles]
    readable: Collection[int]
    numeric: Collection[int]
    counted: bool = False
    left_out: Sequence[int] = ()
    notes: tuple[str, ...] = ()

    def columns(self) -> DataTable:
        """The columns without anything in them, those left out that the file calls an index."""
        stubs = (
            DataColumn(name, number)
            for number, name in enumerate(self.names, start=1)
            if number not in self.left_out
        )
        return DataTable(self.path, tuple(stubs), lambda i: i + 1)


@dataclass(frozen=True)
class LargeArrays:
    """Inputs (samples, …) in a file as tiles, of samples of that shape, and the targets. names:
    those of the two arrays.
    """

    path: Path
    sample_shape: tuple[int, ...]
    targets: Array
    names: tuple[str, str]
    tiles: Tiles
    dtype: np.dtype[np.generic]


Large = LargeTable | LargeArrays


def is_large(path: Path, rows: int, columns: int, beside: bool = False) -> bool:
    """Whether a matrix is read in tiles; one that is read `beside` a large one always is.
    Raises DataError where it is larger than dlprobe takes.
    """
    if rows * columns > LARGEST_TILED:
        raise problem(
            path,
            f"has {rows} × {columns} numbers, dlprobe takes up to {LARGEST_TILED}: give fewer "
            "rows or columns",
        )
    return (beside or rows * columns >= LARGE) and columns > 1


def dataset_in_tiles(
    large: Large, others: Sequence[tuple[Large, int]], options: Options, told: Told | None
) -> Dataset | None:
    """The data set of a large file and others whose rows are given to a part (1 val, 2 test); None
    where it has to be read whole.

    Raises DataError as those of smaller files do.
    """
    if isinstance(large, LargeTable):
        tables = [(other, part) for other, part in others if isinstance(other, LargeTable)]
        return table_in_tiles(large, tables, options, told) if len(tables) == len(others) else None
    arrays = [(other, part) for other, part in others if isinstance(other, LargeArrays)]
    return arrays_in_tiles(large, arrays, options, told) if len(arrays) == len(others) else None


def table_in_tiles(
    large: LargeTable, others: Sequence[tuple[LargeTable, int]], options: Options, told: Told | None
) -> Dataset | None:
    """The data set of a table: what single columns decide is decided by a table of these, in
    which the first feature holds the rows' numbers. None where it has to be read whole.
    """
    table, chosen = used_columns(large.columns(), options)
    if not {column.number for column in table.columns} <= set(large.readable):
        return None
    special = [column.number for column in special_columns(table, options).values()]
    table, counted = without_counters(large, table, options, special)
    rest = table.of([column for column in table.columns if column.number not in special])
    if len(rest.columns) < 2:
        return None
    targets = [column.number for column in choose_targets(rest, options.target)[0]]
    features = [column for column in rest.columns if column.number not in targets]
    if len(features) < 2:
        return None
    deciding = [
        column for column in table.columns if column is features[0] or column not in features
    ]
    narrow, tiles = (
        DataTable(large.path, (), lambda i: i + 1, (*large.notes, *counted, *chosen)),
        None,
    )
    for one, part in ((large, 0), *others):
        own = columns_like(one.columns(), table) if part else table
        numbers = {
            column.number: its.number
            for column, its in zip(table.columns, own.columns, strict=True)
        }
        of_features = [numbers[column.number] for column in features]
        if not set(of_features) <= set(one.numeric) or not {
            numbers[column.number] for column in deciding
        } <= set(one.readable):
            return None
        read = one.load([numbers[column.number] for column in deciding])
        if tiles is None:
            narrow, tiles = replace(narrow, columns=tuple(read)), one.tiles(of_features)
        else:
            alike = [
                column_like(one.path, column, model)
                for column, model in zip(read, narrow.columns, strict=True)
            ]
            narrow = joined(narrow, DataTable(one.path, tuple(alike), lambda i: i + 1), part)
            tiles = Stacked(tiles, one.tiles(of_features))
    assert tiles is not None
    narrow = with_row_numbers(narrow, deciding.index(features[0]), options.missing)
    return of_kept_rows(
        tiles,
        tuple(column.name for column in features),
        options,
        told,
        lambda scan: decided(narrow, features, scan, options),
    )


def with_row_numbers(table: DataTable, first: int, missing: str) -> DataTable:
    """A table with 0, 1, 2, … behind its only feature, the column at `first`, whose gaps are
    those of all features and looked at there.
    """
    feature = table.columns[first]
    if missing != "drop" and feature.numbers is not None:
        # no whole number, as labels are
        feature = replace(
            feature, numbers=np.nan_to_num(feature.numbers, nan=0.5, posinf=np.inf, neginf=-np.inf)
        )
    rows = DataColumn("row", 0, numbers=np.arange(table.rows, dtype=np.float64))
    return table.of([*table.columns[:first], feature, rows, *table.columns[first + 1 :]])


def decided(
    narrow: DataTable, features: Sequence[DataColumn], scan: TileScan | None, options: Options
) -> Dataset:
    """The data set of a narrow table; its last feature are the rows that were kept. `scan`: of
    the features, where rows with gaps are dropped.
    """
    beside = None
    if scan is not None and scan.missing.any():
        numbers = np.array([0, *(column.number for column in features)])
        beside = FeatureGaps(
            numbers[scan.first],
            [
                (column, int(many))
                for column, many in zip(features, scan.missing, strict=True)
                if many
            ],
        )
    return dataset_from_table(narrow, options, beside)


def of_kept_rows(
    tiles: Tiles,
    names: tuple[str, ...],
    options: Options,
    told: Told | None,
    decide: Callable[[TileScan | None], Dataset],
) -> Dataset | None:
    """The data set that `decide` makes, with its features in tiles in place of the numbers of the
    rows that it kept; None where a feature is infinite.

    decide: is given what a look at the features shows where rows with gaps are dropped.
    """
    scan = scanned(tiles, told) if options.missing == "drop" else None
    if scan is None and options.missing == "drop":
        return None
    dataset = decide(scan)
    rows, kept = tiles.shape[0], dataset.inputs[:, -1].astype(np.int64)
    if len(kept) < rows:
        tiles = KeptRows(tiles, kept)
        scan = scan and replace(scan, digests=scan.digests[kept])
    scan = scan or scanned(tiles, told)
    if scan is None:
        return None
    gaps = options.missing != "drop" and bool(scan.missing.any())
    if gaps:
        holed = np.flatnonzero(scan.missing)
        called = [names[k] for k in holed]
        dataset = replace(
            dataset,
            notes=(*dataset.notes, *gap_note(options.missing, called, int(scan.missing.sum()))),
        )
        if options.missing == "indicator":
            tiles, names = Flagged(tiles, holed), (*names, *(f"{name} missing" for name in called))
    # those of rows with gaps are made once these are filled
    digests = new_digests(0) if gaps else scan.digests
    held = ScannedTiles(tiles, digests, gaps, scan.missing, rows)
    return replace(
        dataset,
        inputs=np.zeros((0, len(names))),
        feature_names=tuple(visible(name) for name in names),
        tiles=held,
    )


def without_counters(
    large: LargeTable, table: DataTable, options: Options, special: Sequence[int]
) -> tuple[DataTable, list[str]]:
    """The table without first columns that number its rows, as `row_names` tells them; and
    notes on these.
    """
    if not large.counted or options.columns is not None:
        return table, []
    first = large.load([column.number for column in table.columns[:2]])
    numbering, notes = without_row_names(
        [*first, *table.columns[2:]], [True] * len(table.columns), options.target, apart=special
    )
    numbers = [column.number for column in numbering]
    return table.of([column for column in table.columns if column.number not in numbers]), notes


def arrays_in_tiles(
    large: LargeArrays,
    others: Sequence[tuple[LargeArrays, int]],
    options: Options,
    told: Told | None,
) -> Dataset | None:
    """The data set of two arrays; what targets are is decided beside a single feature, the
    rows' numbers.
    """
    if options.columns is not None or options.drop:
        return None
    tiles, arrays, first = large.tiles, rows_of(large), declared_arrays(large)
    for other, part in others:
        refuse_unlike(first, declared_arrays(other))
        arrays, tiles = joined_arrays(arrays, rows_of(other), part), Stacked(tiles, other.tiles)
    arrays = replace(arrays, inputs=np.arange(len(arrays.targets), dtype=np.float64)[:, None])

    def decide(scan: TileScan | None) -> Dataset:
        if scan is not None:
            arrays.inputs[scan.first > 0] = np.nan
        dataset = dataset_from_arrays(arrays, options)
        flattened = len(large.sample_shape) > 1
        notes = (
            (f"{arrays.names[0]}: each sample of shape {large.sample_shape} was flattened",)
            if flattened
            else ()
        )
        told_first = len(arrays.notes)
        return replace(
            dataset,
            notes=(*dataset.notes[:told_first], *notes, *dataset.notes[told_first:]),
            sample_shape=large.sample_shape,
        )

    return of_kept_rows(tiles, numbered_features(tiles.shape[1]), options, told, decide)


def rows_of(large: LargeArrays) -> Arrays:
    """The arrays of a large file without its features: in their place stands one column of zeros
    (rows, 1).
    """
    return Arrays(large.path, np.zeros((large.tiles.shape[0], 1)), large.targets, large.names)


def declared_arrays(large: LargeArrays) -> Arrays:
    """The arrays of a large file with inputs of the declared shape and dtype that are all 0 and
    take no memory.
    """
    shape = (large.tiles.shape[0], *large.sample_shape)
    return Arrays(
        large.path, np.broadcast_to(np.zeros((), large.dtype), shape), large.targets, large.names
    )
