"""What instruments compute from one array, against NumPy and against cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dlprobe.record.instruments import BINS, PERCENTS
from dlprobe.training import measuring

KINDS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "heavy tails": lambda rng, n: rng.standard_cauchy(size=n),
    "few values": lambda rng, n: rng.integers(0, 3, n).astype(float),
    "tiny": lambda rng, n: 1e-30 * rng.normal(size=n),
    "far from zero": lambda rng, n: 1e4 + rng.normal(size=n),
    "half of them 0": lambda rng, n: np.maximum(rng.normal(size=n), 0.0),
    "next to each other": lambda rng, n: 1.0 + rng.integers(0, 9, n) * 2e-7,
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 2, 7, 1000, measuring.LARGE, 30_001])
@pytest.mark.parametrize("kind", KINDS)
def test_histogram_and_percentiles_are_those_of_numpy(kind: str, size: int, dtype: str) -> None:
    values = KINDS[kind](np.random.default_rng(0), size).astype(dtype)
    found = measuring.distribution(values)
    np.testing.assert_array_equal(found.counts, np.histogram(values, bins=found.edges)[0])
    if values.min() < values.max():
        expected = np.histogram_bin_edges(values.astype("f8"), bins=BINS)
        np.testing.assert_allclose(found.edges, expected, rtol=0, atol=1e-6 * np.abs(values).max())
    assert found.counts.sum() == size
    np.testing.assert_allclose(
        found.percentiles, np.percentile(values.astype("f8"), PERCENTS), rtol=1e-6
    )
    np.testing.assert_array_equal(found.percentiles, measuring.percentiles(values))
    assert found.edges.dtype == found.percentiles.dtype == np.dtype(dtype)


def test_non_finite_values_are_counted_apart() -> None:
    values = np.array([np.nan, 1.0, np.inf, 3.0, -np.inf, 2.0, np.nan])
    found = measuring.distribution(values)
    assert (found.nonfinite, found.counts.sum(), found.edges[0], found.edges[-1]) == (
        4,
        3,
        1.0,
        3.0,
    )
    assert found.percentiles[2] == 2.0
    many = np.resize(values, 7 * measuring.LARGE)
    found = measuring.distribution(many)
    assert (found.nonfinite, found.counts.sum()) == (4 * measuring.LARGE, 3 * measuring.LARGE)


@pytest.mark.parametrize("values", [[], [np.nan, np.inf]])
def test_without_finite_values_nothing_is_counted(values: list[float]) -> None:
    found = measuring.distribution(np.array(values))
    assert found.counts.sum() == 0
    assert found.nonfinite == len(values)
    assert np.isnan(found.edges).all()
    assert np.isnan(found.percentiles).all()


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(np.float32, st.integers(1, 30), elements=st.floats(width=32)))
def test_edges_rise_and_every_value_has_a_bin(values: np.ndarray) -> None:
    found = measuring.distribution(values)
    finite = np.isfinite(values)
    assert found.counts.sum() + found.nonfinite == values.size
    assert found.nonfinite == (~finite).sum()
    if finite.any():
        assert np.isfinite(found.edges).all()
        assert (np.diff(found.edges.astype("f8")) >= 0).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 2, 7, measuring.WIDENED + 5, 2 * measuring.WIDENED + 2])
@pytest.mark.parametrize("kind", ["skewed", "tied", "signed", "infinite", "nan"])
def test_the_two_middle_ones_are_those_of_sorting(kind: str, count: int, dtype: str) -> None:
    numbers = np.random.default_rng(3).normal(size=(2, count)).astype(dtype)
    if kind != "signed":
        numbers **= 8
    if kind == "tied":
        numbers[:, ::2] = numbers[0, 0]
    if kind in {"infinite", "nan"}:
        numbers[1, count // 3 :] = np.inf if kind == "infinite" else np.nan
    expected = np.sort(numbers, axis=1)[:, [(count - 1) // 2, count // 2]]
    if kind == "nan":
        expected[1] = np.nan
    np.testing.assert_array_equal(measuring.middle_two(numbers), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "shape", [(1, 1), (64, 100), (100, 10), (300, 200), (200, 700), (784, 300)]
)
def test_spectral_norm_is_the_largest_singular_value(shape: tuple[int, int], dtype: str) -> None:
    matrix = np.random.default_rng(1).normal(size=shape).astype(dtype)
    assert measuring.spectral_norm(matrix) == pytest.approx(
        np.linalg.svd(matrix.astype("f8"), compute_uv=False)[0], rel=1e-6
    )


@pytest.mark.parametrize(
    "values",
    [
        np.ones(200),
        np.linspace(1, 2, 200),
        np.r_[2.0, 2.0, 2.0 - 1e-4, np.ones(197)],
        np.r_[1e-20, np.zeros(199)],
    ],
)
def test_spectral_norm_of_matrices_with_known_singular_values(values: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    left, right = (np.linalg.qr(rng.normal(size=(200, 200)))[0] for _ in range(2))
    assert measuring.spectral_norm((left * values) @ right) == pytest.approx(values.max(), rel=1e-6)


def test_spectral_norm_of_extremes() -> None:
    assert measuring.spectral_norm(np.zeros((3, 4))) == 0
    assert math.isnan(measuring.spectral_norm(np.array([[1.0, np.nan]])))
    assert math.isnan(measuring.spectral_norm(np.zeros((0, 3))))
    assert measuring.spectral_norm(np.full((2, 2), 1e300)) == pytest.approx(2e300)
    assert measuring.spectral_norm(np.full((2, 2), 1e-30, "f4")) == pytest.approx(2e-30)
    for value in (1e-30, 1e36):
        square = np.full((200, 200), value, "f4")
        assert measuring.spectral_norm(square) == pytest.approx(200 * value, rel=1e-6)


def test_the_largest_eigenvalue_is_not_the_one_of_largest_size() -> None:
    matrix = np.diag([-9.0, 1.0, 4.0])
    assert measuring.largest_eigenvalue(
        lambda v: matrix @ v, np.ones(3), tolerance=1e-9, most=50
    ) == pytest.approx(4.0)


@pytest.mark.parametrize("shape", [(30, 8), (8, 30)])
def test_effective_rank_is_the_participation_ratio_of_the_covariance(
    shape: tuple[int, int],
) -> None:
    activations = np.random.default_rng(3).normal(size=shape) * np.linspace(0.1, 3, shape[1])
    values = np.linalg.eigvalsh(np.cov(activations.T))
    assert measuring.effective_rank(activations) == pytest.approx(
        values.sum() ** 2 / np.square(values).sum()
    )


def test_effective_rank_counts_directions() -> None:
    plus_minus = np.kron(np.eye(4), [[1.0], [-1.0]])  # four directions, equally used
    assert measuring.effective_rank(plus_minus) == pytest.approx(4)
    assert measuring.effective_rank(plus_minus[:, :1] * np.ones(6)) == pytest.approx(1)
    assert measuring.effective_rank(1e-24 * plus_minus.astype("f4")) == pytest.approx(4)
    assert math.isnan(measuring.effective_rank(np.ones((5, 3))))
    assert math.isnan(measuring.effective_rank(np.array([[1.0, np.inf], [0.0, 1.0]])))


def test_mean_cosine_over_pairs() -> None:
    rows = np.random.default_rng(4).normal(size=(6, 5))
    cosines = [
        a @ b / np.linalg.norm(a) / np.linalg.norm(b) for i, a in enumerate(rows) for b in rows[:i]
    ]
    assert measuring.mean_cosine(rows) == pytest.approx(np.mean(cosines))
    assert measuring.mean_cosine(np.vstack([rows, np.zeros((2, 5))])) == pytest.approx(
        np.mean(cosines)
    )
    assert math.isnan(measuring.mean_cosine(rows[:1]))
    assert math.isnan(measuring.mean_cosine(np.array([[np.nan], [1.0]])))


def test_spread_of_singular_values_leaves_zeros_out_and_counts_them() -> None:
    found = measuring.spread(np.array([[2.0, 0.0, -np.inf], [3.0, 1.0, 2.0]]))
    assert found == {
        "log_mean": 1.5,
        "log_variance": pytest.approx((1 + 2 / 3) / 2),
        "zero_fraction": pytest.approx(1 / 6),
    }
    assert np.isnan(list(measuring.spread(np.full((2, 2), np.nan)).values())).all()
