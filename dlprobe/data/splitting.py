"""Which row goes to which part: seeded, complete, disjoint, and stratified by class where there
are classes.
"""

from __future__ import annotations

import numpy as np

from dlprobe.data.dataset import PARTS, Array, Floats, Indices
from dlprobe.data.randomness import generator


def split(
    samples: int, classes: Array | None, percents: tuple[float, float, float], seed: int
) -> dict[str, Indices]:
    """Rows of each part, ascending int64. `classes` int64 (samples,) stratifies; None splits
    plainly.

    A class's count in each part is its exact share rounded up or down, and at least one in
    training, so a class of one row is in training.
    """
    rng = generator(seed, "split")
    groups = [np.arange(samples)] if classes is None else members_of(classes)
    counts = part_counts([len(group) for group in groups], percents)
    chosen: list[list[Indices]] = [[], [], []]
    for group, row in zip(groups, counts, strict=True):
        for part, rows in enumerate(np.split(rng.permutation(group), np.cumsum(row)[:-1])):
            chosen[part].append(rows)
    return {
        name: np.sort(np.concatenate(rows)).astype(np.int64)
        for name, rows in zip(PARTS, chosen, strict=True)
    }


def members_of(values: Array) -> list[Indices]:
    """The positions, ascending, of each distinct value, in the order of the values."""
    order = np.argsort(values, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(values[order])) + 1) if len(order) else []


def split_given(
    parts: Indices | None,
    groups: Indices | None,
    classes: Array | None,
    percents: tuple[float, float, float],
    seed: int,
) -> dict[str, Indices]:
    """Rows of each part, ascending int64, where some rows are given to parts, or belong to groups
    that stay whole.

    parts: int64 (samples,), 1 val, 2 test, 0 open. Open rows are training; a part that no row is
        given to is taken from them, in the proportion of `percents`. groups: int64 (samples,).
    """
    samples = len(parts if parts is not None else groups if groups is not None else ())
    part_of = np.zeros(samples, np.int64) if parts is None else parts
    rows = np.flatnonzero(part_of == 0)
    shares = tuple(
        0.0 if part and (part_of == part).any() else share for part, share in enumerate(percents)
    )
    if groups is not None:
        chosen = split_groups(groups[rows], (shares[0], shares[1], shares[2]), seed)
    else:
        chosen = split(
            len(rows),
            None if classes is None else classes[rows],
            (shares[0], shares[1], shares[2]),
            seed,
        )
    rows_of = {part: rows[chosen[part]] for part in PARTS}
    return {
        part: np.sort(np.concatenate([rows_of[part], np.flatnonzero(part_of == k)]))
        if k
        else rows_of[part]
        for k, part in enumerate(PARTS)
    }


def split_groups(
    groups: Indices, percents: tuple[float, float, float], seed: int
) -> dict[str, Indices]:
    """Rows of each part, ascending int64, no group in two parts, and one at least in training."""
    wanted = np.asarray(percents) / sum(percents) * len(groups)
    return dict(
        zip(PARTS, map(np.sort, dealt(groups, wanted, generator(seed, "split"))), strict=True)
    )


def dealt(groups: Indices, wanted: Floats, rng: np.random.Generator) -> list[Indices]:
    """Rows of each part, int64, no group in two parts: groups in random order, each given to the
    part that lacks the most rows, the first group to part 0.

    groups: (rows,), the group of each row. wanted: (parts,), number of rows that each part should
        get.
    """
    members, lacking = members_of(groups), wanted.copy()
    chosen: list[list[Indices]] = [[np.zeros(0, np.int64)] for _ in wanted]
    for k in rng.permutation(len(members)):
        part = int(np.argmax(lacking)) if len(chosen[0]) > 1 else 0
        chosen[part].append(members[k])
        lacking[part] -= len(members[k])
    return [np.concatenate(rows) for rows in chosen]


def part_counts(sizes: list[int], percents: tuple[float, float, float]) -> Indices:
    """How many rows of each group go to each part: int64 (groups, 3).

    Each count is its exact share, rounded up or down. Which shares are rounded up is decided by
    what the parts lack over the groups so far; rounding each group alone would give validation
    every second row of a hundred classes of two, and test none.
    """
    shares = np.asarray(percents, dtype=np.float64) / sum(percents)
    counts = np.zeros((len(sizes), 3), dtype=np.int64)
    owed = np.zeros(3)
    for group, size in enumerate(sizes):
        exact = size * shares
        # 0.6 · 5 is 3.0000000000000004 or 2.9999999999999996 for some shares: a share within 1e-9
        # of a whole number is that number
        counts[group] = np.floor(exact + 1e-9)
        owed += exact - counts[group]
        for part in rounded_up(exact, counts[group], owed, size):
            counts[group, part] += 1
            owed[part] -= 1.0
    return counts


def rounded_up(exact: Floats, down: Indices, owed: Floats, size: int) -> list[int]:
    """The parts that get one row more than their share rounded down: training first where it
    has none yet, then those that are owed most.
    """
    waiting = [part for part in range(3) if exact[part] - down[part] > 1e-9]
    waiting.sort(
        key=lambda part: (not (part == 0 and down[0] == 0), -round(float(owed[part]), 9), part)
    )
    return waiting[: size - int(down.sum())]


def fewer(rows: Indices, classes: Array | None, size: int, seed: int) -> Indices:
    """`size` of the rows, ascending; fewer rows are always a part of more. `classes` int64
    (rows,) keeps the share of each as well as whole rows can.
    """
    order = generator(seed, "train_size").permutation(len(rows))
    if classes is not None:
        place = np.empty(len(rows))
        for label in np.unique(classes):
            members = order[classes[order] == label]
            # a class's rows are spread evenly over the whole order
            place[members] = (np.arange(len(members)) + 0.5) / len(members)
        order = order[np.argsort(place[order], kind="stable")]
    return np.sort(rows[order[:size]])
