"""Rows that repeat: how many are distinct, how many are possible, and the error that equal rows
with different targets leave to everybody.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlprobe.data.repeats import floor, possible, repeats


def test_the_floor_is_what_the_commonest_class_of_equal_rows_leaves() -> None:
    """Row 0 has classes 1, 1, 0, row 1 has 2, 2: one in five is wrong whatever a net says."""
    assert floor(
        np.array([0, 0, 0, 1, 1]), np.array([1, 1, 0, 2, 2]), classification=True
    ) == pytest.approx(0.2)


def test_the_floor_of_numbers_is_their_deviation_within_equal_rows() -> None:
    targets = np.array([[0.0], [2.0], [5.0], [5.0]])
    assert floor(np.array([0, 0, 1, 1]), targets, classification=False) == pytest.approx(
        math.sqrt(0.5)
    )


def test_possible_rows_are_the_product_of_the_values_of_each_feature() -> None:
    assert possible(
        [np.array([[0.0, 1.0], [1.0, 1.0]]), np.array([[0.0, 2.0], [0.0, 3.0]])]
    ) == pytest.approx(6.0)


def test_rows_say_what_is_reachable_only_where_they_repeat() -> None:
    bits = np.array([[0.0], [1.0]] * 20)
    classes = np.array([0, 1] * 20)
    parts = {"train": slice(0, 24), "val": slice(24, 32), "test": slice(32, 40)}
    found = repeats(
        {part: bits[rows] for part, rows in parts.items()},
        {part: classes[rows] for part, rows in parts.items()},
        classification=True,
    )
    assert (found.distinct, found.possible, dict(found.floors)) == (
        2,
        2.0,
        {"train": 0.0, "val": 0.0},
    )
    assert found.duplicates["train_val"] == 8
    other = np.random.default_rng(0).standard_normal((40, 1))
    once = repeats(
        {part: other[rows] for part, rows in parts.items()},
        {part: classes[rows] for part, rows in parts.items()},
        classification=True,
    )
    assert (once.distinct, once.possible, dict(once.floors)) == (40, math.inf, {})
