"""The scalars of a step, each by its name against softmax regression done by hand in NumPy:
whatever order the engine and the file keep them in.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import pytest

import dlprobe
from dlprobe.commands import main
from dlprobe.record import layout

STEPS, SAMPLES, FEATURES, CLASSES = 6, 12, 4, 3
START, LAMBDA, RATE, MOMENTUM, BOUND = 0.1, 0.05, 0.4, 0.8, 0.4
Scalars: TypeAlias = tuple[dict[str, np.ndarray], dict[str, list[float]]]  # as stored, by hand
OPTIONS = (
    *(
        "--task",
        "classification",
        "--layers",
        "",
        "--init",
        f"constant(value={START})",
        "--bias-init",
        "zeros",
        "--scaling",
        "none",
        "--split",
        "100,0,0",
        "--dtype",
        "float64",
    ),
    *(
        "--optimizer",
        f"momentum(momentum={MOMENTUM})",
        "--lr",
        str(RATE),
        "--schedule",
        "exponential(tenfold=4, unit=step)",
        "--l2",
        str(LAMBDA),
    ),
    *(
        "--clip-global-norm",
        str(BOUND),
        "--batch-size",
        "full",
        "--steps",
        str(STEPS),
        "--evaluate-every",
        "never",
    ),
)


def by_hand(x: np.ndarray, y: np.ndarray) -> dict[str, list[float]]:
    """Every scalar of every step: loss = mean cross-entropy of softmax(xW + b), penalty = λ Σ
    w², heavy ball, the gradient shrunk to the bound's norm.
    """
    w, b = np.full((FEATURES, CLASSES), START), np.zeros(CLASSES)
    velocity_w, velocity_b = np.zeros_like(w), np.zeros_like(b)
    found: dict[str, list[float]] = {name: [] for name in layout.SCALARS}
    for step in range(STEPS):
        z = x @ w + b
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        error = (p - np.eye(CLASSES)[y]) / SAMPLES
        gradient_w, gradient_b = x.T @ error + 2 * LAMBDA * w, error.sum(axis=0)
        norm = math.sqrt((gradient_w**2).sum() + (gradient_b**2).sum())
        scale, rate = min(1.0, BOUND / norm), RATE * 10 ** (-step / 4)
        numbers = {
            "batch_loss": -np.log(p[np.arange(SAMPLES), y]).mean(),
            "penalty": LAMBDA * (w**2).sum(),
            "learning_rate": rate,
            "momentum": MOMENTUM,
            "gradient_norm": norm,
            "clip_scale": scale,
            "clipped_gradient_norm": scale * norm,
        }
        for name, value in numbers.items():
            found[name].append(float(value))
        velocity_w, velocity_b = (
            MOMENTUM * velocity_w + scale * gradient_w,
            MOMENTUM * velocity_b + scale * gradient_b,
        )
        w, b = w - rate * velocity_w, b - rate * velocity_b
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Scalars:
    """Every scalar as the file has it, and by hand."""
    folder = tmp_path_factory.mktemp("scalars")
    draw = np.random.default_rng(3)
    x, y = draw.standard_normal((SAMPLES, FEATURES)), np.arange(SAMPLES) % CLASSES
    np.savez(folder / "data.npz", X=x, y=y)
    assert (
        main(
            [
                "train",
                "--data",
                str(folder / "data.npz"),
                "--quiet",
                *OPTIONS,
                "-o",
                str(folder / "run.h5"),
            ]
        )
        == 0
    )
    with dlprobe.open_run(folder / "run.h5") as run:
        return {name: run.scalar(name) for name in run.scalars}, by_hand(x, y)


def test_every_scalar_of_the_file_is_known_by_hand(trained: Scalars) -> None:
    stored, expected = trained
    assert set(stored) == set(expected) == set(layout.SCALARS)
    assert len(np.unique(np.array(list(expected.values())).round(6), axis=0)) == len(expected), (
        "two could be mistaken for each other"
    )


@pytest.mark.parametrize("name", layout.SCALARS)
def test_a_scalar_is_stored_under_its_own_name(name: str, trained: Scalars) -> None:
    stored, expected = trained
    np.testing.assert_allclose(stored[name], expected[name], rtol=1e-10)


def test_clipping_acts_in_some_steps_and_not_in_others(trained: Scalars) -> None:
    scale = trained[1]["clip_scale"]
    assert min(scale) < 1.0 == max(scale)


def test_the_first_loss_is_ln_of_the_classes(trained: Scalars) -> None:
    """Equal weights give every class the same probability."""
    assert trained[0]["batch_loss"][0] == pytest.approx(math.log(CLASSES), rel=1e-12)
    assert trained[0]["penalty"][0] == pytest.approx(
        LAMBDA * START**2 * FEATURES * CLASSES, rel=1e-12
    )
