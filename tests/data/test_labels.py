"""The task: when whole numbers are classes and when they are numbers."""

from __future__ import annotations

import numpy as np
import pytest

from dlprobe.data.labels import from_numbers, from_texts
from dlprobe.errors import DataError


def fault(row: int, what: str) -> DataError:
    return DataError(f"row {row}: {what}")


def task_of(values: list[float]) -> str:
    return from_numbers(np.array(values, dtype=np.float64), "auto", fault).task


@pytest.mark.parametrize(
    ("values", "task"),
    [
        ([0, 1] * 5, "classification"),  # two distinct values are always few
        ([0, 1, 2] * 5, "regression"),  # three of 15 are more than max(2, 15/10)
        ([0, 1, 2] * 10, "classification"),  # three of 30 are not
        ([0, 0, 0, 1], "regression"),  # a value with a single row is no class
        ([0.5, 1, 0.5, 1], "regression"),
        (list(range(101)) * 100, "regression"),  # more than 100
        (list(range(100)) * 100, "classification"),
        ([-1, 1] * 3, "classification"),
        ([1e300, 1] * 3, "regression"),  # floor(1e300) is 1e300, yet nobody counts classes so
    ],
)
def test_auto_task_worked_by_hand(values: list[float], task: str) -> None:
    assert task_of(values) == task


def test_classes_are_numbered_in_sorted_order() -> None:
    targets = from_numbers(np.array([10.0, -1.0, 10.0, 3.0]), "classification", fault)
    assert targets.values.tolist() == [2, 0, 2, 1]
    assert targets.class_names == ("-1", "3", "10")


def test_texts_that_do_not_occur_are_no_classes() -> None:
    targets = from_texts(np.array([2, 0, 2]), ("a", "b", "c"), "auto", fault)
    assert targets.values.tolist() == [1, 0, 1]
    assert targets.class_names == ("a", "c")


def test_regression_keeps_whole_numbers_as_numbers() -> None:
    targets = from_numbers(np.array([0.0, 1.0, 0.0, 1.0]), "regression", fault)
    assert targets.values.tolist() == [[0], [1], [0], [1]]
