"""Medians and quartiles of columns too large to be held: order statistics by counting digits,
exact, in six passes over the tiles.
"""

from __future__ import annotations

import numpy as np

from dlprobe.data.dataset import Array, Floats, Indices, Tiles
from dlprobe.data.tiles import rows_within

DIGITS = (12, 12, 12, 12, 12, 4)  # bits of each digit of a float64's 64, the first ones first
COUNTED = 2**17  # numbers whose digits are counted at a time
SIGN = np.uint64(1 << 63)


def sorted_at(tiles: Tiles, rows: Indices, ranks: Indices) -> Floats:
    """What stands at `ranks` (k, columns), from 0, in each column of some rows, ascending, once
    sorted without NaN: float64 (k, columns).

    A number's bits, the sign turned, sort as the numbers do. The first digit of the wanted ones is
    known once the numbers with each first digit are counted, then the next digit among those that
    begin so (radix selection).
    """
    known, skipped, rest = np.zeros(ranks.shape, np.uint64), ranks.copy(), 64
    for bits in DIGITS:
        rest -= bits
        counts = digit_counts(tiles, rows, known, rest, bits)
        below = np.cumsum(counts, axis=2)
        digit = (below <= skipped[:, :, None]).sum(axis=2)
        skipped -= np.take_along_axis(below, digit[:, :, None], axis=2)[:, :, 0]
        skipped += np.take_along_axis(counts, digit[:, :, None], axis=2)[:, :, 0]
        known = (known << np.uint64(bits)) | digit.astype(np.uint64)
    return np.where(known & SIGN, known ^ SIGN, ~known).view(np.float64)


def digit_counts(tiles: Tiles, rows: Indices, known: Array, rest: int, bits: int) -> Indices:
    """Counts of the next digit of `bits` bits among the numbers whose leading bits equal `known`
    (k, columns): int64 (k, columns, 2^bits). rest: number of bits behind that digit.
    """
    many, columns = known.shape
    first = 64 - rest == bits  # nothing is known yet: one count serves all ranks
    counts = np.zeros((1 if first else many, columns, 1 << bits), np.int64)
    for tile in tiles:
        _, inside = rows_within(rows, tile)
        width = tile.values.shape[1]
        step = max(1, COUNTED // width)
        for start in range(0, len(inside), step):
            keys = sortable(tile.values[inside[start : start + step]])
            for k, count in enumerate(counts):
                chosen = (
                    keys != SIGN | (SIGN - np.uint64(1))
                    if first
                    else keys >> np.uint64(rest + bits) == known[k, tile.columns]
                )
                digit = (keys[chosen] >> np.uint64(rest)).astype(np.int64) & ((1 << bits) - 1)
                place = np.nonzero(chosen)[1] * (1 << bits) + digit
                np.add.at(count[tile.columns].reshape(-1), place, 1)
    return np.broadcast_to(counts, (many, columns, 1 << bits))


def sortable(values: Array) -> Array:
    """The bits of numbers so that they sort as the numbers do, uint64; those of NaN are all 1."""
    bits = values.view(np.uint64)
    return np.where(np.isnan(values), ~np.uint64(0), np.where(bits & SIGN, ~bits, bits | SIGN))


def median_in_tiles(tiles: Tiles, rows: Indices, known: Indices) -> Floats:
    """As np.nanmedian of some rows, of which so many, int64 (columns,) and at least one, are no
    NaN.
    """
    return np.asarray(
        np.median(sorted_at(tiles, rows, np.stack([(known - 1) // 2, known // 2])), axis=0),
        np.float64,
    )


def robust_in_tiles(tiles: Tiles, rows: Indices) -> Floats:
    """The quartiles, float64 (3, columns), of some rows without NaN, as np.percentile has them."""
    places = np.array([0.25, 0.5, 0.75]) * (len(rows) - 1)
    below = places.astype(np.int64)
    ranks = np.concatenate([below, np.minimum(below + 1, len(rows) - 1)])
    quantiles = sorted_at(tiles, rows, np.repeat(ranks[:, None], tiles.shape[1], axis=1))
    return np.stack(
        [np.quantile(quantiles[[k, k + 3]], places[k] - below[k], axis=0) for k in range(3)]
    )
