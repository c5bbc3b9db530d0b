"""How well one column alone foretells the target: each row is guessed from the others that are
nearest to it in that column.
"""

from __future__ import annotations

import numpy as np

from dlprobe.data.dataset import Floats, Indices, Mask


def foretold(values: Floats, goal: Floats, classes: bool) -> float:
    """The skill of guessing `goal` (rows,) by leave-one-out from `values` (rows,), both finite: 1
    is perfect, 0 as good as a constant.

    A row is guessed from the other rows of its value (their mean, or commonest class). Where it has
    none, a class (numbers 0, 1, 2, …) is that of the nearest value, a number lies on the straight
    line between the next values on both sides; the outermost rows, which have one side, are left
    out. The skill is 1 − error/error of the commonest class, or R². NaN where the target is
    constant.
    """
    order = np.argsort(values, kind="stable")
    values, goal = values[order], goal[order]
    begins = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    sizes = np.diff([*begins, len(values)])
    group = np.repeat(np.arange(len(begins)), sizes)
    alone = sizes[group] == 1
    if classes:
        return class_skill(goal.astype(np.int64), group, nearest_groups(values[begins]), alone)
    means = np.add.reduceat(goal, begins) / sizes
    with np.errstate(all="ignore"):
        others = (means[group] * sizes[group] - goal) / (sizes[group] - 1)
        guess = np.where(alone, between(values[begins], means)[group], others)
    kept = ~alone | ((group > 0) & (group < len(begins) - 1))
    spread = float(np.square(goal - goal.mean())[kept].sum())
    return 1.0 - float(np.square(goal - guess)[kept].sum()) / spread if spread > 0 else float("nan")


def between(values: Floats, means: Floats) -> Floats:
    """Linear interpolation of `means` at each of the ascending `values` from its two neighbours
    alone, float64 (values,); NaN at both ends.
    """
    guess = np.full(len(values), np.nan)
    share = (values[1:-1] - values[:-2]) / (values[2:] - values[:-2])
    guess[1:-1] = means[:-2] + share * (means[2:] - means[:-2])
    return guess


def class_skill(goal: Indices, group: Indices, nearest: Indices, alone: Mask) -> float:
    """Skill of predicting classes by leave-one-out, 1 − error/error of the commonest class; NaN for
    a single class.

    goal: class numbers, int64 (rows,). group: number of the group of equal values that a row is in,
        (rows,). nearest: (groups,), the nearest other group. alone: bool (rows,), rows that are the
        only one of their group; they are predicted from the nearest group.
    """
    classes = int(goal.max()) + 1
    pairs, counts = np.unique(group * classes + goal, return_counts=True)
    order = np.lexsort((counts, pairs // classes))
    of_group, of_class, counts = pairs[order] // classes, pairs[order] % classes, counts[order]
    # the commonest class of each group
    last = np.flatnonzero(np.concatenate([of_group[1:] != of_group[:-1], [True]]))
    top, most = of_class[last], counts[last]
    second = np.where((last > 0) & (of_group[last - 1] == of_group[last]), counts[last - 1], 0)
    right = (goal == top[group]) & (most[group] - 1 >= np.maximum(second[group], 1))
    right = np.where(alone, goal == top[nearest[group]], right)
    chance = 1.0 - float(np.bincount(goal).max()) / len(goal)
    return 1.0 - float((~right).mean()) / chance if chance > 0 else float("nan")


def nearest_groups(values: Floats) -> Indices:
    """Position of the nearest other value for each of the ascending values, int64 (values,); its
    own where there is no other.
    """
    places = np.arange(len(values))
    if len(values) < 2:
        return places
    with np.errstate(all="ignore"):
        gaps = np.diff(values)
    below, above = np.concatenate([[np.inf], gaps]), np.concatenate([gaps, [np.inf]])
    return np.where(
        below < above, np.maximum(places - 1, 0), np.minimum(places + 1, len(values) - 1)
    )
