"""Histograms on one grid."""

from __future__ import annotations

import numpy as np
import pytest

from dlprobe.analysis.profiles.distributions import densities


def of(samples: list[np.ndarray], rows: int = 10, bins: int = 40) -> object:
    pairs = [np.histogram(values, bins) for values in samples]
    counts, edges = (np.array([pair[k] for pair in pairs]) for k in (0, 1))
    return densities(
        counts,
        edges,
        np.array([np.percentile(values, (5, 15, 50, 85, 95)) for values in samples]),
        rows,
    )


def test_shares_are_those_of_the_values_in_each_row() -> None:
    rng = np.random.default_rng(0)
    samples = [rng.normal(size=5000), rng.normal(2, 0.5, size=3000)]
    found = of(samples)
    assert found is not None
    grid = np.linspace(found.low, found.high, 11)
    grid[0], grid[-1] = -np.inf, np.inf
    for values, shares in zip(samples, found.shares, strict=True):
        assert shares.sum() == pytest.approx(1)
        np.testing.assert_allclose(shares, np.histogram(values, grid)[0] / len(values), atol=0.02)


def test_a_far_value_does_not_hide_the_rest() -> None:
    found = of([np.r_[np.random.default_rng(0).normal(size=999), 1e6]], bins=4000)
    assert found is not None
    assert found.high < 10
    assert found.shares[0, -1] >= 1e-3


def test_constant_values_stand_in_one_row() -> None:
    found = of([np.zeros(7)], rows=5)
    assert found is not None
    assert found.shares[0].tolist() == [0, 0, 1, 0, 0]


def test_columns_without_finite_values_are_empty_and_none_at_all_is_none() -> None:
    counts, edges = np.array([[0, 0], [1, 3]]), np.array([[np.nan] * 3, [0.0, 1.0, 2.0]])
    percentiles = np.array([[np.nan] * 5, [0.5, 1, 1.5, 1.7, 2]])
    found = densities(counts, edges, percentiles, 4)
    assert found is not None
    assert (found.shares[0].sum(), found.shares[1].sum()) == (0, 1)
    assert densities(counts[:1], edges[:1], percentiles[:1], 4) is None
