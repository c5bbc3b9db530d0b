"""Residual connections: how a layer's result is added to what it got, one record each."""

from __future__ import annotations

import math
from collections.abc import Callable

from dlprobe.dataclass import dataclass
from dlprobe.registry import Parameter, registrar


@dataclass(frozen=True)
class Residual:
    """What is known of a residual connection y = x + α·f(x): `scale(depth, *parameters)` is α, or
    its first value where α is `learned`.

    `depth` counts the layers of the net that have such a connection.
    """

    name: str
    summary: str
    formula: str
    scale: Callable[..., float]
    learned: bool
    source: str
    parameters: tuple[Parameter, ...] = ()
    use: str = ""
    traps: str = ""


add_residual = registrar("residual", Residual)


add_residual(
    name="identity",
    summary="the layer's input is added to its activation",
    formula="a = a_prev + scale·φ(norm(z))",
    scale=lambda depth, scale: float(scale),
    learned=False,
    source="He, Zhang, Ren & Sun 2016, Deep residual learning",
    parameters=(Parameter("scale", 1.0, "factor α of the layer's own contribution"),),
    use="Nets of more than ten layers.",
    traps="With ReLU and He weights E δ² grows by 1 + α² per layer, E a² by more, as means add "
    "up: above 2^L at α = 1 without normalization.",
)

add_residual(
    name="depth_scaled",
    summary="the layer's contribution is scaled by 1/√L, L the number of residual layers, so that "
    "their sum keeps its size",
    formula="a = a_prev + φ(norm(z))/√L",
    scale=lambda depth: 1.0 / math.sqrt(max(depth, 1)),
    learned=False,
    source="Hayou, Clerico, He, Deligiannidis, Doucet & Rousseau 2021, Stable ResNet",
    use="Deep residual nets without normalization: (1 + 1/L)^L stays below e.",
    traps="L counts the residual layers of this net: the same weights in a deeper net are "
    "scaled differently.",
)

add_residual(
    name="rezero",
    summary="the layer's contribution has a learned factor that starts at 0, so that the net "
    "starts as the identity",
    formula="a = a_prev + α·φ(norm(z)), α learned, one number per layer",
    scale=lambda depth, init: float(init),
    learned=True,
    source="Bachlechner, Majumder, Mao, Cottrell & McAuley 2021, ReZero is all you need",
    parameters=(Parameter("init", 0.0, "first value of α"),),
    use="Very deep nets; no normalization is needed.",
    traps="At the first step the layers inside get no gradient at all (α = 0): only α and the "
    "first and last layers move.",
)
