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


def test_a_one_hot_encoded_column_is_one_feature_of_as_many_values() -> None:
    """Three towns, a switch, two sizes, four hours: 3 · 2 · 2 · 4 rows, not 2³ · 2 · 2² · 4."""
    rng = np.random.default_rng(0)
    towns, sizes = np.eye(3)[rng.integers(0, 3, 90)], np.eye(2)[rng.integers(0, 2, 90)]
    switch, hours = rng.integers(0, 2, (90, 1)), rng.integers(0, 4, (90, 1))
    nobody = np.zeros((90, 1))  # a town that no row has
    columns = (towns[:, :2], nobody, towns[:, 2:], switch, sizes, hours)
    assert possible([np.hstack(columns).astype(float)]) == pytest.approx(48.0)
    assert possible([np.hstack([switch, hours, switch]).astype(float)]) == pytest.approx(16.0)


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
