"""From a Dataset to what the engine trains on."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from dlprobe.config.records import DataConfig
from dlprobe.data import Dataset, load, prepare
from dlprobe.errors import DataError


def regression(inputs: list[list[float]], **more: object) -> Dataset:
    matrix = np.array(inputs, dtype=np.float64)
    names = tuple(f"x{i + 1}" for i in range(matrix.shape[1]))
    return Dataset(
        "made",
        matrix,
        np.arange(len(matrix), dtype=np.float64)[:, None],
        "regression",
        names,
        **more,
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_prepared_digits_have_the_promised_shapes_and_types(dtype: str) -> None:
    data = prepare(load(DataConfig(), 0), DataConfig(), 0, dtype)
    assert {part: array.shape for part, array in data.inputs.items()} == {
        "train": (1078, 64),
        "val": (360, 64),
        "test": (359, 64),
    }
    assert all(array.dtype == dtype and array.flags.c_contiguous for array in data.inputs.values())
    assert all(array.dtype == np.int64 for array in data.targets.values())
    assert data.outputs == 10


def test_only_the_training_part_fits_the_scaler() -> None:
    raw = load(DataConfig(data="wine"), 0)
    data = prepare(raw, DataConfig(data="wine"), 0, "float64")
    rows = raw.inputs[data.indices["train"]]
    np.testing.assert_allclose(
        data.inputs["test"],
        (raw.inputs[data.indices["test"]] - rows.mean(axis=0)) / rows.std(axis=0),
        rtol=1e-12,
        atol=1e-12,
    )
    np.testing.assert_array_equal(data.feature_min, rows.min(axis=0))
    np.testing.assert_array_equal(data.feature_max, rows.max(axis=0))
    np.testing.assert_allclose(data.feature_mean, rows.mean(axis=0))
    np.testing.assert_allclose(data.feature_std, rows.std(axis=0))


def test_regression_targets_are_not_scaled() -> None:
    raw = load(DataConfig(data="diabetes"), 0)
    data = prepare(raw, DataConfig(data="diabetes"), 0, "float32")
    for part, rows in data.indices.items():
        np.testing.assert_array_equal(data.targets[part], raw.targets[rows])


def test_standardized_training_inputs_have_mean_zero_and_mean_square_one() -> None:
    data = prepare(load(DataConfig(data="wine"), 0), DataConfig(data="wine"), 0, "float64")
    assert abs(data.input_mean) < 1e-12
    assert data.input_mean_square == pytest.approx(1.0, abs=1e-12)


def test_duplicates_across_parts_are_counted() -> None:
    # five equal rows, 3 + 1 + 1: the one in validation and the one in test are both known from
    # training, and the test one from validation
    data = prepare(
        regression([[1.0, -0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]),
        DataConfig(),
        0,
        "float64",
    )
    assert data.repeats.duplicates == {"train_val": 1, "train_test": 1, "val_test": 1}


def test_different_rows_are_no_duplicates() -> None:
    data = prepare(regression([[float(i)] for i in range(10)]), DataConfig(), 0, "float64")
    assert data.repeats.duplicates == {"train_val": 0, "train_test": 0, "val_test": 0}


def test_class_counts_cover_classes_that_a_part_lacks() -> None:
    data = Dataset(
        "made",
        np.arange(4.0)[:, None],
        np.array([0, 0, 0, 2]),
        "classification",
        ("x",),
        ("a", "b", "c"),
    )
    prepared = prepare(data, DataConfig(split="100,0,0"), 0, "float64")
    assert prepared.class_counts["train"].tolist() == [3, 0, 1]
    assert prepared.class_counts["val"].tolist() == [0, 0, 0]


def test_fingerprint_is_the_hash_of_what_is_trained_on() -> None:
    data = prepare(
        regression([[0.0], [1.0]]), DataConfig(split="100,0,0", scaling="none"), 0, "float64"
    )
    digest = hashlib.sha256()
    for part, x, y in (
        ("train", [[0.0], [1.0]], [[0.0], [1.0]]),
        ("val", [], []),
        ("test", [], []),
    ):
        for values in (x, y):
            digest.update(
                f"{part} <f8 ({len(values)}, 1);".encode() + np.array(values, dtype="<f8").tobytes()
            )
    assert data.fingerprint == digest.hexdigest()


def test_fingerprint_changes_with_one_value_dtype_seed_and_scaling() -> None:
    base = regression([[float(i)] for i in range(20)])
    changed = regression([[float(i)] for i in range(19)] + [[19.5]])
    prints = {
        prepare(base, DataConfig(), 0, "float64").fingerprint,
        prepare(changed, DataConfig(), 0, "float64").fingerprint,
        prepare(base, DataConfig(), 0, "float32").fingerprint,
        prepare(base, DataConfig(), 1, "float64").fingerprint,
        prepare(base, DataConfig(scaling="minmax"), 0, "float64").fingerprint,
    }
    assert len(prints) == 5
    assert prepare(base, DataConfig(), 0, "float64").fingerprint in prints


def test_stratify_no_splits_plainly() -> None:
    data = load(DataConfig(data="digits"), 0)
    plain = prepare(data, DataConfig(stratify="no"), 0, "float32")
    assert [len(plain.indices[part]) for part in ("train", "val", "test")] == [1078, 360, 359]
    assert not np.array_equal(
        plain.indices["train"], prepare(data, DataConfig(), 0, "float32").indices["train"]
    )


def test_an_empty_training_part_is_one_clear_line() -> None:
    nothing = DataConfig().replaced(split=(0.0, 50.0, 50.0))
    with pytest.raises(DataError, match="training part of split 0,50,50 is empty with 2 rows"):
        prepare(regression([[0.0], [1.0]]), nothing, 0, "float64")


def test_an_empty_validation_part_and_a_constant_feature_are_noted() -> None:
    notes = prepare(
        regression([[0.0, 1.0], [1.0, 1.0]]), DataConfig(split="80,10,10"), 0, "float64"
    ).notes
    assert any("test part is empty" in note for note in notes)
    assert any("1 of 2 features are constant" in note for note in notes)


def test_a_number_beyond_float32_names_sample_and_feature() -> None:
    with pytest.raises(DataError, match="sample 2, feature 'x1': 1e\\+39 does not fit float32"):
        prepare(
            regression([[0.0], [1e39]]), DataConfig(split="100,0,0", scaling="none"), 0, "float32"
        )


def test_clean_targets_follow_the_split() -> None:
    raw = load(DataConfig(data="sine"), 0)
    data = prepare(raw, DataConfig(data="sine"), 0, "float64")
    assert data.clean_targets is not None
    assert raw.clean_targets is not None
    np.testing.assert_array_equal(data.clean_targets["val"], raw.clean_targets[data.indices["val"]])
    assert data.noise_variance == pytest.approx(0.09)
