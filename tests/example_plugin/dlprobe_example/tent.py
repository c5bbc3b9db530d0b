"""An activation: 1 at 0, falling to 0 on both sides."""

from dlprobe.parts.activations.records import Activation
from dlprobe.parts.scalar import like
from dlprobe.registry import register


def tent(z: float) -> float:
    return max(like(z, 1.0) - abs(z), like(z, 0.0))


def tent_slope(z: float, a: float) -> float:
    if a == 0.0:
        return like(z, 0.0)
    return like(z, -1.0) if z > 0.0 else like(z, 1.0)


register(
    "activation",
    Activation(
        name="tent",
        summary="a tent over 0, one unit high and two wide",
        formula="a = max(1 − |z|, 0)",
        slope_formula="−sign(z) for |z| < 1, else 0",
        value=tent,
        slope=tent_slope,
        largest_slope=lambda: 1.0,
        kinks=lambda: (-1.0, 0.0, 1.0),
        output_range=lambda: (0.0, 1.0),
        source="this example",
    ),
)
