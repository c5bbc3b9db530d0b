"""Splits: complete, disjoint, seeded, and true to each class's share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlprobe.data.splitting import fewer, members_of, part_counts, split

percents = (
    st.tuples(st.integers(1, 100), st.integers(0, 100), st.integers(0, 100))
    .filter(lambda p: p[0] + p[1] <= 100)
    .map(lambda p: (p[0], p[1], 100 - p[0] - p[1]))
)
labels = st.lists(st.integers(0, 5), min_size=1, max_size=200).map(np.array)


@given(labels, percents, st.booleans(), st.integers(0, 2**63 - 1))
def test_parts_are_disjoint_and_complete(
    classes: np.ndarray, percents: tuple[int, int, int], stratify: bool, seed: int
) -> None:
    parts = split(len(classes), classes if stratify else None, percents, seed)
    together = np.concatenate(list(parts.values()))
    assert sorted(together.tolist()) == list(range(len(classes)))
    assert all(rows.dtype == np.int64 and (np.diff(rows) > 0).all() for rows in parts.values())


@given(labels, percents)
def test_each_class_has_its_share_within_one_row_and_one_row_in_training(
    classes: np.ndarray, percents: tuple[int, int, int]
) -> None:
    parts = split(len(classes), classes, percents, 0)
    for label in np.unique(classes):
        size = int((classes == label).sum())
        counts = [int((classes[rows] == label).sum()) for rows in parts.values()]
        assert all(
            abs(count - size * percent / 100) < 1
            for count, percent in zip(counts, percents, strict=True)
        )
        assert counts[0] >= 1


def test_counts_worked_by_hand() -> None:
    # 60 % of 10 and 5 are 6 and 3, 20 % are 2 and 1
    assert part_counts([10, 5], (60, 20, 20)).tolist() == [[6, 2, 2], [3, 1, 1]]


def test_leftover_rows_go_to_the_parts_that_lack_them() -> None:
    # each class of two owes 1.2, 0.4, 0.4: one is in training, the second goes to validation, test,
    # and training in turn
    counts = part_counts([2] * 5, (60, 20, 20))
    assert counts.sum(axis=0).tolist() == [6, 2, 2]
    assert (counts.sum(axis=1) == 2).all()


def test_singletons_are_in_training() -> None:
    assert part_counts([1, 1, 1], (10, 45, 45)).tolist() == [[1, 0, 0]] * 3


def test_everything_may_be_training() -> None:
    assert [
        len(rows) for rows in split(7, np.array([0, 0, 1, 1, 1, 2, 2]), (100, 0, 0), 3).values()
    ] == [7, 0, 0]


def test_shares_that_are_whole_numbers_are_met_exactly() -> None:
    # 0.07·100 is 7.000000000000001 and 0.29·100 is 28.999999999999996 in floating point
    assert part_counts([100], (64, 29, 7)).tolist() == [[64, 29, 7]]


@pytest.mark.parametrize("classes", [None, np.arange(60) % 3])
def test_same_seed_same_split_other_seed_other_split(classes: np.ndarray | None) -> None:
    first, again, other = (split(60, classes, (60, 20, 20), seed)["val"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_row_is_as_likely_in_each_part() -> None:
    counts = sum(
        np.bincount(split(10, None, (50, 30, 20), seed)["test"], minlength=10)
        for seed in range(500)
    )
    # 500 draws at 1/5: mean 100, standard deviation √80 = 8.9
    assert np.abs(counts - 100).max() < 4 * 8.9


@given(labels, st.booleans(), st.integers(0, 2**63 - 1))
def test_fewer_rows_are_a_part_of_more_and_keep_each_class_share(
    classes: np.ndarray, stratify: bool, seed: int
) -> None:
    rows = np.arange(len(classes)) * 3
    before: set[int] = set()
    for size in range(1, len(rows) + 1):
        chosen = fewer(rows, classes if stratify else None, size, seed)
        assert len(chosen) == size
        assert before <= set(chosen.tolist()) <= set(rows.tolist())
        before = set(chosen.tolist())
        for each in np.unique(classes) if stratify else ():
            share = np.mean(classes == each) * size
            assert (
                abs(np.sum(classes[chosen // 3] == each) - share) < 1 + len(np.unique(classes)) / 2
            )


def test_members_are_the_positions_of_each_value() -> None:
    values = np.random.default_rng(0).integers(-3, 40, 500)
    expected = [np.flatnonzero(values == each).tolist() for each in np.unique(values)]
    assert [members.tolist() for members in members_of(values)] == expected
    assert members_of(values[:0]) == []
