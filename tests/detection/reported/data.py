"""Data of the forms that people report nets on which would not learn, made anew and small,
written as `.npz` files that a case names by path.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlprobe.data.sets.embedded import read_embedded

from ..datasets import Arrays

SEED = 20261130
Rng = np.random.Generator


def write_reported(folder: Path) -> Path:
    """Write every set into `folder` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for make in MAKERS:  # one seed for all: the same rows in other units stay the same rows
        np.savez(folder / f"{make.__name__}.npz", **make(np.random.default_rng(SEED)))
    return folder


def bits_xor(rng: Rng) -> Arrays:
    """1,000 rows of the four-row table: every row occurs some 250 times, without noise."""
    x = rng.integers(0, 2, (1000, 2))
    return {"X": x.astype(float), "y": x[:, 0] ^ x[:, 1]}


def parity3(rng: Rng) -> Arrays:
    """600 rows of the eight-row table of three bits' parity, without noise."""
    x = rng.integers(0, 2, (600, 3))
    return {"X": x.astype(float), "y": x.sum(axis=1) % 2}


def bits_majority(rng: Rng) -> Arrays:
    """40 rows of three bits, which hold at most 8 distinct ones; the class is their majority."""
    x = rng.integers(0, 2, (40, 3))
    return {"X": x.astype(float), "y": (x.sum(axis=1) > 1).astype(int)}


def bits_noisy(rng: Rng) -> Arrays:
    """1,200 rows of three bits, the majority, one label in five turned: no net gets below an
    error of about .2.
    """
    x = rng.integers(0, 2, (1200, 3))
    return {"X": x.astype(float), "y": (x.sum(axis=1) > 1) ^ (rng.random(1200) < 0.2)}


def flowers(rng: Rng) -> Arrays:
    """The form of Fisher's iris: three classes of 100, four lengths in centimetres; one class
    far off, two side by side.
    """
    centres = np.array([[5.0, 3.4, 1.5, 0.25], [5.9, 2.8, 4.3, 1.3], [6.6, 3.0, 5.6, 2.05]])
    spread = np.array([[0.35, 0.35, 0.17, 0.1], [0.5, 0.3, 0.45, 0.2], [0.6, 0.3, 0.5, 0.25]])
    y = np.repeat(np.arange(3), 100)
    return {"X": centres[y] + spread[y] * rng.standard_normal((300, 4)), "y": y}


def flowers_mixed_units(rng: Rng) -> Arrays:
    """The same, one length in micrometres."""
    found = flowers(rng)
    return {"X": found["X"] * np.array([1e4, 1.0, 1.0, 1.0]), "y": found["y"]}


def survey(rng: Rng) -> Arrays:
    """12 answers of 8 levels each, one-hot, and three classes by a noisy sum of scores (after
    the report of a dating survey).
    """
    levels, columns, score = rng.integers(0, 8, (2000, 12)), [], np.zeros(2000)
    for answers in levels.T:
        columns.append(np.eye(8)[answers])
        score += rng.standard_normal(8)[answers]
    score += 2.5 * rng.standard_normal(2000)
    return {
        "X": np.concatenate(columns, axis=1),
        "y": np.digitize(score, np.quantile(score, [0.4, 0.75])),
    }


def line100(rng: Rng) -> Arrays:
    """y = 5x + 3 + noise for x in 0 … 100."""
    x = rng.random((500, 1)) * 100.0
    return {"X": x, "y": 5.0 * x[:, 0] + 3.0 + 0.1 * rng.standard_normal(500)}


def celsius(rng: Rng) -> Arrays:
    """Degrees Fahrenheit of −500 … 500 degrees Celsius, read to 0.3 degrees."""
    x = rng.uniform(-500.0, 500.0, (1000, 1))
    return {"X": x, "y": 1.8 * x[:, 0] + 32.0 + 0.3 * rng.standard_normal(1000)}


def sum50(rng: Rng) -> Arrays:
    """Two numbers of 0 … 100, and whether their sum is above 50."""
    x = rng.random((2000, 2)) * 100.0
    return {"X": x, "y": (x.sum(axis=1) > 50.0).astype(int)}


def colours(rng: Rng) -> Arrays:
    """Red, green and blue of 0 … 255, and whether black or white text is read better on them."""
    x = rng.integers(0, 256, (600, 3)).astype(float)
    return {"X": x, "y": (x @ np.array([0.299, 0.587, 0.114]) > 128.0).astype(int)}


def colours01(rng: Rng) -> Arrays:
    """The same, divided by 255."""
    found = colours(rng)
    return {"X": found["X"] / 255.0, "y": found["y"]}


def windows(rng: Rng) -> Arrays:
    """Windows 1…5, 2…6, 3…7, 4…8, and the targets 3, 4, 5, 6."""
    start = np.tile(np.arange(4), 30)
    return {
        "X": start[:, None] + np.arange(1.0, 6.0) + 0.02 * rng.standard_normal((120, 5)),
        "y": start + 3.0 + 0.001 * rng.standard_normal(120),
    }


def houses(rng: Rng) -> Arrays:
    """Area, rooms, income, age, distance, tax rate as such tables have them, and a price of
    some 300,000 ± 100,000 with noise of 25,000.
    """
    z = rng.standard_normal((500, 6))
    x = np.stack(
        [
            120 + 40 * z[:, 0],
            4 + 1.2 * z[:, 1],
            52e3 + 18e3 * z[:, 2],
            35 + 12 * z[:, 3],
            8 + 3 * z[:, 4],
            0.02 + 0.004 * z[:, 5],
        ],
        axis=1,
    )
    worth = 60 * z[:, 0] + 45 * np.tanh(1.5 * z[:, 2]) + 20 * z[:, 1] - 25 * np.abs(z[:, 4])
    return {"X": x, "y": 1e3 * (300 + worth + 25 * rng.standard_normal(500))}


def houses_shuffled(rng: Rng) -> Arrays:
    """Prices of other houses."""
    found = houses(rng)
    return {"X": found["X"], "y": rng.permutation(found["y"])}


def boiling(rng: Rng) -> Arrays:
    """A pressure of 1,000 ± 1 hectopascal from four readings: the mean is a thousand deviations
    from 0.
    """
    x = rng.standard_normal((500, 4))
    return {
        "X": x,
        "y": 1000.0
        + np.tanh(x[:, 0])
        + 0.6 * x[:, 1]
        - 0.4 * x[:, 2] * x[:, 3]
        + 0.1 * rng.standard_normal(500),
    }


def charges(rng: Rng) -> Arrays:
    """Targets of some 1e-5 from four readings."""
    found = boiling(rng)
    return {"X": found["X"], "y": 1e-5 * (found["y"] - 1000.0)}


def signed(rng: Rng) -> Arrays:
    """A smooth target of −1 … 1 from three readings, half of it below 0."""
    x = rng.standard_normal((500, 3))
    return {"X": x, "y": np.tanh(x[:, 0] - 0.5 * x[:, 1]) * 0.8 + 0.03 * rng.standard_normal(500)}


def counts(rng: Rng) -> Arrays:
    """A target that is never below 0: a count of 0 … 12 or so, its expectation softplus of a
    linear function.
    """
    x = rng.standard_normal((600, 3))
    return {
        "X": x,
        "y": rng.poisson(np.log1p(np.exp(1.5 + 1.5 * x[:, 0] - x[:, 1]))).astype(float) + 0.0,
    }


def overpar(rng: Rng) -> Arrays:
    """64 points of 300 inputs, and targets that have nothing to do with them."""
    return {"X": rng.standard_normal((64, 300)), "y": rng.standard_normal(64)}


def amounts(rng: Rng) -> Arrays:
    """Two classes, 88 to 12 %, by 20 amounts, counts and rates of magnitudes 0.1 … 100,000."""
    z = rng.standard_normal((2000, 6))
    score = 1.6 * z[:, 0] + 1.2 * z[:, 1] - z[:, 3]
    mixed = z @ rng.standard_normal((6, 20)) + 0.5 * rng.standard_normal((2000, 20))
    size = 10.0 ** rng.integers(-1, 6, 20)
    return {
        "X": np.abs(mixed) * size * 0.3 + (mixed + 4.0) * size,
        "y": (score + 0.4 * rng.standard_normal(2000) > np.quantile(score, 0.884)).astype(int),
    }


def faults3(rng: Rng) -> Arrays:
    """A normal state and two faults of 2 % each, told apart by 6 readings, 4.5 deviations away."""
    y = np.repeat([0, 1, 2], [1920, 40, 40])
    centres = np.array([[0.0] * 6, [2.6, 2.6, 2.6, 0, 0, 0], [0, 0, 0, 2.6, 2.6, 2.6]])
    return {"X": centres[y] + rng.standard_normal((2000, 6)), "y": y}


def digits255(rng: Rng) -> Arrays:
    """Digits as bytes 0 … 255, with a border of black pixels but for one that is faint in one
    image in a hundred.
    """
    draw = read_embedded("digits")
    x = np.asarray(draw.inputs) * 255.0 / 16.0
    faint = (rng.random((len(x), 1)) < 0.01).astype(float)
    return {
        "X": np.concatenate([x, faint, np.zeros((len(x), 3))], axis=1),
        "y": np.asarray(draw.targets),
    }


def visits(rng: Rng) -> Arrays:
    """100 patients of 8 readings, each written down five times: rows of one patient fall into
    all parts.
    """
    x = rng.standard_normal((100, 8))
    y = (x[:, 0] + x[:, 1] * x[:, 2] + rng.standard_normal(100) > 0).astype(int)
    return {"X": np.repeat(x, 5, axis=0), "y": np.repeat(y, 5)}


def visits_once(rng: Rng) -> Arrays:
    """500 patients, each once, the same law with less noise."""
    x = rng.standard_normal((500, 8))
    return {"X": x, "y": (2 * x[:, 0] + x[:, 1] + 0.3 * rng.standard_normal(500) > 0).astype(int)}


def twenty_classes(rng: Rng) -> Arrays:
    """20 clouds of 30 in 12 dimensions, far apart."""
    centres = 4.0 * rng.standard_normal((20, 12))
    return {
        "X": np.repeat(centres, 30, axis=0) + rng.standard_normal((600, 12)),
        "y": np.repeat(np.arange(20), 30),
    }


MAKERS = (
    bits_xor,
    parity3,
    bits_majority,
    bits_noisy,
    flowers,
    flowers_mixed_units,
    survey,
    line100,
    celsius,
    sum50,
    colours,
    colours01,
    windows,
    houses,
    houses_shuffled,
    boiling,
    charges,
    signed,
    counts,
    overpar,
    amounts,
    faults3,
    digits255,
    visits,
    visits_once,
    twenty_classes,
)
