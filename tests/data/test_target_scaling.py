"""Scaling of targets against scikit-learn, there and back."""

from __future__ import annotations

import numpy as np
import pytest

from dlprobe.data.scaling import fit_targets
from dlprobe.errors import DataError

NAMES = ("small", "large", "far")
TARGETS = np.random.default_rng(0).normal(size=(40, 3)) * [1e-6, 1e6, 1.0] + [0.0, -1e7, 1e9]
FRESH = np.random.default_rng(1).normal(size=(10, 3)) * [1e-6, 1e6, 1.0] + [0.0, -1e7, 1e9]
INTERVALS = [(0.0, 1.0), (-1.0, 1.0), (0.0, 6.0)]


@pytest.mark.parametrize(
    ("kind", "interval"), [("standardize", (0.0, 1.0)), *(("minmax", each) for each in INTERVALS)]
)
def test_targets_are_scaled_and_given_back_as_by_scikit_learn(
    kind: str, interval: tuple[float, float]
) -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    theirs = (
        preprocessing.StandardScaler()
        if kind == "standardize"
        else preprocessing.MinMaxScaler(feature_range=interval)
    )
    theirs.fit(TARGETS)
    ours = fit_targets(kind, interval, TARGETS, NAMES, "numbers.csv")
    for targets in (TARGETS, FRESH):
        np.testing.assert_allclose(
            ours.apply(targets), theirs.transform(targets), rtol=1e-6, atol=1e-6
        )  # 1e9 ± 1 has ten digits left in float64
        np.testing.assert_allclose(ours.undo(ours.apply(targets)), targets, rtol=1e-15, atol=1e-20)
        np.testing.assert_allclose(
            ours.undo(theirs.transform(targets)),
            theirs.inverse_transform(theirs.transform(targets)),
            rtol=1e-12,
        )


def test_minmax_reaches_both_ends_of_the_interval() -> None:
    scaled = fit_targets(
        "minmax", (-1.0, 1.0), np.array([[3.0], [4.0], [7.0]]), ("y",), "numbers.csv"
    ).apply(np.array([[3.0], [4.0], [7.0], [9.0]]))
    np.testing.assert_allclose(
        scaled[:, 0], [-1.0, -0.5, 1.0, 2.0]
    )  # 2(y − 3)/4 − 1; what lies beyond the training part is not cut


@pytest.mark.parametrize(
    ("kind", "interval", "middle"),
    [("standardize", (0.0, 1.0), 0.0), ("minmax", (0.0, 1.0), 0.5), ("minmax", (-1.0, 1.0), 0.0)],
)
def test_a_constant_target_is_only_shifted(
    kind: str, interval: tuple[float, float], middle: float
) -> None:
    """0.1 + 0.2 thrice: their mean misses them by a rounding error, which is no deviation to
    divide by.
    """
    scaler = fit_targets(kind, interval, np.full((3, 1), 0.1 + 0.2), ("y",), "numbers.csv")
    assert scaler.scale.tolist() == [1.0]
    np.testing.assert_allclose(
        scaler.apply(np.array([[0.3], [1.3]]))[:, 0], [middle, middle + 1.0], atol=1e-15
    )
    np.testing.assert_allclose(
        scaler.undo(np.array([[middle], [middle + 1.0]]))[:, 0], [0.3, 1.3], atol=1e-15
    )


def test_none_leaves_every_bit_as_it_is() -> None:
    scaler = fit_targets("none", (0.0, 1.0), TARGETS, NAMES, "numbers.csv")
    np.testing.assert_array_equal(scaler.apply(TARGETS), TARGETS)
    np.testing.assert_array_equal(scaler.undo(TARGETS), TARGETS)


def test_a_range_beyond_float64_names_the_target_column() -> None:
    with pytest.raises(
        DataError,
        match=r"target 'b' goes from -1\.7e\+308 to 1\.7e\+308.*use target_scaling = none",
    ):
        fit_targets(
            "standardize",
            (0.0, 1.0),
            np.array([[0.0, -1.7e308], [1.0, 1.7e308]]),
            ("a", "b"),
            "numbers.csv",
        )
