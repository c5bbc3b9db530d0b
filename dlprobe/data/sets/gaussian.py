"""Independent normal inputs with random labels."""

from __future__ import annotations

import numpy as np

from dlprobe.data.named_sets import (
    Draw,
    add_set,
    balanced,
    class_numbers,
    classes,
    features,
    samples,
)


def gaussian(rng: np.random.Generator, samples: int, features: int, classes: int) -> Draw:
    return Draw(
        rng.standard_normal((samples, features)),
        balanced(rng, samples, classes),
        class_numbers(classes),
    )


add_set(
    name="gaussian",
    summary=(
        "independent N(0, 1) inputs, random labels: nothing to learn, everything to propagate"
    ),
    task="classification",
    make=gaussian,
    formula="x ~ N(0, 1) independent; classes of equal size in random order",
    source="the input of mean-field theory: Poole, Lahiri, Raghu, Sohl-Dickstein & Ganguli 2016, "
    "Exponential expressivity in deep neural networks",
    parameters=(samples(256), features(512), classes(10)),
    use="Signal propagation at initialization, measured beside theory; memorisation of "
    "random labels.",
    traps="Validation accuracy is chance by construction.",
)
