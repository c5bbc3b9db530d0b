"""A random network as teacher."""

from __future__ import annotations

import math

import numpy as np

from dlprobe.data.dataset import Floats
from dlprobe.data.named_sets import (
    TRUTH,
    Draw,
    add_set,
    class_numbers,
    classes,
    features,
    noise,
    samples,
    truth_generator,
    with_noise,
)
from dlprobe.errors import ConfigError
from dlprobe.registry import Parameter


def teacher(
    rng: np.random.Generator,
    samples: int,
    features: int,
    hidden: int,
    classes: int,
    gain: float,
    noise: float,
    truth: int,
) -> Draw:
    if classes == 1:
        raise ConfigError("classes = 1 in teacher: expected 0 for regression, or 2 and more")
    inputs = rng.standard_normal((samples, features))
    outputs = network(truth_generator(truth, "teacher"), inputs, hidden, max(classes, 1), gain)
    if not classes:
        return with_noise(rng, inputs, outputs, noise)
    noisy = outputs + noise * rng.standard_normal(outputs.shape)
    return Draw(inputs, noisy.argmax(axis=1).astype(np.int64), class_numbers(classes))


def network(
    rng: np.random.Generator, inputs: Floats, hidden: int, outputs: int, gain: float
) -> Floats:
    """(samples, outputs) of one hidden tanh layer without bias parameters; float64."""
    first = rng.standard_normal((inputs.shape[1], hidden)) * (gain / math.sqrt(inputs.shape[1]))
    second = rng.standard_normal((hidden, outputs)) / math.sqrt(hidden)
    return np.asarray(np.tanh(inputs @ first) @ second)


add_set(
    name="teacher",
    summary="targets from a random tanh network: numbers, or the class of its largest output",
    task="regression",
    make=teacher,
    formula="x ~ N(0, 1); f = tanh(x·W₁)·W₂, W₁ ~ N(0, gain²/features), W₂ ~ N(0, 1/hidden); y = f "
    "+ noise, or argmax(f + noise)",
    source="student-teacher learning: Gardner & Derrida 1989, Three unfinished works on the "
    "optimal storage capacity of networks",
    parameters=(
        samples(1000),
        features(10),
        Parameter("hidden", 20, "units of the teacher's hidden layer", low=1, high=10_000),
        classes(0, low=0),
        Parameter(
            "gain", 2.0, "how far into the bend of tanh the teacher works", low=0.0, high=100.0
        ),
        noise(0.1, "each output of the teacher"),
        TRUTH,
    ),
    use="Capacity and learning curves where the right answer is a network.",
    traps="classes=0 is regression; with classes the noise is on the outputs before the largest is "
    "taken, and class sizes are not equal.",
)
