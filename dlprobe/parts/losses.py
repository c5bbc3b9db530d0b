"""Losses: one record each.

`value(p, y)` and `slope(p, y)` are scalar functions of an output p and its target y; the loss of a sample is the sum over outputs, the loss of a batch
the mean over samples. `fused` names the output activation with which the loss has a joint form that loses no digits: `fused_row(z, a, y, d)` fills d
with dℓ/dz and returns ℓ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dlprobe.parts.scalar import exp, like, log, log1p
from dlprobe.registry import Parameter, register

Array = Any
SMALLEST_PROBABILITY = 1e-7


@dataclass(frozen=True)
class Loss:
    """What is known of a loss. `tasks` are the tasks it suits, `output_activation` what `auto` picks for it."""

    name: str
    summary: str
    formula: str
    value: Callable[[float, float], float]
    slope: Callable[[float, float], float]
    output_activation: str
    tasks: tuple[str, ...]
    source: str
    fused: str | None = None
    fused_row: Callable[..., float] | None = None
    parameters: tuple[Parameter, ...] = ()
    use: str = ""
    traps: str = ""


def cross_entropy(p: float, y: float) -> float:
    clipped = min(max(p, like(p, SMALLEST_PROBABILITY)), like(p, 1.0))
    return -y * log(clipped)


def cross_entropy_slope(p: float, y: float) -> float:
    inside = p >= like(p, SMALLEST_PROBABILITY) and p <= like(p, 1.0)
    return -y / p if inside else like(p, 0.0)


def softmax_cross_entropy_row(z: Array, a: Array, y: Array, d: Array) -> float:
    """ln Σ e^z − z_y without the clipping that probabilities need; dℓ/dz = a Σy − y. The largest softmax value is 1/Σ e^(z − max z)."""
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


register(
    "loss",
    Loss(
        name="cross_entropy",
        summary="cross-entropy of class probabilities, in nats",
        formula="ℓ = −Σ_k y_k ln p_k, p clipped to [1e-7, 1]",
        value=cross_entropy,
        slope=cross_entropy_slope,
        output_activation="softmax",
        tasks=("classification",),
        source="Bridle 1990; Bishop 1995, §6.9",
        fused="softmax",
        fused_row=softmax_cross_entropy_row,
        use="Classification.",
        traps="It takes probabilities. PyTorch's CrossEntropyLoss takes preactivations: it is softmax followed by this loss.",
    ),
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


register(
    "loss",
    Loss(
        name="binary_cross_entropy",
        summary="cross-entropy of independent yes/no outputs, in nats",
        formula="ℓ = −Σ_k [y_k ln p_k + (1 − y_k) ln(1 − p_k)], p clipped to [1e-7, 1 − 1e-7]",
        value=binary_cross_entropy,
        slope=binary_cross_entropy_slope,
        output_activation="sigmoid",
        tasks=("classification",),
        source="Bishop 1995, §6.7",
        fused="sigmoid",
        fused_row=sigmoid_binary_cross_entropy_row,
        use="Two classes with one output; several labels at once.",
        traps="With a softmax of one unit every output is 1 and no gradient flows.",
    ),
)


def squared_error(p: float, y: float) -> float:
    return (p - y) * (p - y)


def squared_error_slope(p: float, y: float) -> float:
    return like(p, 2.0) * (p - y)


register(
    "loss",
    Loss(
        name="mse",
        summary="squared error, summed over outputs, mean over samples",
        formula="ℓ = Σ_k (p_k − y_k)²",
        value=squared_error,
        slope=squared_error_slope,
        output_activation="linear",
        tasks=("regression", "classification"),
        source="Legendre 1805; Gauss 1809",
        use="Regression.",
        traps="Keras and PyTorch divide by the number of outputs too; with one output all agree.",
    ),
)


def absolute_error(p: float, y: float) -> float:
    return abs(p - y)


def absolute_error_slope(p: float, y: float) -> float:
    if p > y:
        return like(p, 1.0)
    return like(p, -1.0) if p < y else like(p, 0.0)


register(
    "loss",
    Loss(
        name="mae",
        summary="absolute error, summed over outputs, mean over samples",
        formula="ℓ = Σ_k |p_k − y_k|",
        value=absolute_error,
        slope=absolute_error_slope,
        output_activation="linear",
        tasks=("regression", "classification"),
        source="Laplace 1774",
        use="Regression with outliers.",
        traps="Its gradient has the same size near and far from the target: the last digits need a falling rate.",
    ),
)
