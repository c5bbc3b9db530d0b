"""Data sets of files too large to be held twice: names, targets and what says where a row belongs are read as ever, the features in tiles.

That is for files of nothing but finite numbers, without options that look at whole columns; every other file is read whole, which also says what is wrong with
it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dlprobe.data.arrays import Arrays, dataset_from_arrays
from dlprobe.data.columns import Column, Table, choose_targets, special_columns, used_columns
from dlprobe.data.dataset import Array, Dataset, Options, Tiles
from dlprobe.data.named_sets import numbered_features
from dlprobe.data.places import problem, visible
from dlprobe.data.row_names import without_row_names
from dlprobe.data.tables import dataset_from_table
from dlprobe.data.tiles import LARGE, LARGEST_TILED, Told, scanned


@dataclass(frozen=True)
class LargeTable:
    """A table of numbers in a file. names: of its columns. load: reads the columns of these numbers, from 1. tiles: those of the columns of these numbers.

    counted: whether a first column may number the rows. left_out: numbers of columns that the file itself calls an index, and the notes on them.
    """

    path: Path
    names: Sequence[str]
    rows: int
    load: Callable[[Sequence[int]], list[Column]]
    tiles: Callable[[Sequence[int]], Tiles]
    counted: bool = False
    left_out: Sequence[int] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LargeArrays:
    """Inputs (samples, …) in a file as tiles, of samples of that shape, and the targets. names: those of the two arrays."""

    path: Path
    sample_shape: tuple[int, ...]
    targets: Array
    names: tuple[str, str]
    tiles: Tiles


def is_large(path: Path, rows: int, columns: int) -> bool:
    """Whether a matrix is read in tiles. Raises DataError where it is larger than dlprobe takes."""
    if rows * columns > LARGEST_TILED:
        raise problem(path, f"has {rows} × {columns} numbers, dlprobe takes up to {LARGEST_TILED}: give fewer rows or columns")
    return rows * columns >= LARGE and columns > 1


def suits(options: Options) -> bool:
    """Whether nothing is asked for that looks at whole columns, or joins several files."""
    return options.val_data is None and options.test_data is None and options.outliers == 0 and options.scaling != "robust"


def dataset_in_tiles(large: LargeTable | LargeArrays, options: Options, told: Told | None) -> Dataset | None:
    """The data set of a large file; None where it has to be read whole. Raises DataError as those of smaller files do."""
    return table_in_tiles(large, options, told) if isinstance(large, LargeTable) else arrays_in_tiles(large, options, told)


def table_in_tiles(large: LargeTable, options: Options, told: Told | None) -> Dataset | None:
    """The data set of a table: what is decided by single columns is decided by a table of these and the first feature."""
    stubs = tuple(Column(name, number) for number, name in enumerate(large.names, start=1) if number not in large.left_out)
    table, chosen = used_columns(Table(large.path, stubs, lambda i: i + 1), options)
    special = [column.number for column in special_columns(table, options).values()]
    table, counted = without_counters(large, table, options, special)
    rest = table.of([column for column in table.columns if column.number not in special])
    if len(rest.columns) < 2:
        return None
    targets = [column.number for column in choose_targets(rest, options.target)[0]]
    features = [column.number for column in rest.columns if column.number not in targets]
    if len(features) < 2:
        return None
    deciding = (features[0], *targets, *special)
    narrow = large.load([column.number for column in table.columns if column.number in deciding])
    found = dataset_from_table(replace(table, columns=tuple(narrow), notes=(*large.notes, *counted, *chosen)), options)
    if found.samples != large.rows or len(found.feature_names) != 1 or np.isnan(found.inputs).any():
        return None  # rows are left out, or gaps are filled
    by_number = dict(zip(range(1, len(large.names) + 1), large.names, strict=True))
    return with_tiles(found, large.tiles(features), tuple(visible(by_number[number]) for number in features), told)


def without_counters(large: LargeTable, table: Table, options: Options, special: Sequence[int]) -> tuple[Table, list[str]]:
    """The table without first columns that number its rows, as `row_names` tells them; and notes on these."""
    if not large.counted or options.columns is not None:
        return table, []
    first = large.load([column.number for column in table.columns[:2]])
    numbering, notes = without_row_names([*first, *table.columns[2:]], [True] * len(table.columns), options.target, apart=special)
    numbers = [column.number for column in numbering]
    return table.of([column for column in table.columns if column.number not in numbers]), notes


def arrays_in_tiles(large: LargeArrays, options: Options, told: Told | None) -> Dataset | None:
    """The data set of two arrays; what targets are is decided beside a single feature."""
    if options.columns is not None or options.drop:
        return None
    rows, features = large.tiles.shape
    found = dataset_from_arrays(Arrays(large.path, np.zeros((rows, 1)), large.targets, large.names), options)
    if found.samples != rows:
        return None
    flattened = len(large.sample_shape) > 1
    notes = (f"{large.names[0]}: each sample of shape {large.sample_shape} was flattened",) if flattened else ()
    found = replace(found, notes=(*notes, *found.notes), sample_shape=large.sample_shape)
    return with_tiles(found, large.tiles, numbered_features(features), told)


def with_tiles(dataset: Dataset, tiles: Tiles, names: tuple[str, ...], told: Told | None) -> Dataset | None:
    """The data set with its features in tiles; None where one of their numbers is not finite."""
    found = scanned(tiles, told)
    return None if found is None else replace(dataset, inputs=np.zeros((0, len(names))), feature_names=names, tiles=found)
