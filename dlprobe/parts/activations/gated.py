"""Gated activations: half of a layer's preactivations decide how much of the other half passes."""

from __future__ import annotations

from dlprobe.parts.activations.records import GatedActivation
from dlprobe.parts.scalar import like, sigmoid
from dlprobe.registry import registrar


def glu(u: float, v: float) -> float:
    return u * sigmoid(v)


def glu_slopes(u: float, v: float) -> tuple[float, float]:
    gate = sigmoid(v)
    return gate, u * gate * (like(u, 1.0) - gate)


registrar("activation", GatedActivation)(
    name="glu",
    summary="gated linear unit: the second half of the preactivations gates the first",
    formula="a_j = z_j·sigmoid(z_{m+j}), j = 1 … m, of 2m preactivations",
    slope_formula="∂a_j/∂z_j = s, ∂a_j/∂z_{m+j} = z_j·s(1 − s), s = sigmoid(z_{m+j})",
    value=glu,
    slopes=glu_slopes,
    source="Dauphin, Fan, Auli & Grangier 2017, Language modeling with gated convolutional "
    "networks",
    use="A linear path for the gradient beside a learned gate, e.g. the feed-forward layers "
    "of transformers.",
    traps="It halves the width: --layers 100 has 100 preactivations and 50 units, so 100 units "
    "need --layers 200. An odd width cannot be halved. At initialization the gates are near 1/2, "
    "so the signal's mean square falls by about 4 per layer with variance-keeping weights.",
)
