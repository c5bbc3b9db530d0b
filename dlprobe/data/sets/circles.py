"""A circle inside a circle."""

from __future__ import annotations

import numpy as np

from dlprobe.data.named_sets import Draw, add_set, balanced, class_numbers, noise, samples
from dlprobe.registry import Parameter


def circles(rng: np.random.Generator, samples: int, factor: float, noise: float) -> Draw:
    inner = balanced(rng, samples, 2)
    angle = rng.uniform(0.0, 2.0 * np.pi, samples)
    radius = np.where(inner == 1, factor, 1.0)
    clean = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)  # (samples, 2)
    return Draw(clean + noise * rng.standard_normal(clean.shape), inner, class_numbers(2))


add_set(
    name="circles",
    summary="a circle of radius 1 (class 0) around one of radius `factor` (class 1)",
    task="classification",
    make=circles,
    formula="t ~ U(0, 2π); x = radius·(cos t, sin t) + noise",
    source="the two-circles problem as in scikit-learn's make_circles, with random angles",
    parameters=(
        samples(500),
        Parameter("factor", 0.5, "radius of the inner circle", low=0.0, high=1.0, open_high=True),
        noise(0.1, "both coordinates"),
    ),
    use=("No linear model is better than chance: what a net without working hidden layers shows."),
)
