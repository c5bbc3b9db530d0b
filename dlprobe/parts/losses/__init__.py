"""Losses: one record each, in the modules of this folder.

The loss of a sample is the sum (mean, where `reduction` says so) over its outputs, the loss of a
batch the mean over samples. An elementwise loss gives `value(p, y, *numbers)` and `slope(p, y,
*numbers)` of one output p and its target y; a row-wise one `row(a, y, d, *numbers)`, which fills d
with dℓ/da and returns ℓ. `fused` names the output activation with which a loss has a joint form
that loses no digits: `fused_row(z, a, y, d, *numbers)` fills d with dℓ/dz and returns ℓ. `numbers`
are the loss's parameters without `reduction`. `fused_columns(z, a, y, d, scratch, *numbers)`, where
a record has it, does the same for the samples of many nets at once, the columns of z, a, y and d
(outputs, nets), and returns the sum of their ℓ; it is only faster. scratch (4, nets).

Classes are targets of zeros and ones, one output each; losses with `signed` take −1 and +1 instead.
Under losses with `independent` outputs two classes share one output: the second class is 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass
from dlprobe.registry import Parameter, Value, registrar

REDUCTION = Parameter(
    "reduction", "sum", "what is taken over a sample's outputs", choices=("sum", "mean")
)


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What is known of a loss. `tasks` are the tasks it suits, `output_activation` what `auto`
    picks for it, `also_called` what other tools name it.

    `target_range` is (low, high) of the numbers that it can take as targets of a regression, each
    output by itself; None where it takes whole classes, or distributions over all outputs together.

    `requires` is what outputs must be for it to mean anything: `distribution` (shares of all
    classes that sum to 1), `probabilities` (each within 0 … 1), or `numbers`. `of_shares(p)` is the
    loss of a sample whose outputs are always the shares p (output,) of ones among the targets, the
    best constant answer; None where that has no closed form.
    """

    name: str
    summary: str
    formula: str
    output_activation: str
    tasks: tuple[str, ...]
    source: str
    fused: str | None = None
    fused_row: Callable[..., float] | None = None
    fused_columns: Callable[..., float] | None = None
    signed: bool = False
    independent: bool = False
    soft_targets: bool = True
    target_range: tuple[float, float] | None = (-math.inf, math.inf)
    requires: Literal["distribution", "probabilities", "numbers"] = "numbers"
    of_shares: Callable[[npt.NDArray[np.float64]], float] | None = None
    parameters: tuple[Parameter, ...] = ()
    use: str = ""
    traps: str = ""
    also_called: tuple[str, ...] = ()

    def numbers(self, parameters: Mapping[str, Value]) -> tuple[float, ...]:
        """The parameters that the record's functions take, in their order."""
        return tuple(
            float(parameters[parameter.name])
            for parameter in self.parameters
            if parameter is not REDUCTION
        )

    def share(self, parameters: Mapping[str, Value], outputs: int) -> float:
        """What the sum over a sample's outputs is multiplied by: 1, or 1/outputs for the mean."""
        return 1.0 / outputs if parameters.get("reduction") == "mean" else 1.0

    def unmet(self, low: float, high: float, sums_to_one: bool, task: str) -> str:
        """Why outputs from `low` to `high` (whether those of a sample sum to 1) are not what it
        takes; empty where they are.
        """
        if self.requires != "numbers" and not (low >= 0.0 and high <= 1.0):
            return f"{self.name} takes probabilities"
        if self.requires == "distribution" and not sums_to_one:
            return (
                f"{self.name} takes shares of the classes that sum to 1, or saying 1 to all of "
                "them costs nothing"
            )
        low_high = (-1.0 if self.signed else 0.0, 1.0)
        if task == "classification" and not (low <= low_high[0] and high >= low_high[1]):
            return f"{self.name} asks for outputs of {low_high[0]:g} and {low_high[1]:g}"
        return ""

    @property
    def threshold(self) -> float:
        """The value of a single output above which it means the second class."""
        return 0.0 if self.signed else 0.5


@dataclass(frozen=True, kw_only=True)
class ElementwiseLoss(Loss):
    """A loss that is added up output by output."""

    value: Callable[..., float]
    slope: Callable[..., float]


add_loss = registrar("loss", ElementwiseLoss)


@dataclass(frozen=True, kw_only=True)
class RowLoss(Loss):
    """A loss of all outputs of a sample together."""

    row: Callable[..., float]


add_row_loss = registrar("loss", RowLoss)
