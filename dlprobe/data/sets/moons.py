"""Two half circles that reach into each other."""

from __future__ import annotations

import numpy as np

from dlprobe.data.named_sets import Draw, add_set, balanced, class_numbers, noise, samples


def moons(rng: np.random.Generator, samples: int, noise: float) -> Draw:
    moon = balanced(rng, samples, 2)
    angle = rng.uniform(0.0, np.pi, samples)
    outer = np.stack([np.cos(angle), np.sin(angle)], axis=1)  # (samples, 2)
    clean = np.where(moon[:, None] == 0, outer, np.array([1.0, 0.5]) - outer)
    return Draw(clean + noise * rng.standard_normal(clean.shape), moon, class_numbers(2))


add_set(
    name="moons",
    summary="two half circles of radius 1 that reach into each other",
    task="classification",
    make=moons,
    formula=("t ~ U(0, π); class 0: (cos t, sin t), class 1: (1 − cos t, 1/2 − sin t), plus noise"),
    source="the two-moons problem as in scikit-learn's make_moons, with random angles",
    parameters=(samples(500), noise(0.2, "both coordinates")),
    use="A small problem with a curved boundary.",
)
