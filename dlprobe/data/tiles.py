"""Inputs that are read piece by piece, as often as they are needed, in place of being held
whole beside what is made of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from dlprobe.data.dataset import Array, Floats, Indices, Tile, Tiles
from dlprobe.dataclass import dataclass

# numbers of a file from which on it is read in tiles; below that it is held whole, 128 MiB as
# float64
LARGE = 2**24
# numbers that are read in tiles at most: 8 GiB as float32
LARGEST_TILED = 2**31
# numbers of one tile, about: 2 MiB as float64
TILE = 2**18

# told(numbers read so far, numbers in all)
Told = Callable[[int, int], None]


@dataclass(frozen=True)
class TileScan:
    """What one look at every number shows.

    digests: of each row, uint64 (rows,). first: int32 (rows,), which feature, from 1, is the row's
        first without a value; 0 where none is.
    missing: rows without a value, int64 (features,).
    """

    digests: Indices
    first: Array
    missing: Indices


def scanned(tiles: Tiles, told: Told | None = None) -> TileScan | None:
    """Look at every number once; None where one is infinite."""
    rows, features = tiles.shape
    scan = TileScan(new_digests(rows), np.zeros(rows, np.int32), np.zeros(features, np.int64))
    for tile in followed(tiles, told, 0, 4):
        if not np.isfinite(tile.values).all():
            if np.isinf(tile.values).any():
                return None
            gaps = np.isnan(tile.values)
            scan.missing[tile.columns] += gaps.sum(axis=0)
            first = scan.first[tile.rows]
            new = (first == 0) & gaps.any(axis=1)
            first[new] = tile.columns.start + 1 + gaps[new].argmax(axis=1)
        add_to_digests(scan.digests[tile.rows], tile.values)
    return scan


def digests_of(tiles: Tiles) -> Indices:
    """A digest of each row: uint64 (rows,)."""
    digests = new_digests(tiles.shape[0])
    for tile in tiles:
        add_to_digests(digests[tile.rows], tile.values)
    return digests


def followed(tiles: Tiles, told: Told | None, turn: int, turns: int) -> Iterator[Tile]:
    """The tiles, telling how far it is; this is pass `turn` (from 0) of `turns`."""
    size = tiles.shape[0] * tiles.shape[1]
    done = turn * size
    for tile in tiles:
        yield tile
        done += tile.values.size
        if told is not None:
            told(done // turns, size)


def rows_within(rows: Indices, tile: Tile) -> tuple[slice, Indices]:
    """Which of the ascending `rows` lie inside a tile: their slice of `rows`, and their positions
    counted from the tile's first row, int64.
    """
    first, last = np.searchsorted(rows, [tile.rows.start, tile.rows.stop])
    return slice(int(first), int(last)), rows[first:last] - tile.rows.start


def whole(tiles: Tiles) -> Floats:
    """All of it, float64, C-contiguous."""
    array = np.empty(tiles.shape)
    for tile in tiles:
        array[tile.rows, tile.columns] = tile.values
    return array


def new_digests(rows: int) -> Indices:
    return np.full(rows, 0x9E3779B97F4A7C15, np.uint64)


def add_to_digests(digests: Indices, values: Floats) -> None:
    """Take the next columns (rows, columns) into the rows' digests, in place.

    Each column is mixed in by a multiplication and a shift that lose nothing: rows that differ in
    one number never have one digest. Of 10^7 rows that differ in more, two have the same with a
    chance of 3 in a million. −0 counts as 0.
    """
    bits = (values + 0.0).view(np.uint64)
    for column in bits.T:
        digests ^= column
        digests *= np.uint64(0xBF58476D1CE4E5B9)
        digests ^= digests >> np.uint64(31)


def row_digests(matrix: Floats) -> Indices:
    """A digest of each row of (rows, columns): uint64 (rows,)."""
    digests = new_digests(len(matrix))
    rows = max(1, TILE // max(1, matrix.shape[1]))
    for start in range(0, len(matrix), rows):
        add_to_digests(digests[start : start + rows], matrix[start : start + rows])
    return digests


def added(total: Floats, values: Floats) -> Floats:
    """The sums of columns `total` (columns,) with those of more rows (rows, columns): row after
    row, as NumPy adds a matrix along its first axis, so that they are the same to the last bit.
    Overwrites `values`.
    """
    if not len(values):
        return total
    values[0] += total
    return np.asarray(
        np.cumsum(values[:, 0])[-1:] if values.shape[1] == 1 else np.add.reduce(values, axis=0)
    )
