"""Levels: every bin is what NumPy says of its rows, whatever the pieces in which rows arrived."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import synthetic_runs

import dlprobe
from dlprobe.runs.levels import Reducer, level_of, stored_factors


def _expected(values: np.ndarray, factor: int) -> list[np.ndarray]:
    """minimum, maximum, mean, NaN count, each (bin, layer)."""
    groups = [values[start : start + factor] for start in range(0, len(values), factor)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # bins of NaN only
        return [
            np.array([function(group, axis=0) for group in groups])
            for function in (
                np.nanmin,
                np.nanmax,
                np.nanmean,
                lambda g, axis: np.isnan(g).sum(axis),
            )
        ]


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 4096, 4097, 9000])
@pytest.mark.parametrize("factor", [64, 4096])
def test_a_level_is_what_numpy_says_of_each_bin(rows: int, factor: int) -> None:
    values = np.random.default_rng(rows).normal(size=(rows, 2))
    values[::5, 0] = np.nan
    values[: rows // 2, 1] = np.nan
    level = level_of(np.arange(0, 3 * rows, 3), values, factor)
    low, high, mean, nan = _expected(values, factor)
    np.testing.assert_array_equal(level.bin_start, np.arange(0, 3 * rows, 3 * factor))
    np.testing.assert_array_equal(level.minimum, low)
    np.testing.assert_array_equal(level.maximum, high)
    np.testing.assert_allclose(level.mean, mean, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(level.nan_count, nan)


def test_pieces_do_not_change_a_bit() -> None:
    values = np.random.default_rng(0).normal(size=(10_000, 3))
    whole, pieces = Reducer(2), Reducer(2)
    expected = [
        np.concatenate(parts) for parts in zip(whole.add(values), whole.finish(), strict=True)
    ]
    parts = [pieces.add(piece) for piece in np.array_split(values, [1, 2, 100, 5000, 9999])] + [
        pieces.finish()
    ]
    for level in range(2):
        np.testing.assert_array_equal(
            np.concatenate([part[level] for part in parts if part[level].size]), expected[level]
        )


def test_infinite_values_stay_visible() -> None:
    level = level_of(np.arange(64), np.where(np.arange(64)[:, None] == 3, np.inf, 1.0), 64)
    assert (
        level.minimum.item(),
        level.maximum.item(),
        level.mean.item(),
        level.nan_count.item(),
    ) == (1.0, np.inf, np.inf, 0)


def test_the_packed_levels_are_the_computed_ones(tmp_path: Path) -> None:
    path = synthetic_runs.write(tmp_path / "a.h5", 5000, block=333).pack()
    run = dlprobe.open_run(path)
    assert stored_factors(5000) == (64,)
    stored, computed = (
        run.level("gradient_rms", 64),
        level_of(run.steps, run.statistic("gradient_rms"), 64),
    )
    np.testing.assert_array_equal(stored.bin_start, np.arange(0, 5000, 64))
    for name in ("minimum", "maximum", "mean", "nan_count"):
        np.testing.assert_array_equal(
            getattr(stored, name),
            getattr(computed, name).astype("f4" if name != "nan_count" else "u4"),
        )
