"""Label noise and outliers: as much as was asked for, in the training part alone, the same for
the same seed, and recorded.
"""

from __future__ import annotations

import numpy as np
import pytest

from dlprobe.config.records import DataConfig
from dlprobe.data import Dataset, PreparedData, load, prepare
from dlprobe.errors import ConfigError


def prepared(seed: int = 0, **options: str) -> PreparedData:
    config = DataConfig(**options)
    return prepare(load(config, 0), config, seed, "float64")


@pytest.mark.parametrize(("amount", "changed"), [("0.1", 108), ("0.5", 539), ("1", 1078)])
def test_a_share_of_the_training_labels_gets_another_class(amount: str, changed: int) -> None:
    clean, noisy = prepared(), prepared(label_noise=amount)
    different = noisy.targets["train"] != clean.targets["train"]
    assert different.sum() == changed  # 1078 training digits
    np.testing.assert_array_equal(noisy.noisy_labels, clean.indices["train"][different])
    assert set(noisy.targets["train"]) <= set(range(10))
    assert any(f"{changed} of 1078 training labels were replaced" in note for note in noisy.notes)


def test_every_other_class_is_equally_likely() -> None:
    """1078 labels move by 1 … 9 classes, 119.8 times each, s.d. 10.3."""
    clean, noisy = prepared(), prepared(label_noise="1")
    moved = np.bincount((noisy.targets["train"] - clean.targets["train"]) % 10, minlength=10)
    assert moved[0] == 0
    assert np.abs(moved[1:] - 1078 / 9).max() < 4 * 10.3


def test_regression_targets_get_normal_noise_of_that_many_deviations() -> None:
    """Half a deviation: of 265 numbers the deviation is known to 4.3 %."""
    clean, noisy = prepared(data="diabetes"), prepared(data="diabetes", label_noise="0.5")
    added = noisy.targets["train"] - clean.targets["train"]
    std = 0.5 * clean.targets["train"].std()
    np.testing.assert_allclose(noisy.label_noise_std, [std], rtol=1e-12)
    assert abs(added.std() / std - 1) < 4 * 0.043
    assert abs(added.mean()) < 4 * std / np.sqrt(added.size)
    assert not len(noisy.noisy_labels)


def test_outliers_lie_ten_deviations_off_before_scaling() -> None:
    clean, spoiled = (
        prepared(data="wine", scaling="none"),
        prepared(data="wine", scaling="none", outliers="0.1"),
    )
    different = (spoiled.inputs["train"] != clean.inputs["train"]).any(axis=1)
    assert different.sum() == 11  # of 107 training rows
    np.testing.assert_array_equal(spoiled.outlier_rows, clean.indices["train"][different])
    far = (spoiled.inputs["train"][different] - clean.feature_mean) / clean.feature_std
    np.testing.assert_allclose(np.abs(far), 10, rtol=1e-12)
    assert 0.2 < (far > 0).mean() < 0.8  # 143 signs, s.d. .042


def test_the_scaler_sees_the_outliers_and_robust_scaling_withstands_them() -> None:
    options = {"data": "wine", "outliers": "0.05"}
    clean, standardized = prepared(data="wine"), prepared(**options)
    assert (standardized.scaler.scale < 0.5 * clean.scaler.scale).all()
    ratio = (
        prepared(**options, scaling="robust").scaler.scale
        / prepared(data="wine", scaling="robust").scaler.scale
    )
    assert (ratio > 0.7).all()


def test_constant_columns_stay_constant() -> None:
    data = Dataset(
        "made",
        np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]),
        np.arange(3.0)[:, None],
        "regression",
        ("a", "b"),
    )
    spoiled = prepare(data, DataConfig(split="100,0,0", outliers="1", scaling="none"), 0, "float64")
    np.testing.assert_array_equal(spoiled.inputs["train"][:, 1], 5)


@pytest.mark.parametrize(
    "options",
    [{"label_noise": "0.3"}, {"outliers": "0.3"}, {"data": "diabetes", "label_noise": "0.3"}],
    ids=str,
)
def test_other_parts_stay_and_the_seed_decides(options: dict[str, str]) -> None:
    plain = {key: value for key, value in options.items() if key == "data"}
    clean, spoiled = prepared(**plain, scaling="none"), prepared(**options, scaling="none")
    for part in ("val", "test"):
        np.testing.assert_array_equal(spoiled.inputs[part], clean.inputs[part])
        np.testing.assert_array_equal(spoiled.targets[part], clean.targets[part])
    assert (
        spoiled.fingerprint == prepared(**options, scaling="none").fingerprint != clean.fingerprint
    )
    assert spoiled.fingerprint != prepared(**options, scaling="none", data_seed="1").fingerprint


def test_nothing_is_spoiled_unless_asked_for() -> None:
    data = prepared()
    assert not any(
        len(array) for array in (data.noisy_labels, data.outlier_rows, data.label_noise_std)
    )
    assert not [note for note in data.notes if "training" in note and "constant" not in note]


def test_label_noise_needs_a_second_class() -> None:
    data = Dataset(
        "made", np.arange(4.0)[:, None], np.zeros(4, np.int64), "classification", ("x",), ("a",)
    )
    with pytest.raises(
        ConfigError, match=r"label_noise = 0.5: made has one class, expected another one"
    ):
        prepare(data, DataConfig(label_noise="0.5"), 0, "float64")
