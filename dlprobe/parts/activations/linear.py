"""No activation."""

from __future__ import annotations

from dlprobe.parts.activations.records import add_activation
from dlprobe.parts.scalar import like


def linear(z: float) -> float:
    return z


def linear_slope(z: float, a: float) -> float:
    return like(z, 1.0)


add_activation(
    name="linear",
    also_called=("identity", "none"),
    summary="no activation: the layer stays an affine map",
    formula="a = z",
    slope_formula="1",
    value=linear,
    slope=linear_slope,
    largest_slope=lambda: 1.0,
    source="none needed",
    use="Output layers of regression nets; deep linear nets, whose product is one matrix.",
    traps="Hidden linear layers add depth but no expressive power.",
)
