"""The scalars: numbers of a whole step, not of a layer, in the order of their columns in the engine
and of data sets in the run file.

A new scalar is one line in `_TABLE`, its position below, and the line of the kernel that fills it.
"""

from __future__ import annotations

from dlprobe.dataclass import dataclass


@dataclass(frozen=True)
class Scalar:
    """One float64 number per recorded step. Row t describes step t before its update."""

    name: str
    units: str
    definition: str


# what the losses of two runs share that scale targets alike
TRAINED_UNITS = "loss of targets as trained"
_TABLE = (
    Scalar(
        "batch_loss",
        TRAINED_UNITS,
        "loss of the batch, its targets as they are trained: before the update, with class "
        "weights and label smoothing, without penalty terms",
    ),
    Scalar("penalty", TRAINED_UNITS, "penalty terms added to the loss"),
    Scalar("learning_rate", "1", "learning rate of the update"),
    Scalar(
        "momentum",
        "1",
        "momentum of the update (beta1 for the family of adam); NaN where the optimizer has none",
    ),
    Scalar(
        "gradient_norm",
        "1",
        "Euclidean norm of the gradient of loss + penalty over all parameters, before clipping",
    ),
    Scalar(
        "clip_scale",
        "1",
        "factor by which clipping by the global norm scaled the gradient; 1 where it did not",
    ),
    Scalar(
        "clipped_gradient_norm",
        "1",
        "Euclidean norm of the gradient of loss + penalty over all parameters, after clipping "
        "of every kind",
    ),
)
SCALARS = {scalar.name: scalar for scalar in _TABLE}


def column(name: str) -> int:
    """The column of a scalar in arrays (step, scalar).

    >>> column("batch_loss")
    0
    """
    return list(SCALARS).index(name)


# Kernels need plain numbers.
BATCH_LOSS, PENALTY, LEARNING_RATE, MOMENTUM = map(
    column, ("batch_loss", "penalty", "learning_rate", "momentum")
)
GRADIENT_NORM, CLIP_SCALE, CLIPPED_GRADIENT_NORM = map(
    column, ("gradient_norm", "clip_scale", "clipped_gradient_norm")
)
