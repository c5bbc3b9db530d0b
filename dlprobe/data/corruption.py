"""Faults put into the training part on purpose: wrong labels and far-off inputs, seeded, so
that their effect can be studied. Other parts stay as they are.
"""

from __future__ import annotations

from dataclasses import field

import numpy as np

from dlprobe.data.dataset import Array, Dataset, Floats, Indices, no_rows
from dlprobe.data.randomness import generator
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError

# how far an outlier's features lie from their mean, in standard deviations of the training part
OUTLIER_DEVIATIONS = 10.0


@dataclass(frozen=True)
class LabelNoise:
    """What was done to the training targets: positions of replaced classes, ascending, or the
    deviation of added noise (outputs,).
    """

    changed: Indices = field(default_factory=no_rows)
    std: Floats = field(default_factory=lambda: np.zeros(0))


def with_outliers(raw: Floats, share: float, seed: int) -> tuple[Floats, Indices]:
    """Raw training inputs (samples, features) in which `share` of the rows, to the nearest one, lie
    far off; and which rows those are, ascending.

    Every feature of such a row is mean ± 10 standard deviations of its column, each sign at random;
    a constant column stays constant.
    """
    if share == 0.0:
        return raw, no_rows()
    rng = generator(seed, "outliers")
    rows = some_rows(rng, len(raw), share)
    # what leaves float64 is refused by the scaler, which names the column
    with np.errstate(all="ignore"):
        far = raw.mean(axis=0) + OUTLIER_DEVIATIONS * raw.std(axis=0) * rng.choice(
            [-1.0, 1.0], (len(rows), raw.shape[1])
        )
    low, high = raw.min(axis=0), raw.max(axis=0)
    spoiled = raw.copy()
    spoiled[rows] = np.where(low == high, low, far)
    return spoiled, rows


def with_noisy_labels(
    dataset: Dataset, targets: Array, amount: float, seed: int
) -> tuple[Array, LabelNoise]:
    """Training targets with noise.

    Classes: that share of the rows, to the nearest one, gets another class, each of the others
        equally likely, so that a perfect classifier has training error `amount`. Regression: normal
        noise of `amount` standard deviations of each target column is added to every row.
    """
    if amount == 0.0:
        return targets, LabelNoise()
    rng = generator(seed, "label noise")
    if dataset.task == "regression":
        std = amount * targets.std(axis=0)
        return targets + std * rng.standard_normal(targets.shape), LabelNoise(std=std)
    classes = len(dataset.class_names)
    if classes < 2:
        raise ConfigError(
            f"label_noise = {amount:g}: {dataset.name} has one class, expected another one to "
            "replace it: take label_noise = 0"
        )
    rows = some_rows(rng, len(targets), amount)
    noisy = targets.copy()
    noisy[rows] = (targets[rows] + rng.integers(1, classes, len(rows))) % classes
    return noisy, LabelNoise(changed=rows)


def some_rows(rng: np.random.Generator, samples: int, share: float) -> Indices:
    """round(share·samples) of the rows, ascending int64."""
    return np.sort(rng.permutation(samples)[: round(share * samples)]).astype(np.int64)


def corruption_notes(samples: int, far: Indices, noise: LabelNoise) -> list[str]:
    """What was done to the training part, for the screen and the run file."""
    notes = []
    if len(far):
        notes.append(
            f"{len(far)} of {samples} training rows were made outliers, "
            f"{OUTLIER_DEVIATIONS:g} standard deviations off"
        )
    if len(noise.changed):
        notes.append(
            f"{len(noise.changed)} of {samples} training labels were replaced by another class"
        )
    if len(noise.std):
        notes.append(
            f"noise of standard deviation {', '.join(f'{std:.3g}' for std in noise.std)} was "
            "added to the training targets"
        )
    return notes
