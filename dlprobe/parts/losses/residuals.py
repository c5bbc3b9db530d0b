"""Losses of the distance between output and target."""

from __future__ import annotations

from dlprobe.parts.losses import REDUCTION, add_loss
from dlprobe.parts.scalar import like
from dlprobe.registry import Parameter


def squared_error(p: float, y: float) -> float:
    return (p - y) * (p - y)


def squared_error_slope(p: float, y: float) -> float:
    return like(p, 2.0) * (p - y)


add_loss(
    name="mse",
    also_called=("mean_squared_error", "mse_loss", "l2_loss", "squared_error"),
    summary="squared error",
    formula="ℓ = Σ_k (p_k − y_k)²",
    value=squared_error,
    slope=squared_error_slope,
    output_activation="linear",
    tasks=("regression", "classification"),
    of_shares=lambda p: float((p * (1.0 - p)).sum()),
    source="Legendre 1805; Gauss 1809",
    parameters=(REDUCTION,),
    use="Regression.",
    traps="Summed over the outputs of a sample; Keras and PyTorch divide by their number: "
    "reduction=mean. With one output all agree.",
)


def absolute_error(p: float, y: float) -> float:
    return abs(p - y)


def absolute_error_slope(p: float, y: float) -> float:
    if p > y:
        return like(p, 1.0)
    return like(p, -1.0) if p < y else like(p, 0.0)


add_loss(
    name="mae",
    also_called=("mean_absolute_error", "l1_loss", "absolute_error"),
    summary="absolute error",
    formula="ℓ = Σ_k |p_k − y_k|",
    value=absolute_error,
    slope=absolute_error_slope,
    output_activation="linear",
    tasks=("regression", "classification"),
    source="Laplace 1774",
    parameters=(REDUCTION,),
    use="Regression with outliers.",
    traps="Its gradient has the same size near and far from the target: the last digits need a "
    "falling rate.",
)


def huber(p: float, y: float, delta: float) -> float:
    distance = abs(p - y)
    return (
        like(p, 0.5) * distance * distance
        if distance <= delta
        else delta * (distance - like(p, 0.5) * delta)
    )


def huber_slope(p: float, y: float, delta: float) -> float:
    return min(max(p - y, -delta), delta)


add_loss(
    name="huber",
    also_called=("smooth_l1", "smooth_l1_loss", "huber_loss"),
    summary="squared near the target, absolute far from it",
    formula="ℓ = Σ_k ½(p_k − y_k)² where |p_k − y_k| ≤ δ, else δ(|p_k − y_k| − δ/2)",
    value=huber,
    slope=huber_slope,
    output_activation="linear",
    tasks=("regression", "classification"),
    source="Huber 1964, Robust estimation of a location parameter",
    parameters=(
        Parameter("delta", 1.0, "error up to which the loss is squared", low=0.0, open_low=True),
        REDUCTION,
    ),
    use="Regression with outliers that mae handles, with mse's smooth bottom.",
    traps="δ has the unit of the targets as they are trained (standardized by default): choose "
    "δ near the error of good samples.",
)
