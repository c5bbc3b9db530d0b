"""A linear function with known noise."""

from __future__ import annotations

import math

import numpy as np

from dlprobe.data.named_sets import (
    TRUTH,
    Draw,
    add_set,
    features,
    noise,
    samples,
    truth_generator,
    with_noise,
)


def linear(rng: np.random.Generator, samples: int, features: int, noise: float, truth: int) -> Draw:
    inputs = rng.standard_normal((samples, features))
    weights = truth_generator(truth, "linear").standard_normal((features, 1)) / math.sqrt(features)
    return with_noise(rng, inputs, inputs @ weights, noise)


add_set(
    name="linear",
    summary="a random linear function of normal inputs, normal noise of known variance",
    task="regression",
    make=linear,
    formula="x ~ N(0, 1); y = x·w + noise, w ~ N(0, 1/features)",
    source="Hastie, Tibshirani & Friedman 2009, The Elements of Statistical Learning, §7.3",
    parameters=(samples(200), features(10), noise(0.5, "the target"), TRUTH),
    use="A linear model reaches the noise floor and has excess error noise²·features/(samples "
    "− features − 1): numbers to compare with.",
)
