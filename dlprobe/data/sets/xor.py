"""Exclusive or."""

from __future__ import annotations

import numpy as np

from dlprobe.data.named_sets import Draw, add_set, class_numbers, noise, samples

LOGIC = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def xor(rng: np.random.Generator, samples: int, noise: float) -> Draw:
    if samples == 4:
        notes = ("xor with samples = 4 is the logic table, without noise",)
        return Draw(
            LOGIC.copy(),
            np.array([0, 1, 1, 0], dtype=np.int64),
            class_numbers(2),
            ("a", "b"),
            notes=notes,
        )
    clean = rng.uniform(-1.0, 1.0, (samples, 2))
    labels = (clean[:, 0] * clean[:, 1] < 0.0).astype(np.int64)
    return Draw(clean + noise * rng.standard_normal(clean.shape), labels, class_numbers(2))


add_set(
    name="xor",
    summary="exclusive or: the four-row logic table (samples=4), or noisy quadrants",
    task="classification",
    make=xor,
    formula="samples=4: (0,0)→0 (0,1)→1 (1,0)→1 (1,1)→0; else x ~ U(−1, 1)², class 1 where x₁x₂ < "
    "0, plus noise",
    source="Minsky & Papert 1969, Perceptrons",
    parameters=(
        samples(400),
        noise(0.05, "both coordinates, after the class is decided (none with samples=4)"),
    ),
    use="The smallest problem that needs a hidden layer.",
    traps="With samples=4 use split=100,0,0.",
)
