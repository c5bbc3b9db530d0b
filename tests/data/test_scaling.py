"""Scalers against scikit-learn, and what constant columns become."""

from __future__ import annotations

import numpy as np
import pytest

from dlprobe.data.dataset import spreads
from dlprobe.data.scaling import fit, target_moments
from dlprobe.errors import DataError

NAMES = tuple(f"x{i}" for i in range(1, 6))
RAW = np.random.default_rng(0).normal(size=(40, 5)) * [1e-6, 1.0, 1e3, 1e9, 0.0] + [
    0.0,
    5.0,
    -1e4,
    1e10,
    0.1,
]
FRESH = np.random.default_rng(1).normal(size=(10, 5)) * 100


@pytest.mark.parametrize(
    ("kind", "oracle"),
    [("standardize", "StandardScaler"), ("minmax", "MinMaxScaler"), ("robust", "RobustScaler")],
)
def test_scaling_is_that_of_scikit_learn(kind: str, oracle: str) -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    theirs, ours = getattr(preprocessing, oracle)().fit(RAW), fit(kind, RAW, NAMES, "numbers.csv")
    np.testing.assert_allclose(ours.apply(RAW), theirs.transform(RAW), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ours.apply(FRESH)[:, :4], theirs.transform(FRESH)[:, :4], rtol=1e-9)


@pytest.mark.parametrize("kind", ["standardize", "minmax", "robust"])
def test_a_constant_column_is_zero_in_every_part(kind: str) -> None:
    scaler = fit(kind, RAW, NAMES, "numbers.csv")
    assert (scaler.apply(RAW)[:, 4] == 0).all()
    assert (scaler.apply(FRESH)[:, 4] == 0).all()


def test_standardize_divides_by_the_population_deviation() -> None:
    # 1, 2, 3: mean 2, variance 2/3
    np.testing.assert_allclose(
        fit("standardize", np.array([[1.0], [2.0], [3.0]]), ("x",), "numbers.csv").apply(
            np.array([[3.0]])
        ),
        [[np.sqrt(1.5)]],
    )


def test_robust_is_the_median_and_the_quarters_by_hand() -> None:
    """1, 2, 3, 4, 100: median 3, quarters 2 and 4. A column of which most is one value is only
    shifted.
    """
    raw = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [4.0, 0.0], [100.0, 7.0]])
    np.testing.assert_allclose(
        fit("robust", raw, ("x", "y"), "numbers.csv").apply(raw),
        [[-1, 0], [-0.5, 0], [0, 0], [0.5, 0], [48.5, 7]],
    )


@pytest.mark.parametrize(
    ("targets", "share"),
    [
        # normal: 2·(zφ(z) + Q(z)) beyond z = 2.5758; exponential, x0 = ln 100:
        # e^−x0·((x0 − 1)² + 2(x0 − 1) + 2)
        (np.random.default_rng(0).normal(size=400_000), 0.0846),
        (np.random.default_rng(0).exponential(size=400_000), 0.2221),
        (np.repeat([-1.0, 1.0], 50), 0.01),
        (np.array([0.0] * 99 + [100.0]), 0.99),  # distances 1 and 99: 99²/(99·1 + 99²)
        (np.array([0.0, 0.0, 3.0]), 2 / 3),  # one of three: 4/(1 + 1 + 4)
    ],
)
def test_the_tail_of_targets_is_what_their_distribution_says(
    targets: np.ndarray, share: float
) -> None:
    found = target_moments(np.stack([targets, 1e6 - 5 * targets], axis=1))["target_tail"]
    assert found == pytest.approx([share, share], rel=0.02)


def test_the_spread_of_inputs_is_their_interquartile_range() -> None:
    """2·Φ⁻¹(¾) = 1.349 of a normal column, ln 3 of an exponential one, whatever a few others are;
    of 400 rows evenly spaced its standard error is 5 and 8 %.
    """
    rng = np.random.default_rng(1)
    inputs = np.stack([rng.normal(size=30_000), rng.exponential(size=30_000)], axis=1)
    inputs[7] = 1e9
    assert spreads(inputs) == pytest.approx([1.349, np.log(3)], rel=0.25)
    np.testing.assert_allclose(
        spreads(inputs[:400]), np.subtract(*np.percentile(inputs[:400], (75, 25), axis=0))
    )


def test_none_leaves_every_bit_as_it_is() -> None:
    np.testing.assert_array_equal(fit("none", RAW, NAMES, "numbers.csv").apply(RAW), RAW)


@pytest.mark.parametrize("kind", ["standardize", "minmax", "robust"])
def test_a_range_beyond_float64_is_one_clear_line(kind: str) -> None:
    with pytest.raises(
        DataError, match=r"numbers\.csv: feature 'x' goes from -1\.7e\+308 to 1\.7e\+308"
    ):
        fit(kind, np.array([[-1.7e308], [1.7e308]]), ("x",), "numbers.csv")
