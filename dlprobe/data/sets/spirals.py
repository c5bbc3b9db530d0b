"""Spirals."""

from __future__ import annotations

import numpy as np

from dlprobe.data.named_sets import Draw, add_set, balanced, class_numbers, noise, samples
from dlprobe.registry import Parameter


def spirals(rng: np.random.Generator, samples: int, arms: int, turns: float, noise: float) -> Draw:
    arm = balanced(rng, samples, arms)
    radius = rng.uniform(0.0, 1.0, samples)
    angle = 2.0 * np.pi * (turns * radius + arm / arms)
    clean = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)  # (samples, 2)
    return Draw(clean + noise * rng.standard_normal(clean.shape), arm, class_numbers(arms))


add_set(
    name="spirals",
    summary="intertwined spirals in the plane, one class per arm",
    task="classification",
    make=spirals,
    formula="r ~ U(0, 1), angle = 2π(turns·r + k/arms), x = r(cos, sin) + noise",
    source="after Lang & Witbrock 1988, Learning to tell two spirals apart",
    parameters=(
        samples(600),
        Parameter("arms", 2, "number of spirals, one class each", low=2, high=100),
        Parameter("turns", 1.5, "turns of each arm around the centre", low=0.0, high=100.0),
        noise(0.02, "both coordinates"),
    ),
    use="A boundary that a shallow or dead net cannot draw.",
    traps=("Neighbouring arms are 1/(arms·turns) apart: noise near a quarter of that mixes them."),
)
