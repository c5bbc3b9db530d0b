"""A sine with known noise."""

from __future__ import annotations

import numpy as np

from dlprobe.data.named_sets import Draw, add_set, noise, samples, with_noise
from dlprobe.registry import Parameter


def sine(rng: np.random.Generator, samples: int, cycles: float, noise: float) -> Draw:
    inputs = rng.uniform(-1.0, 1.0, (samples, 1))
    return with_noise(rng, inputs, np.sin(np.pi * cycles * inputs), noise)


add_set(
    name="sine",
    summary="one input, the sine of it, normal noise of known variance",
    task="regression",
    make=sine,
    formula="x ~ U(−1, 1); y = sin(π·cycles·x) + noise",
    source="the textbook example of bias and variance: Bishop 2006, Pattern Recognition and "
    "Machine Learning, §3.2",
    parameters=(
        samples(200),
        Parameter("cycles", 1.0, "full waves over the range of the input", low=0.0, high=1000.0),
        noise(0.3, "the target"),
    ),
    use="Exact bias and variance: the truth and the noise are known.",
)
