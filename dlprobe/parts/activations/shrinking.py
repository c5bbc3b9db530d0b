"""Shrinkage: small preactivations become (nearly) nothing, large ones pass."""

from __future__ import annotations

from dlprobe.parts.activations.records import add_activation
from dlprobe.parts.scalar import like, tanh
from dlprobe.registry import Parameter

THRESHOLD = Parameter("threshold", 0.5, "the |z| up to which nothing passes", low=0.0)


def hard_shrink(z: float, threshold: float) -> float:
    return like(z, 0.0) if abs(z) <= threshold else z


def shrink_slope(z: float, a: float, threshold: float) -> float:
    return like(z, 0.0) if abs(z) <= threshold else like(z, 1.0)


add_activation(
    name="hard_shrink",
    summary="the identity with a gap: small preactivations become 0",
    formula="a = z for |z| > threshold, else 0",
    slope_formula="1 for |z| > threshold, else 0 (0 at ± threshold)",
    value=hard_shrink,
    slope=shrink_slope,
    largest_slope=lambda threshold: 1.0,
    other_slope=lambda threshold: 0.0,
    source="Donoho & Johnstone 1994, Ideal spatial adaptation by wavelet shrinkage",
    kinks=lambda threshold: (-threshold, threshold),
    parameters=(THRESHOLD,),
    use="Sparse codes whose large entries are not to be biased.",
    traps="The value jumps at ± threshold, unseen by the gradient. With small initial weights a "
    "layer can start inside the gap: no gradient.",
)


def soft_shrink(z: float, threshold: float) -> float:
    return (
        z - threshold if z > threshold else (z + threshold if z < -threshold else z * like(z, 0.0))
    )


add_activation(
    name="soft_shrink",
    summary="every preactivation moved towards 0 by a threshold, small ones to 0",
    formula="a = sign(z)·max(|z| − threshold, 0)",
    slope_formula="1 for |z| > threshold, else 0 (0 at ± threshold)",
    value=soft_shrink,
    slope=shrink_slope,
    largest_slope=lambda threshold: 1.0,
    other_slope=lambda threshold: 0.0,
    source="Donoho 1995, De-noising by soft-thresholding; the proximal map of the L1 penalty",
    kinks=lambda threshold: (-threshold, threshold),
    parameters=(THRESHOLD,),
    use="Sparse coding by unrolled iterations (ISTA), denoising.",
    traps="Large preactivations are biased by the threshold. With small initial weights a layer "
    "can start inside the gap: no gradient.",
)


def tanh_shrink(z: float) -> float:
    return z - tanh(z)


def tanh_shrink_slope(z: float, a: float) -> float:
    t = tanh(z)
    return t * t


add_activation(
    name="tanh_shrink",
    summary="z less its tanh: a smooth shrinkage",
    formula="a = z − tanh(z)",
    slope_formula="tanh(z)²",
    value=tanh_shrink,
    slope=tanh_shrink_slope,
    largest_slope=lambda: 1.0,
    source="as in PyTorch and Keras; no paper is known",
    use="Where small signals are noise and the slope is to be continuous.",
    traps="Slope 0 at 0: near the origin a ≈ z³/3, so with ordinary weights signal and gradient "
    "vanish within a few layers.",
)
