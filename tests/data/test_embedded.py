"""The embedded real sets are scikit-learn's, number by number."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from dlprobe.config.records import DataConfig
from dlprobe.data import load
from dlprobe.registry import records

CLASSIFICATION = ("digits", "breast_cancer", "wine")


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_embedded_classes_are_those_of_scikit_learn(name: str) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    oracle, ours = getattr(datasets, f"load_{name}")(), load(DataConfig(data=name), 0)
    np.testing.assert_array_equal(ours.inputs, oracle.data)
    np.testing.assert_array_equal(ours.targets, oracle.target)
    assert ours.feature_names == tuple(oracle.feature_names)
    assert ours.class_names == tuple(str(label) for label in oracle.target_names)
    assert (ours.inputs.dtype, ours.targets.dtype) == (np.float64, np.int64)


def test_embedded_diabetes_is_the_raw_one_of_scikit_learn() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    oracle, ours = datasets.load_diabetes(scaled=False), load(DataConfig(data="diabetes"), 0)
    np.testing.assert_array_equal(ours.inputs, oracle.data)
    np.testing.assert_array_equal(ours.targets[:, 0], oracle.target)
    assert ours.task == "regression"
    assert ours.outputs == 1


@pytest.mark.parametrize(
    ("name", "rows", "columns", "outputs"),
    [
        ("digits", 1797, 64, 10),
        ("breast_cancer", 569, 30, 2),
        ("wine", 178, 13, 3),
        ("diabetes", 442, 10, 1),
    ],
)
def test_embedded_sizes_are_the_published_ones(
    name: str, rows: int, columns: int, outputs: int
) -> None:
    data = load(DataConfig(data=name), 0)
    assert data.inputs.shape == (rows, columns)
    assert data.outputs == outputs


@pytest.mark.parametrize("name", [*CLASSIFICATION, "diabetes"])
def test_source_and_licence_travel_with_the_data(name: str) -> None:
    data = load(DataConfig(data=name), 0)
    assert data.source == records("data")[name].source
    assert data.licence
    assert f"`{name}.npz`" in files("dlprobe.data").joinpath("embedded/SOURCES.md").read_text(
        "utf-8"
    )
