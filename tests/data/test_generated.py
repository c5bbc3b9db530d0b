"""Generated sets: the same seed gives the same data, and each has the properties it is made for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlprobe.config.records import DataConfig
from dlprobe.data import Dataset, load
from dlprobe.errors import ConfigError
from dlprobe.registry import records

GENERATED = ("spirals", "moons", "circles", "blobs", "xor", "gaussian", "teacher", "sine", "linear")
BALANCED = ("spirals", "moons", "circles", "blobs", "gaussian")


def draw(text: str, seed: int = 0, **options: object) -> Dataset:
    return load(DataConfig(data=text, **options), seed)


def test_every_promised_set_is_registered() -> None:
    assert set(records("data")) >= {"digits", "breast_cancer", "wine", "diabetes", *GENERATED}


@pytest.mark.parametrize("name", GENERATED)
def test_same_seed_gives_the_same_data_and_another_seed_other_data(name: str) -> None:
    first, again, other = draw(name, 7), draw(name, 7), draw(name, 8)
    np.testing.assert_array_equal(first.inputs, again.inputs)
    np.testing.assert_array_equal(first.targets, again.targets)
    assert not np.array_equal(first.inputs, other.inputs)


@pytest.mark.parametrize("name", GENERATED)
def test_generated_data_are_finite_float64_of_the_asked_size(name: str) -> None:
    data = draw(f"{name}(samples=50)")
    assert len(data.inputs) == len(data.targets) == 50
    assert np.isfinite(data.inputs).all()
    assert data.inputs.dtype == np.float64
    assert data.inputs.flags.c_contiguous
    assert len(data.feature_names) == data.inputs.shape[1]


def test_data_seed_goes_before_the_seed() -> None:
    np.testing.assert_array_equal(draw("moons", 1, data_seed=5).inputs, draw("moons", 5).inputs)


@pytest.mark.parametrize("name", BALANCED)
def test_class_sizes_differ_by_one_at_most(name: str) -> None:
    counts = np.bincount(draw(f"{name}(samples=101)").targets)
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize(
    "text",
    [
        "sine(samples=20000, noise=0.3)",
        "linear(samples=20000, noise=0.3)",
        "teacher(samples=20000, noise=0.3)",
    ],
)
def test_noise_has_the_reported_variance_within_four_deviations(text: str) -> None:
    data = draw(text)
    assert data.noise_variance == pytest.approx(0.09)
    assert data.clean_targets is not None
    noise = data.targets - data.clean_targets
    # a sample variance of n normal numbers has standard deviation σ²·√(2/n)
    assert abs(noise.var() - 0.09) < 4 * 0.09 * math.sqrt(2 / 20000)
    assert abs(noise.mean()) < 4 * 0.3 / math.sqrt(20000)


def test_sine_without_noise_is_the_sine() -> None:
    data = draw("sine(noise=0, cycles=2)")
    np.testing.assert_allclose(data.targets, np.sin(2 * np.pi * data.inputs), atol=1e-15)
    assert np.abs(data.inputs).max() <= 1


def test_linear_without_noise_is_solved_exactly_by_least_squares() -> None:
    data = draw("linear(samples=50, features=5, noise=0)")
    _, residual, _, _ = np.linalg.lstsq(data.inputs, data.targets, rcond=None)
    assert residual.item() < 1e-24


@pytest.mark.parametrize("name", ["linear", "teacher"])
def test_another_seed_draws_other_samples_of_the_same_problem(name: str) -> None:
    # one exact linear fit of seed 0 predicts seed 1; the teacher is not linear, so it is compared
    # on the same inputs
    weights = [
        np.linalg.lstsq(d.inputs, d.targets, rcond=None)[0]
        for d in (draw(f"{name}(samples=5000, noise=0)", seed) for seed in (0, 1))
    ]
    elsewhere = draw(f"{name}(samples=5000, noise=0, truth=1)", 0)
    other = np.linalg.lstsq(elsewhere.inputs, elsewhere.targets, rcond=None)[0]
    assert np.abs(weights[0] - weights[1]).max() < 0.1
    assert np.abs(weights[0] - other).max() > 0.1


def test_circles_without_noise_have_radii_one_and_factor() -> None:
    data = draw("circles(noise=0, factor=0.3)")
    radii = np.hypot(data.inputs[:, 0], data.inputs[:, 1])
    np.testing.assert_allclose(radii, np.where(data.targets == 1, 0.3, 1.0), rtol=1e-12)


def test_moons_without_noise_are_half_circles_around_their_centres() -> None:
    data = draw("moons(noise=0)")
    centred = data.inputs - np.where(data.targets[:, None] == 0, [0.0, 0.0], [1.0, 0.5])
    np.testing.assert_allclose(np.hypot(centred[:, 0], centred[:, 1]), 1.0, rtol=1e-12)
    assert (np.where(data.targets == 0, centred[:, 1], -centred[:, 1]) >= -1e-12).all()


def test_spirals_without_noise_turn_back_onto_one_ray() -> None:
    data = draw("spirals(noise=0, arms=3, turns=2)")
    radius = np.hypot(data.inputs[:, 0], data.inputs[:, 1])
    angle = np.arctan2(data.inputs[:, 1], data.inputs[:, 0]) - 2 * np.pi * (
        2 * radius + data.targets / 3
    )
    np.testing.assert_allclose(np.cos(angle), 1.0, atol=1e-9)
    assert data.class_names == ("0", "1", "2")


def test_blobs_have_the_asked_spread_around_each_centre() -> None:
    data = draw("blobs(samples=20000, classes=2, std=0.5)")
    for label in (0, 1):
        spread = data.inputs[data.targets == label].std(axis=0)
        np.testing.assert_allclose(spread, 0.5, atol=4 * 0.5 / math.sqrt(2 * 10000))


def test_xor_of_four_samples_is_the_logic_table() -> None:
    data = draw("xor(samples=4)")
    table = {tuple(row): int(label) for row, label in zip(data.inputs, data.targets, strict=True)}
    assert table == {(0, 0): 0, (0, 1): 1, (1, 0): 1, (1, 1): 0}


def test_xor_quadrants_have_the_sign_of_the_product() -> None:
    data = draw("xor(samples=1000, noise=0)")
    np.testing.assert_array_equal(data.targets, (data.inputs.prod(axis=1) < 0).astype(int))


def test_gaussian_inputs_have_mean_zero_and_variance_one() -> None:
    data = draw("gaussian(samples=256, features=512, classes=10)")
    count = 256 * 512
    assert abs(data.inputs.mean()) < 4 / math.sqrt(count)
    assert abs(data.inputs.var() - 1) < 4 * math.sqrt(2 / count)
    assert data.outputs == 10


def test_teacher_makes_classes_when_asked() -> None:
    data = draw("teacher(classes=4)")
    assert data.task == "classification"
    assert set(data.targets) == {0, 1, 2, 3}
    assert data.noise_variance is None


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("teacher(classes=1)", {}, "expected 0 for regression"),
        ("gaussian(samples=5, classes=10)", {}, "fewer than the 10 classes"),
        ("gaussian(samples=10000000, features=60000)", {}, "lower samples or features"),
        ("moons(noise=-1)", {}, "noise"),
        ("moons(samples=1)", {}, "samples"),
        ("moons(colour=3)", {}, "colour"),
        ("sine", {"task": "classification"}, "regression set"),
        ("moons", {"target": "x1"}, "target is for files"),
    ],
)
def test_impossible_parameters_are_one_clear_line(
    text: str, options: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        draw(text, **options)
    assert "\n" not in str(caught.value)
