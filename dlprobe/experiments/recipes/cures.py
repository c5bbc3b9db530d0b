"""What is offered against vanishing and exploding gradients, at initialization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlprobe.experiments.recipe import Check, Found, recipe
from dlprobe.experiments.recipes.propagation import (
    FLAT,
    base,
    compared,
    error_signals,
    ratios,
    tiny,
)

if TYPE_CHECKING:
    from dlprobe.experiments.laboratory import Laboratory

STARTS = {
    "Glorot": ("glorot_normal", "the plain net vanishes (relu + Glorot)"),
    "He": ("he_normal", "the plain net is level (relu + He)"),
}
FORMS = {"plain": "none", "residual": "identity"}
GAIN = (
    "x + φ(xW) multiplies the gradient's mean square by 1 + σ_w² E φ'² per block, and by more once "
    "all samples point the same way"
)


@recipe(
    claim="Residual connections cure vanishing gradients.",
    said="He et al. 2016, Identity mappings in deep residual networks; lecture topic: skip "
    "connections",
    base=base("100x20", "relu", "glorot_normal"),
    truth=f"{GAIN}: it cannot vanish.",
    expected="holds",
    tiny=tiny("32x20"),
    also=("A residual net of 50 layers trains where a plain one does not: see the command below.",),
    tries=(
        (
            "dlprobe gradients --depth 50 --activation relu --init glorot_normal --residual "
            "none,identity --epochs 2"
        ),
    ),
)
def residual_cure(lab: Laboratory) -> Found:
    runs = lab.run({name: {"model.residual": form} for name, form in FORMS.items()})
    found = ratios(runs)
    checks = [
        Check("log10 RMS(δ_1)/RMS(δ_L), plain: the premise", found["plain"], "<", -2.0),
        Check("log10 RMS(δ_1)/RMS(δ_L), residual", found["residual"], ">", -FLAT),
    ]
    return Found(checks, {"log10_error_signal_ratio": found}, [error_signals(runs)])


@recipe(
    claim="Residual connections keep gradients level at any depth.",
    heard="lecture topic: skip connections, put more strongly than in residual_cure",
    base=base("100x20", "relu"),
    truth=f"{GAIN}: it grows, with He weights at least twofold per block.",
    expected="does not hold",
    tiny=tiny("32x20"),
    tries=(
        (
            "dlprobe gradients --depth 20 --activation relu --init he_normal --residual "
            "identity,depth_scaled,rezero --epochs 2"
        ),
    ),
)
def residual_level(lab: Laboratory) -> Found:
    runs = lab.run(
        {
            f"{name}, {form}": {"model.init": init, "model.residual": how}
            for name, (init, _) in STARTS.items()
            for form, how in FORMS.items()
        }
    )
    found = ratios(runs)
    quantity = "|log10 RMS(δ_1)/RMS(δ_L)|, residual"
    checks = [
        Check(quantity, abs(found[f"{name}, residual"]), "<", FLAT, when)
        for name, (_, when) in STARTS.items()
    ]
    return Found(checks, {"log10_error_signal_ratio": found}, [error_signals(runs)])


@recipe(
    claim="Batch normalization ends exploding gradients: with it the depth does not matter at "
    "initialization.",
    implied="lecture topic: Ioffe & Szegedy 2015; against it: Yang et al. 2019, A mean field "
    "theory of batch normalization",
    base=base("100x40", "relu", "he_normal", 'norm = "batch"'),
    truth="At initialization batch norm makes E δ² grow by about π/(π − 1) = 1.47 per ReLU layer, "
    "whatever the weights: a factor 10 in 12 layers.",
    expected="holds only when",
    tiny=tiny("32x30"),
    tries=("dlprobe theory --layers 100x40 --activation relu --norm batch",),
)
def batch_norm_gradient(lab: Laboratory) -> Found:
    depths = lab.size((5, 15, 40), (4, 30))
    width = lab.size(100, 32)
    variants = {f"depth is {depth}": {"model.layers": f"{width}x{depth}"} for depth in depths}
    return compared(lab, variants, FLAT)
