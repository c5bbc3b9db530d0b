"""Rows that repeat: copies across parts, and the error that equal rows with different targets
leave to everybody. Rows are told apart by their digests.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np

from dlprobe.data.dataset import PARTS, Array, Floats, Indices, Repeats, Tiles
from dlprobe.data.tiles import row_digests, rows_within, whole

# share of a part's rows that also stand in the training part, from which on rows say what is
# reachable on it
KNOWN = 0.95
REPEATED = 0.5  # distinct rows over rows of the training part, up to which they do
# more possible rows are as good as infinitely many: no set has a share of them
MOST_POSSIBLE = 1e18
SEEN = 10_000  # rows of a tile that tell whether there are more possible rows than that


def repeats(
    raw: Mapping[str, Floats], targets: Mapping[str, Array], classification: bool
) -> Repeats:
    """What repeats in the raw inputs (samples, features) of the parts; targets: as in
    PreparedData, with the noise that was asked for.
    """
    filled = [raw[part] for part in PARTS if len(raw[part])]
    return repeats_of(
        {part: row_digests(raw[part]) for part in PARTS},
        lambda: possible(filled),
        targets,
        classification,
    )


def repeats_of(
    digests: Mapping[str, Indices],
    possible_rows: Callable[[], float],
    targets: Mapping[str, Array],
    classification: bool,
) -> Repeats:
    """Repeats by the digests (samples,) of the parts' rows; `possible_rows` is asked
    where some row repeats.
    """
    ascending = {part: np.sort(digests[part]) for part in PARTS}
    known = {f"{a}_{b}": contained(ascending[b], ascending[a]) for a, b in combinations(PARTS, 2)}
    floors = {}
    if distinct_in(ascending["train"]) <= REPEATED * len(digests["train"]):
        met = {"train": len(digests["train"]), "val": known["train_val"]}
        floors = {
            part: floor(groups(digests[part]), targets[part], classification)
            for part in met
            if met[part] and met[part] >= KNOWN * len(digests[part])
        }
    distinct = distinct_in(np.sort(np.concatenate(list(ascending.values()))))
    total = sum(map(len, digests.values()))
    return Repeats(known, distinct, possible_rows() if distinct < total else math.inf, floors)


def contained(some: Indices, others: Indices) -> int:
    """How many entries of `some` occur in `others`, both ascending. (np.isin takes ten times as
    long.)
    """
    if not len(others):
        return 0
    places = np.searchsorted(others, some)
    return int((others[np.minimum(places, len(others) - 1)] == some).sum())


def distinct_in(ascending: Indices) -> int:
    """Number of distinct values of an ascending array."""
    return int((ascending[1:] != ascending[:-1]).sum()) + 1 if len(ascending) else 0


def possible(parts: Sequence[Floats]) -> float:
    """Product over features of the number of distinct values: how many different rows could occur.
    Neighbours of which one is 1 and the others are 0 in every row are one feature, a one-hot
    encoded column. parts: each (samples, features).
    """
    counts, switched, on = list[int](), 0, np.zeros(1)
    for column in np.concatenate(parts).T:
        values = np.unique(column)
        if len(values) > 2 or not set(values.tolist()) <= {0.0, 1.0}:
            counts += [2] * switched + [len(values)]
            switched, on = 0, np.zeros(1)
            continue
        if (on + column).max() > 1.0:
            counts += [2] * switched
            switched, on = 0, np.zeros(1)
        switched, on = switched + len(values) - 1, on + column
        if on.min() == 1.0:
            counts.append(max(switched, 1))
            switched, on = 0, np.zeros(1)
    return product(counts + [2] * switched)


def possible_in_tiles(tiles: Tiles, rows: Indices) -> float:
    """`possible` of the given rows, ascending, of a large file. The first rows of tiles tell
    whether there are too many to count; only else all of them are looked at.
    """
    counts = np.ones(tiles.shape[1], np.int64)
    for tile in tiles:
        values = tile.values[rows_within(rows, tile)[1][:SEEN]]
        if len(values):
            counts[tile.columns] = np.maximum(
                counts[tile.columns], [len(np.unique(column)) for column in values.T]
            )
            if product(counts) == MOST_POSSIBLE:
                return MOST_POSSIBLE
    return possible([whole(tiles)[rows]])


def product(counts: Sequence[int] | Indices) -> float:
    return float(min(np.exp(min(np.log(counts).sum(), 700.0)), MOST_POSSIBLE))


def groups(digests: Indices) -> Indices:
    """Group number of each row, int64 (sample,): 0, 1, … in ascending order of the digests, equal
    for equal rows.
    """
    return np.unique(digests, return_inverse=True)[1].reshape(-1).astype(np.int64)


def floor(group: Indices, targets: Array, classification: bool) -> float:
    """The smallest error of an answer that is one for all rows of a group, so of any function of
    the inputs: share of wrong classes with the commonest class of each group, or root mean square
    (over rows and outputs) with its mean.

    group: (sample,); targets: class indices (sample,), or numbers (sample, outputs).
    """
    if classification:
        pairs, counts = np.unique(group * (int(targets.max()) + 1) + targets, return_counts=True)
        of_group = pairs // (int(targets.max()) + 1)
        begins = np.flatnonzero(np.concatenate([[True], of_group[1:] != of_group[:-1]]))
        return 1.0 - float(np.maximum.reduceat(counts, begins).sum()) / len(targets)
    sizes = np.bincount(group)
    values = targets.reshape(len(targets), -1).astype(np.float64)
    means = np.stack([np.bincount(group, column) / sizes for column in values.T], axis=1)
    return float(np.sqrt(np.square(values - means[group]).mean()))
