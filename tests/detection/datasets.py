"""Data sets made for one fault each, written as `.npz` files, so that a case names them by path
like anybody's data.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlprobe.data.sets.embedded import read_embedded

Arrays = dict[str, np.ndarray]


def write_all(folder: Path) -> Path:
    """Write every set into `folder` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for make in (
        onezero,
        square,
        power4,
        power4_scaled,
        leak,
        rare,
        fuel,
        fuel10,
        fuel_shuffled,
        many,
    ):
        np.savez(folder / f"{make.__name__}.npz", **make(np.random.default_rng(7)))
    return folder


def onezero(rng: np.random.Generator) -> Arrays:
    """128 features, all ones or all zeros; the class says which."""
    classes = np.arange(400) % 2
    return {"X": np.repeat(classes[:, None], 128, axis=1).astype(float), "y": classes}


def square(rng: np.random.Generator) -> Arrays:
    """y = 5x² + noise."""
    x = rng.uniform(-5.0, 5.0, (600, 1))
    return {"X": x, "y": 5.0 * x[:, 0] ** 2 + rng.standard_normal(600)}


def power4(rng: np.random.Generator) -> Arrays:
    """y = x⁴ for the whole numbers of [−100, 100)."""
    x = np.arange(-100.0, 100.0)[:, None]
    return {"X": x, "y": x[:, 0] ** 4}


def power4_scaled(rng: np.random.Generator) -> Arrays:
    """The same with a standardized target."""
    found = power4(rng)
    return {"X": found["X"], "y": (found["y"] - found["y"].mean()) / found["y"].std()}


def leak(rng: np.random.Generator) -> Arrays:
    """300 digits, each four times."""
    arrays = _digits()
    chosen = rng.permutation(len(arrays["X"]))[:300]
    return {"X": np.tile(arrays["X"][chosen], (4, 1)), "y": np.tile(arrays["y"][chosen], 4)}


def rare(rng: np.random.Generator) -> Arrays:
    """1,960 points of class 0 and 40 of class 1 around another centre, 5.7 deviations away."""
    common, few = rng.standard_normal((1960, 8)), rng.standard_normal((40, 8)) + 2.0
    return {"X": np.concatenate([common, few]), "y": np.repeat([0, 1], [1960, 40])}


def fuel(rng: np.random.Generator) -> Arrays:
    """Nine features of the scales of Auto MPG (cylinders, displacement, horsepower, weight, …,
    origin one-hot) and a smooth target with noise.
    """
    n = 1200
    size = rng.standard_normal(n)
    scale, shift = (
        np.array([1.7, 104.0, 38.0, 847.0, 2.8, 3.7]),
        np.array([5.5, 194.0, 104.0, 2978.0, 15.6, 76.0]),
    )
    plain = 0.8 * size[:, None] + 0.6 * rng.standard_normal(
        (n, 6)
    )  # (n, 6), correlated as the originals are
    origin = np.eye(3)[rng.integers(0, 3, n)]
    target = (
        23.5
        - 5.0 * np.tanh(plain[:, 3])
        - 2.0 * plain[:, 2]
        + 1.5 * plain[:, 5]
        + 2.0 * origin[:, 2]
        + 1.5 * rng.standard_normal(n)
    )
    return {"X": np.concatenate([plain * scale + shift, origin], axis=1), "y": target}


def fuel10(rng: np.random.Generator) -> Arrays:
    """The target in other units."""
    found = fuel(rng)
    return {"X": found["X"], "y": 10.0 * found["y"]}


def fuel_shuffled(rng: np.random.Generator) -> Arrays:
    """Targets of other rows."""
    found = fuel(rng)
    return {"X": found["X"], "y": np.random.default_rng(8).permutation(found["y"])}


def _digits() -> Arrays:
    draw = read_embedded("digits")
    return {"X": np.asarray(draw.inputs), "y": np.asarray(draw.targets)}


def many(rng: np.random.Generator) -> Arrays:
    """40 classes of 12 samples each around centres far apart."""
    centres = 6.0 * rng.standard_normal((40, 10))
    return {
        "X": np.repeat(centres, 12, axis=0) + rng.standard_normal((480, 10)),
        "y": np.repeat(np.arange(40), 12),
    }
