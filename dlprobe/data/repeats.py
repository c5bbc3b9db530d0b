"""Rows that repeat: copies across parts, and the error that equal rows with different targets leave to
everybody.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from dlprobe.data.dataset import PARTS, Array, Floats, Indices, Repeats

KNOWN = 0.95  # share of a part's rows that also stand in the training part, from which on rows say what is reachable on it
REPEATED = 0.5  # distinct rows over rows of the training part, up to which they do


def repeats(raw: Mapping[str, Floats], targets: Mapping[str, Array], classification: bool) -> Repeats:
    """What repeats in the raw inputs (samples, features) of the parts; targets: as in PreparedData, with the noise that was asked for."""
    rows = {part: [row_digest(row) for row in raw[part]] for part in PARTS}
    seen = {part: set(rows[part]) for part in PARTS}
    duplicates = {f"{a}_{b}": sum(row in seen[a] for row in rows[b]) for a, b in combinations(PARTS, 2)}
    floors = {}
    if len(seen["train"]) <= REPEATED * len(rows["train"]):
        for part in ("train", "val"):
            if rows[part] and sum(row in seen["train"] for row in rows[part]) >= KNOWN * len(rows[part]):
                floors[part] = floor(groups(rows[part]), targets[part], classification)
    distinct, total = len(set().union(*seen.values())), sum(map(len, rows.values()))
    return Repeats(duplicates, distinct, possible([raw[part] for part in PARTS if rows[part]]) if distinct < total else math.inf, floors)


def possible(parts: Sequence[Floats]) -> float:
    """How many rows the different values of each feature could make: small where rows repeat by nature. parts: each (samples, features)."""
    counts = [len(np.unique(column)) for column in np.concatenate(parts).T]
    return float(min(np.exp(np.log(counts).sum()), 1e300))


def row_digest(row: Floats) -> bytes:
    """The same for rows that are equal to the last digit."""
    return hashlib.blake2b((row + 0.0).tobytes(), digest_size=16).digest()  # + 0.0 makes −0 equal 0


def groups(rows: list[bytes]) -> Indices:
    """int64 (sample,): a number of its own for every distinct row."""
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(row, len(numbers)) for row in rows], np.int64)


def floor(group: Indices, targets: Array, classification: bool) -> float:
    """The smallest error of an answer that is one for all rows of a group, so of any function of the inputs: share of wrong classes with the commonest
    class of each group, or root mean square (over rows and outputs) with its mean.

    group: (sample,); targets: class indices (sample,), or numbers (sample, outputs).
    """
    sizes = np.bincount(group)
    if classification:
        table = np.zeros((len(sizes), int(targets.max()) + 1), np.int64)
        np.add.at(table, (group, targets), 1)
        return 1.0 - float(table.max(axis=1).sum()) / len(targets)
    values = targets.reshape(len(targets), -1).astype(np.float64)
    means = np.stack([np.bincount(group, column) / sizes for column in values.T], axis=1)
    return float(np.sqrt(np.square(values - means[group]).mean()))
