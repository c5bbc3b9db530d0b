"""The textbook's table, its numbers turned round, and what sampling does to it."""

from __future__ import annotations

import pytest

from dlprobe.analysis.bias_variance.textbook_reading import read


@pytest.mark.parametrize(
    ("human", "train", "val", "bias", "variance"),
    [
        (0, 1, 15, "low", "high"),
        (0, 15, 16, "high", "low"),
        (0, 15, 30, "high", "high"),
        (0, 0.5, 1, "low", "low"),
        (1, 8, 10, "high", "low"),
        (7.5, 8, 10, "low", "high"),
        (0, 30, 40, "high", "high"),  # a gap of ten points counts whatever the other is
    ],
)
def test_rows_of_the_textbook(
    human: float, train: float, val: float, bias: str, variance: str
) -> None:
    found = read(human / 100, train / 100, val / 100)
    assert (found.bias, found.variance) == (bias, variance)


def test_with_200_validation_samples_two_points_are_noise() -> None:
    assert read(0.0, 0.01, 0.03, 100_000, 200).doubtful == ("variance",)
    assert read(0.0, 0.01, 0.03, 100_000, 100_000).doubtful == ()
