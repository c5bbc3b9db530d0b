"""The gamma test: known noise is found, what bends between neighbours is not taken for it, and
unfit samples are told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dlprobe.analysis.bias_variance.noise_estimate import MOST, noise_variance
from dlprobe.errors import DataError

TRUTHS: dict[str, tuple[int, Callable[[Any], Any]]] = {
    "sine": (1, lambda x: np.sin(3.0 * x[:, 0])),
    "product": (2, lambda x: x[:, 0] * x[:, 1]),
    "line in ten features": (10, lambda x: x.sum(axis=1) / np.sqrt(10)),
    "nothing": (3, lambda x: 0.0 * x[:, 0]),
}


@pytest.mark.parametrize("noise", [0.1, 0.5])
@pytest.mark.parametrize("name", TRUTHS)
def test_known_noise_is_found(name: str, noise: float) -> None:
    """1,500 normal inputs: within a tenth, or .02 where the noise is little beside what the
    function does between neighbours.
    """
    features, truth = TRUTHS[name]
    rng = np.random.default_rng(1)
    x = rng.standard_normal((1500, features))
    assert noise_variance(x, truth(x) + noise * rng.standard_normal(1500)) == pytest.approx(
        noise**2, rel=0.1, abs=0.02
    )


def test_what_a_line_does_between_neighbours_is_no_noise() -> None:
    """y = 3x on a grid of spacing .04: next neighbours differ by .12, half of its square is
    .0072; at distance 0 there is nothing left.
    """
    x = np.linspace(-1.0, 1.0, 51)
    assert noise_variance(x[:, None], 3.0 * x) < 1e-4


def test_repeated_inputs_give_the_pure_error() -> None:
    """Every input 20 times: ten neighbours at distance 0, so half the mean squared difference
    of two draws, which is the variance.
    """
    rng = np.random.default_rng(2)
    x = np.repeat(rng.standard_normal((50, 2)), 20, axis=0)
    assert noise_variance(x, 100.0 * x[:, 0] + 0.5 * rng.standard_normal(1000)) == pytest.approx(
        0.25, rel=0.1
    )


def test_outputs_count_by_their_mean() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((400, 1))
    y = rng.standard_normal((400, 2)) * np.array([1.0, 0.1])
    assert noise_variance(x, y) == pytest.approx(
        (noise_variance(x, y[:, 0]) + noise_variance(x, y[:, 1])) / 2, rel=0.01
    )


def test_of_many_samples_some_are_looked_at() -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_normal((3 * MOST, 1))
    assert noise_variance(x, x[:, 0] + 0.5 * rng.standard_normal(3 * MOST)) == pytest.approx(
        0.25, rel=0.1
    )


@pytest.mark.parametrize(
    ("inputs", "targets", "problem"),
    [
        (np.zeros((49, 2)), np.zeros(49), "49 samples are too few"),
        (np.zeros((60, 2)), np.zeros(59), "of the same samples"),
        (np.zeros(60), np.zeros(60), "expected inputs"),
        (np.full((60, 1), np.nan), np.zeros(60), "NaN"),
        (np.full((60, 1), "a"), np.zeros(60), "not numbers"),
    ],
)
def test_what_does_not_fit_is_told(inputs: Any, targets: Any, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        noise_variance(inputs, targets)
