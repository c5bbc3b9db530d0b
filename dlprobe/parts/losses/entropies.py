"""Losses of probabilities, in nats."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.parts.losses import REDUCTION, add_loss
from dlprobe.parts.scalar import exp, like, log, log1p

Array = Any
SMALLEST_PROBABILITY = 1e-7


def entropy(p: npt.NDArray[np.float64]) -> float:
    """−Σ p ln p of shares (class,), in nats; 0 ln 0 is 0."""
    return float(-(p * np.log(np.where(p > 0.0, p, 1.0))).sum())


def cross_entropy(p: float, y: float) -> float:
    clipped = min(max(p, like(p, SMALLEST_PROBABILITY)), like(p, 1.0))
    return -y * log(clipped)


def cross_entropy_slope(p: float, y: float) -> float:
    inside = p >= like(p, SMALLEST_PROBABILITY) and p <= like(p, 1.0)
    return -y / p if inside else like(p, 0.0)


def softmax_cross_entropy_row(z: Array, a: Array, y: Array, d: Array) -> float:
    """ln Σ e^z − z_y without the clipping that probabilities need; dℓ/dz = a Σy − y. The
    largest softmax value is 1/Σ e^(z − max z).
    """
    largest = z[0]
    probability = a[0]
    for j in range(1, len(z)):
        largest = max(largest, z[j])
        probability = max(probability, a[j])
    log_total = -log(probability)
    weight = like(z[0], 0.0)
    shared = like(z[0], 0.0)
    for j in range(len(z)):
        weight += y[j]
        shared += y[j] * (largest - z[j])
    for j in range(len(z)):
        d[j] = a[j] * weight - y[j]
    return shared + weight * log_total


def softmax_cross_entropy_columns(z: Array, a: Array, y: Array, d: Array, scratch: Array) -> float:
    """Sum of `softmax_cross_entropy_row` over the columns of z, a and y (outputs, nets); fills d
    likewise. scratch: (4, nets).
    """
    largest, probability, weight, shared = scratch[0], scratch[1], scratch[2], scratch[3]
    zero = like(z[0, 0], 0.0)
    for n in range(len(largest)):
        largest[n], probability[n], weight[n], shared[n] = z[0, n], a[0, n], zero, zero
    for j in range(1, len(z)):
        row, of_a = z[j], a[j]
        for n in range(len(largest)):
            largest[n] = max(largest[n], row[n])
            probability[n] = max(probability[n], of_a[n])
    for j in range(len(z)):
        row, wanted = z[j], y[j]
        for n in range(len(largest)):
            weight[n] += wanted[n]
            shared[n] += wanted[n] * (largest[n] - row[n])
    for j in range(len(z)):
        of_a, wanted, of_d = a[j], y[j], d[j]
        for n in range(len(largest)):
            of_d[n] = of_a[n] * weight[n] - wanted[n]
    for n in range(len(largest)):
        shared[n] -= weight[n] * log(probability[n])
    total = 0.0
    for n in range(len(largest)):
        total += shared[n]
    return total


add_loss(
    name="cross_entropy",
    also_called=(
        "categorical_crossentropy",
        "sparse_categorical_crossentropy",
        "softmax_cross_entropy",
        "crossentropy",
        "nll",
        "nll_loss",
        "log_loss",
    ),
    summary="cross-entropy of class probabilities, in nats",
    formula="ℓ = −Σ_k y_k ln p_k, p clipped to [1e-7, 1]",
    value=cross_entropy,
    slope=cross_entropy_slope,
    output_activation="softmax",
    tasks=("classification",),
    source="Bridle 1990; Bishop 1995, §6.9",
    fused="softmax",
    target_range=None,
    requires="distribution",
    of_shares=entropy,
    fused_row=softmax_cross_entropy_row,
    fused_columns=softmax_cross_entropy_columns,
    use="Classification.",
    traps="It takes probabilities. PyTorch's CrossEntropyLoss takes preactivations: it is "
    "softmax followed by this loss.",
)


def kl(p: float, y: float) -> float:
    clipped = min(max(p, like(p, SMALLEST_PROBABILITY)), like(p, 1.0))
    return y * (log(y) - log(clipped)) if y > like(y, 0.0) else like(p, 0.0)


def softmax_kl_row(z: Array, a: Array, y: Array, d: Array) -> float:
    """Cross-entropy minus the target's own entropy; the derivative is that of cross-entropy."""
    loss = softmax_cross_entropy_row(z, a, y, d)
    for j in range(len(y)):
        if y[j] > like(y[j], 0.0):
            loss += y[j] * log(y[j])
    return loss


add_loss(
    name="kl",
    also_called=("kl_div", "kl_divergence", "kullback_leibler"),
    summary=("Kullback-Leibler divergence of the predicted from the target distribution, in nats"),
    formula="ℓ = Σ_k y_k ln(y_k/p_k), 0 where y_k = 0, p clipped to [1e-7, 1]",
    value=kl,
    slope=cross_entropy_slope,
    output_activation="softmax",
    tasks=("classification",),
    source="Kullback & Leibler 1951",
    fused="softmax",
    target_range=None,
    requires="distribution",
    of_shares=entropy,
    fused_row=softmax_kl_row,
    use="Targets that are distributions; its smallest value is 0.",
    traps="With one class per sample it is cross_entropy; with smoothed labels it is "
    "cross_entropy minus a constant, so it trains alike.",
)


def binary_cross_entropy(p: float, y: float) -> float:
    clipped = min(max(p, like(p, SMALLEST_PROBABILITY)), like(p, 1.0 - SMALLEST_PROBABILITY))
    return -y * log(clipped) - (like(p, 1.0) - y) * log(like(p, 1.0) - clipped)


def binary_cross_entropy_slope(p: float, y: float) -> float:
    inside = p >= like(p, SMALLEST_PROBABILITY) and p <= like(p, 1.0 - SMALLEST_PROBABILITY)
    return (p - y) / (p * (like(p, 1.0) - p)) if inside else like(p, 0.0)


def sigmoid_binary_cross_entropy_row(z: Array, a: Array, y: Array, d: Array) -> float:
    """max(z, 0) − zy + ln(1 + e^−|z|); dℓ/dz = a − y."""
    loss = 0.0
    for j in range(len(z)):
        loss += max(z[j], like(z[j], 0.0)) - z[j] * y[j] + log1p(exp(-abs(z[j])))
        d[j] = a[j] - y[j]
    return loss


add_loss(
    name="binary_cross_entropy",
    also_called=("bce", "bce_loss", "binary_crossentropy", "bce_with_logits"),
    summary="cross-entropy of independent yes/no outputs, in nats",
    formula="ℓ = −Σ_k [y_k ln p_k + (1 − y_k) ln(1 − p_k)], p clipped to [1e-7, 1 − 1e-7]",
    value=binary_cross_entropy,
    slope=binary_cross_entropy_slope,
    output_activation="sigmoid",
    tasks=("classification",),
    source="Bishop 1995, §6.7",
    fused="sigmoid",
    target_range=(0.0, 1.0),
    requires="probabilities",
    of_shares=lambda p: entropy(p) + entropy(1.0 - p),
    fused_row=sigmoid_binary_cross_entropy_row,
    independent=True,
    parameters=(REDUCTION,),
    use="Two classes with one output; several labels at once.",
    traps="With a softmax of one unit every output is 1 and no gradient flows.",
)
