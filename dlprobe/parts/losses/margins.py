"""Losses of scores: on which side of 0 an output is, or which output is the largest."""

from __future__ import annotations

from typing import Any

from dlprobe.parts.losses import REDUCTION, add_loss, add_row_loss
from dlprobe.parts.scalar import like
from dlprobe.registry import Parameter

Array = Any
MARGIN = Parameter("margin", 1.0, "how far on the right side costs nothing", low=0.0)


def hinge(p: float, y: float, margin: float) -> float:
    return max(margin - y * p, like(p, 0.0))


def hinge_slope(p: float, y: float, margin: float) -> float:
    return -y if y * p < margin else like(p, 0.0)


add_loss(
    name="hinge",
    summary="margin loss of outputs that each say yes or no",
    formula="ℓ = Σ_k max(0, m − t_k p_k), t_k = ±1",
    value=hinge,
    slope=hinge_slope,
    output_activation="linear",
    tasks=("classification",),
    source="Cortes & Vapnik 1995; several classes each against the rest",
    signed=True,
    independent=True,
    soft_targets=False,
    target_range=None,
    parameters=(MARGIN, REDUCTION),
    use="Two classes with one output, as Keras's Hinge; a linear net with it and l2 is a "
    "support vector machine.",
    traps="Outputs are scores, not probabilities. Slope 0 at the margin itself. For several "
    "classes multi_margin compares the scores with each other.",
)


def perceptron(p: float, y: float) -> float:
    return max(-y * p, like(p, 0.0))


def perceptron_slope(p: float, y: float) -> float:
    return -y if y * p <= like(p, 0.0) else like(p, 0.0)


add_loss(
    name="perceptron",
    summary="how far outputs are on the wrong side of 0",
    formula="ℓ = Σ_k max(0, −t_k p_k), t_k = ±1",
    value=perceptron,
    slope=perceptron_slope,
    output_activation="linear",
    tasks=("classification",),
    source="Rosenblatt 1958; as a loss: Bishop 2006, §4.1.7",
    signed=True,
    independent=True,
    soft_targets=False,
    target_range=None,
    parameters=(REDUCTION,),
    use="Without hidden layers, with batch_size 1, sgd and lr 1 it is Rosenblatt's rule: w ← "
    "w + t x for every sample that is wrong.",
    traps="An output of exactly 0 counts as wrong, or weights of 0 would never move. Classes "
    "that a plane cannot separate never come to rest.",
)


def true_class(y: Array) -> int:
    """Index of the largest target."""
    index = 0
    for j in range(1, len(y)):
        if y[j] > y[index]:
            index = j
    return index


def multi_margin_row(a: Array, y: Array, d: Array, margin: float) -> float:
    right = true_class(y)
    share = like(a[0], 1.0) / like(a[0], len(a))
    loss = like(a[0], 0.0)
    shifted = like(a[0], 0.0)
    for j in range(len(a)):
        d[j] = like(a[0], 0.0)
        missing = margin - a[right] + a[j]
        if j != right and not missing <= like(a[0], 0.0):
            loss += missing * share
            d[j] = share
            shifted -= share
    d[right] = shifted
    return loss


add_row_loss(
    name="multi_margin",
    summary="margin loss of the true class's score against every other's",
    formula="ℓ = 1/C Σ_{j≠k} max(0, m − a_k + a_j), k the true class of C",
    row=multi_margin_row,
    output_activation="linear",
    tasks=("classification",),
    source="Weston & Watkins 1999, with the 1/C of PyTorch's MultiMarginLoss",
    soft_targets=False,
    target_range=None,
    parameters=(MARGIN,),
    use="Classification by scores; every wrong class within the margin is pushed down.",
    traps="Outputs are scores, not probabilities.",
)


def categorical_hinge_row(a: Array, y: Array, d: Array, margin: float) -> float:
    right = true_class(y)
    rival = 1 if right == 0 else 0
    for j in range(len(a)):
        d[j] = like(a[0], 0.0)
        if j != right and not a[j] <= a[rival]:
            rival = j
    if rival >= len(a):
        return like(a[0], 0.0)
    missing: float = margin - a[right] + a[rival]
    if missing <= like(a[0], 0.0):
        return like(a[0], 0.0)
    d[right] = like(a[0], -1.0)
    d[rival] = like(a[0], 1.0)
    return missing


add_row_loss(
    name="categorical_hinge",
    summary="margin loss of the true class's score against the best of the others",
    formula="ℓ = max(0, m − a_k + max_{j≠k} a_j), k the true class",
    row=categorical_hinge_row,
    output_activation="linear",
    tasks=("classification",),
    source="Crammer & Singer 2001",
    soft_targets=False,
    target_range=None,
    parameters=(MARGIN,),
    use="Classification by scores; only the strongest rival is pushed down.",
    traps="Keras's CategoricalHinge counts a rival of score 0 even where there is none, so it "
    "differs where every other score is negative.",
)
