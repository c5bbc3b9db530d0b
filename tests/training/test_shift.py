"""`augment = shift`: against NumPy's own shift of every image by the offsets that the engine
draws, and what is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlprobe.config import from_mapping
from dlprobe.data import load, prepare
from dlprobe.errors import ConfigError
from dlprobe.nn import augmentation, random
from dlprobe.nn.random import epoch_order
from dlprobe.training.trainer import Session, start

Array = Any
SEED, STEPS, BATCH = 5, 4, 16


def session(augment: str | None, **tables: dict[str, Any]) -> Session:
    """A linear net for digits, its training steps plain gradient descent."""
    base: dict[str, Any] = {"data": {"data": "digits"}, "model": {"layers": [], "init": "zeros"}}
    base["training"] = {
        "optimizer": "sgd",
        "loss": "mse",
        "lr": 0.01,
        "batch_size": BATCH,
        "seed": SEED,
        "dtype": "float64",
        "steps": STEPS,
    }
    mapping = {table: {**values, **tables.get(table, {})} for table, values in base.items()}
    if augment is not None:
        mapping["data"]["augment"] = augment
    config = from_mapping(mapping)
    seed = config.training.seed
    return start(config, prepare(load(config.data, seed), config.data, seed, config.training.dtype))


def offsets(pixels: int, rows: int, step: int) -> list[tuple[int, int]]:
    """What each image of a batch moves by, down and right, replayed from the counters."""
    with np.errstate(over="ignore"):
        key = random.stream(np.uint64(SEED), np.uint64(random.SHIFT), np.uint64(step))
        return [
            (
                int(augmentation.moved(pixels, key, 2 * i)),
                int(augmentation.moved(pixels, key, 2 * i + 1)),
            )
            for i in range(rows)
        ]


def shifted(image: Array, down: int, right: int, fill: float) -> Array:
    """The image framed by `fill`, rolled by NumPy, and cut out again."""
    frame = max(abs(down), abs(right))
    rolled = np.roll(np.pad(image, frame, constant_values=fill), (down, right), axis=(0, 1))
    return rolled[frame : frame + len(image), frame : frame + len(image)]


def batch_by_hand(run: Session, step: int, pixels: int, fill: float) -> tuple[Array, Array]:
    """Inputs and targets of a step: raw images, shifted by NumPy, then scaled as every sample
    is.
    """
    dataset = load(run.config.data, SEED)
    chosen = epoch_order(SEED, 0, len(run.data.inputs["train"]))[step * BATCH :][:BATCH]
    raw = dataset.inputs[run.data.indices["train"][chosen]].reshape(-1, 8, 8)
    moved = [
        shifted(image, *by, fill).ravel()
        for image, by in zip(raw, offsets(pixels, len(raw), step), strict=True)
    ]
    return run.data.scaler.apply(np.array(moved)), run.trained_targets[chosen]


@pytest.mark.parametrize(
    ("augment", "pixels", "fill"), [("shift", 1, 0.0), ("shift(pixels=3, fill=7.5)", 3, 7.5)]
)
def test_every_image_of_a_batch_is_numpys_shift_of_it(
    augment: str, pixels: int, fill: float
) -> None:
    """Four steps of gradient descent on a linear net, by hand on the shifted images."""
    run = session(augment)
    weights, bias = np.zeros((64, 10)), np.zeros(10)
    for step in range(STEPS):
        x, y = batch_by_hand(run, step, pixels, fill)
        error = 2 * (x @ weights + bias - y) / len(x)
        weights, bias = weights - 0.01 * x.T @ error, bias - 0.01 * error.sum(axis=0)
    run.network.train(run.data.inputs["train"], run.trained_targets, 0, np.full(STEPS, 0.01))
    np.testing.assert_allclose(run.network.weights(0), weights, rtol=0, atol=1e-9)
    np.testing.assert_allclose(run.network.biases(0), bias, rtol=0, atol=1e-9)


def test_shifted_images_are_mixed() -> None:
    """Beside mixup each image is shifted by itself, then mixed with the shifted one of its
    partner.
    """
    run = session("shift(pixels=2)", training={"mixup": 0.4})
    x, y = batch_by_hand(run, 0, 2, 0.0)
    partner = np.arange(BATCH)
    with np.errstate(over="ignore"):
        augmentation.partners(partner, np.uint64(SEED), np.uint64(0))
    (share,) = augmentation.mixing_shares(0.4, SEED, 0, 1)
    x, y = (share * each + (1 - share) * each[partner] for each in (x, y))
    run.network.train(run.data.inputs["train"], run.trained_targets, 0, np.array([0.1]))
    np.testing.assert_allclose(
        run.network.weights(0), 0.1 * x.T @ (2 * y / len(x)), rtol=0, atol=1e-9
    )


def test_offsets_are_uniform_and_anew_in_every_step() -> None:
    """Each of the 5 offsets in both directions; five standard errors of 4,000 draws."""
    drawn = np.array([offset for step in range(40) for offset in offsets(2, 50, step)])
    for direction in drawn.T:
        counts = np.bincount(direction + 2, minlength=5)
        assert len(counts) == 5
        assert abs(counts - 400).max() < 5 * (2000 * 0.2 * 0.8) ** 0.5
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 5 / 2000**0.5
    assert offsets(2, 50, 0) != offsets(2, 50, 1)


def test_evaluation_sees_images_as_they_are() -> None:
    with_shift, without = (
        session("shift(pixels=2)", data={"scaling": "none"}),
        session(None, data={"scaling": "none"}),
    )
    for run in (with_shift, without):
        run.network.weights(0)[:] = np.linspace(-1, 1, 640).reshape(64, 10)
    found = [
        run.network.evaluate(run.data.inputs["val"], run.targets["val"]).outputs
        for run in (with_shift, without)
    ]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("scaling", ["standardize", "minmax"])
def test_the_scaler_is_that_of_all_shifts_of_the_training_images(scaling: str) -> None:
    """A faint border pixel that a stroke moves to is not hundreds of deviations off."""
    run = session("shift(pixels=2, fill=3)", data={"scaling": scaling})
    images = load(run.config.data, SEED).inputs[run.data.indices["train"]].reshape(-1, 8, 8)
    moved = np.array(
        [
            shifted(image, down, right, 3.0)
            for down in range(-2, 3)
            for right in range(-2, 3)
            for image in images
        ]
    ).reshape(-1, 64)
    shift, spread = (
        (moved.mean(axis=0), moved.std(axis=0))
        if scaling == "standardize"
        else (moved.min(axis=0), np.ptp(moved, axis=0))
    )
    np.testing.assert_allclose(run.data.scaler.shift, shift, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(run.data.scaler.scale, 1 / spread, rtol=1e-12)
    np.testing.assert_allclose(run.data.feature_mean, images.reshape(-1, 64).mean(axis=0))


@pytest.mark.parametrize(
    ("data", "augment", "reason"),
    [
        (
            "wine",
            "shift",
            r"wine has 13 features \('alcohol', 'malic_acid', …\): expected square images",
        ),
        ("gaussian(features=1)", "shift", r"has 1 feature \('x1'\): expected square images"),
        (
            "digits",
            "shift(pixels=8)",
            "the images are 8 × 8 pixels: expected fewer pixels than that",
        ),
        ("digits", "shift(pixels=0)", "pixels"),
        ("digits", "shfit", "did you mean 'shift'"),
    ],
)
def test_what_is_no_square_image_is_refused_in_one_line(
    data: str, augment: str, reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason) as refused:
        session(augment, data={"data": data})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("shape", "side"), [((8, 8), 8), ((1, 8, 8), 8), ((64,), 8), ((2, 32), 0), ((4, 4, 4), 0)]
)
def test_an_array_says_whether_its_samples_are_square(
    tmp_path: Path, shape: tuple[int, ...], side: int
) -> None:
    """64 numbers are no image of 8 × 8 where the file has them in another shape."""
    np.savez(
        tmp_path / "a.npz", X=np.random.default_rng(0).random((40, *shape)), y=np.arange(40) % 2
    )
    data = {"data": str(tmp_path / "a.npz")}
    if side:
        assert session("shift", data=data).model.image[:2] == (1.0, 8.0)
    else:
        with pytest.raises(ConfigError, match=r"each sample of a\.npz has shape"):
            session("shift", data=data)


def test_a_table_whose_columns_are_called_differently_is_no_image(tmp_path: Path) -> None:
    """Four measurements of a flower are a square number too."""
    rows = "\n".join(f"{k},{k % 7},{k % 3},{k % 5},{'ab'[k % 2]}" for k in range(40))
    (tmp_path / "iris.csv").write_text(
        f"sepal length,sepal width,petal length,petal width,species\n{rows}\n", encoding="utf-8"
    )
    with pytest.raises(
        ConfigError, match=r"iris\.csv has 4 features \('sepal length', 'sepal width', …\)"
    ):
        session("shift", data={"data": str(tmp_path / "iris.csv"), "target": "species"})
