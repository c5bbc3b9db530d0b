"""Tiles made of other tiles: some rows, rows below rows, flags of gaps, gaps filled. Nothing is
held beside the tile that is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlprobe.data.dataset import Floats, Indices, Tile, Tiles
from dlprobe.data.tiles import TILE, rows_within
from dlprobe.dataclass import dataclass


@dataclass(frozen=True)
class Held:
    """An array (rows, columns) that is held whole."""

    array: Floats

    @property
    def shape(self) -> tuple[int, int]:
        return self.array.shape[0], self.array.shape[1]

    def __iter__(self) -> Iterator[Tile]:
        rows, columns = self.shape
        some = max(1, TILE // max(1, columns))
        for first in range(0, rows, some):
            taken = slice(first, min(first + some, rows))
            yield Tile(taken, slice(0, columns), self.array[taken].copy())


@dataclass(frozen=True)
class KeptRows:
    """Some rows, ascending int64."""

    tiles: Tiles
    rows: Indices

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), self.tiles.shape[1]

    def __iter__(self) -> Iterator[Tile]:
        for tile in self.tiles:
            kept, inside = rows_within(self.rows, tile)
            if len(inside):
                yield Tile(kept, tile.columns, tile.values[inside])


@dataclass(frozen=True)
class Stacked:
    """The rows of one matrix above those of another with as many columns."""

    above: Tiles
    below: Tiles

    @property
    def shape(self) -> tuple[int, int]:
        return self.above.shape[0] + self.below.shape[0], self.above.shape[1]

    def __iter__(self) -> Iterator[Tile]:
        yield from self.above
        first = self.above.shape[0]
        for tile in self.below:
            yield Tile(
                slice(first + tile.rows.start, first + tile.rows.stop), tile.columns, tile.values
            )


@dataclass(frozen=True)
class Flagged:
    """Behind the columns one more for each of some of them, by position and ascending, that is
    1 where there is NaN and else 0.
    """

    tiles: Tiles
    holed: Indices

    @property
    def shape(self) -> tuple[int, int]:
        return self.tiles.shape[0], self.tiles.shape[1] + len(self.holed)

    def __iter__(self) -> Iterator[Tile]:
        for tile in self.tiles:
            first, last = (
                np.searchsorted(self.holed, [tile.columns.start, tile.columns.stop])
                + self.tiles.shape[1]
            )
            inside = (
                self.holed[first - self.tiles.shape[1] : last - self.tiles.shape[1]]
                - tile.columns.start
            )
            flags = np.isnan(tile.values[:, inside]).astype(np.float64)
            yield tile
            if len(inside):
                yield Tile(tile.rows, slice(int(first), int(last)), flags)


@dataclass(frozen=True)
class Filled:
    """NaN replaced by a number for each column, float64 (columns,)."""

    tiles: Tiles
    numbers: Floats

    @property
    def shape(self) -> tuple[int, int]:
        return self.tiles.shape

    def __iter__(self) -> Iterator[Tile]:
        for tile in self.tiles:
            np.copyto(tile.values, self.numbers[tile.columns], where=np.isnan(tile.values))
            yield tile
