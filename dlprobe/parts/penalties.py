"""Penalties: terms added to the loss that depend on parameters or activations, one record each.

l1 and l2 are scalar functions of one number and λ, and the engine adds them up over weights, biases
or activities; the orthogonal penalty is one of a matrix. Every penalty is reported apart from the
data loss.
"""

from __future__ import annotations

from collections.abc import Callable

from dlprobe.dataclass import dataclass
from dlprobe.parts.scalar import like
from dlprobe.registry import Parameter, registrar


@dataclass(frozen=True)
class Penalty:
    """What is known of a penalty. `value(x, λ)` and `slope(x, λ)` of one number; None where the
    penalty is one of the whole matrix.
    """

    name: str
    summary: str
    formula: str
    source: str
    value: Callable[[float, float], float] | None = None
    slope: Callable[[float, float], float] | None = None
    parameters: tuple[Parameter, ...] = ()
    use: str = ""
    traps: str = ""


add_penalty = registrar("penalty", Penalty)


def l1_value(x: float, strength: float) -> float:
    return strength * abs(x)


def l1_slope(x: float, strength: float) -> float:
    return strength if x > 0 else (-strength if x < 0 else like(x, 0.0))


add_penalty(
    name="l1",
    summary="λ times the sum of absolute values; pushes weights to zero at constant speed",
    formula="λ Σ|w|, gradient λ sign(w), 0 at w = 0",
    source="Tibshirani 1996, Regression shrinkage and selection via the lasso",
    value=l1_value,
    slope=l1_slope,
    use="Sparse weights. Gradient steps circle around zero; --l1-proximal makes true zeros.",
    traps="Other texts write λ/2 Σ|w| (give half of theirs) or λ/m Σ|w| over m samples (divide "
    "theirs by m).",
)


def l2_value(x: float, strength: float) -> float:
    return strength * x * x


def l2_slope(x: float, strength: float) -> float:
    return like(x, 2.0) * strength * x


add_penalty(
    name="l2",
    summary="λ times the sum of squares; pulls weights to zero in proportion to their size",
    formula="λ Σ w², gradient 2λw (Keras's form)",
    source="Hoerl & Kennard 1970, Ridge regression; Krogh & Hertz 1991",
    value=l2_value,
    slope=l2_slope,
    use="Overfitting nets: 1e-5 to 1e-2.",
    traps="Other texts write λ/2 Σ w² (give half of theirs; PyTorch's weight_decay is that λ) "
    "or λ/(2m) Σ w² over m samples (divide theirs by 2m). "
    "With adaptive optimizers it is not weight decay: see adamw.",
)

add_penalty(
    name="orthogonal",
    summary="λ times the squared distance of the matrix from orthonormal columns (rows where it is "
    "wider than tall)",
    formula="λ ‖WᵀW − I‖²_F, gradient 4λ W(WᵀW − I); λ ‖WWᵀ − I‖²_F where fan_out > fan_in",
    source="Brock, Lim, Ritchie & Weston 2017, Neural photo editing, §3.3; Bansal, Chen & "
    "Wang 2018",
    use="Deep nets whose matrices shall keep signals' sizes.",
    traps="It also pulls every singular value to 1, whatever gain the activation needs. Keras's "
    "OrthogonalRegularizer looks at the angles only.",
)
