"""Normal clouds."""

from __future__ import annotations

import numpy as np

from dlprobe.data.named_sets import (
    TRUTH,
    Draw,
    add_set,
    balanced,
    class_numbers,
    classes,
    features,
    samples,
    truth_generator,
)
from dlprobe.registry import Parameter


def blobs(
    rng: np.random.Generator, samples: int, classes: int, features: int, std: float, truth: int
) -> Draw:
    centres = truth_generator(truth, "blobs").uniform(-10.0, 10.0, (classes, features))
    blob = balanced(rng, samples, classes)
    return Draw(
        centres[blob] + std * rng.standard_normal((samples, features)), blob, class_numbers(classes)
    )


add_set(
    name="blobs",
    summary="one normal cloud per class around random centres",
    task="classification",
    make=blobs,
    formula="centre ~ U(−10, 10) in each feature; x = centre + std·N(0, 1)",
    source="the blobs problem as in scikit-learn's make_blobs",
    parameters=(
        samples(500),
        classes(3),
        features(2),
        Parameter("std", 1.0, "standard deviation of each cloud", low=0.0, high=1e6),
        TRUTH,
    ),
    use="Easy data: a net that fails here fails by itself.",
    traps="In two dimensions centres may lie close together; truth draws others.",
)
