"""What is known of an activation: a record of the kind that its formula asks for.

`Activation`: a number in, a number out. `LearnedActivation` and `RandomActivation` are such whose
    formula takes one more number, learned or drawn.
`RowActivation`: a row in, a row out. `GatedActivation`: half of the row gates the other half.
All functions are plain Python written with `parts.scalar`, so that the engine can compile them for
float32 and float64 alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

from dlprobe.dataclass import dataclass
from dlprobe.registry import Parameter, registrar

Array = Any  # a NumPy array, or what numba makes of one
FLAT_SHARE = 0.01  # a slope below this share of the activation's largest slope counts as flat


@dataclass(frozen=True, kw_only=True)
class AnyActivation:
    """What every kind holds.

    `formula` gives a from z, `slope_formula` its derivative. `initializer` is the default
    initializer for nets of this activation, `use` says when to take it, `traps` what people run
    into, `source` who proposed it, `also_called` what other tools name it. `objection(*parameters)`
    says what is wrong with parameters that are each in their range, None where nothing is.
    `inputs_per_unit` preactivations make one number of a.
    `output_range(*parameters)` is (infimum, supremum) of a over all preactivations, infinite where
    there is none; an end may be a limit that no preactivation reaches (0 and 1 of a sigmoid).
    `sums_to_one` says that the numbers of a row do.
    """

    name: str
    summary: str
    formula: str
    slope_formula: str
    source: str
    initializer: str = "glorot_normal"
    parameters: tuple[Parameter, ...] = ()
    use: str = ""
    traps: str = ""
    objection: Callable[..., str | None] = lambda *_: None
    output_range: Callable[..., tuple[float, float]] = lambda *_: (-math.inf, math.inf)
    sums_to_one: bool = False
    also_called: tuple[str, ...] = ()

    inputs_per_unit: ClassVar[int] = 1

    def width(self, preactivations: int) -> int:
        """The width of a for a layer of `preactivations` columns of W."""
        return preactivations // self.inputs_per_unit

    def learned(self, units: int, *parameters: Any) -> tuple[float, ...]:
        """The initial values of the numbers that are trained with a layer of `units` units."""
        return ()

    def evaluate(self, row: list[float], *parameters: Any) -> list[float]:
        """a of one row of preactivations in plain Python: learned numbers at their initial
        values, no chance.
        """
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Activation(AnyActivation):
    """An elementwise activation.

    value(z, *p) and slope(z, a, *p) with a = value(z, *p) take and return scalars; p =
    numbers(*parameters). `gain` is what weights are scaled by to keep the variance (PyTorch's
    table, else 1 or that of the function it resembles). `largest_slope` is the supremum of |slope|,
    infinite where there is none. `kinks` are the points where value or slope jump. Where slope is
    nowhere anything but 1 and one other number, `other_slope` is that number: the engine then
    counts slopes instead of adding them up. All four are functions of the parameters.
    """

    value: Callable[..., float]
    slope: Callable[..., float]
    largest_slope: Callable[..., float]
    gain: Callable[..., float] = lambda *_: 1.0
    kinks: Callable[..., tuple[float, ...]] = lambda *_: ()
    other_slope: Callable[..., float] | None = None

    def numbers(self, *parameters: Any) -> tuple[float, ...]:
        """What value takes after z, and slope after a: here the parameters themselves."""
        return tuple(float(parameter) for parameter in parameters)

    def draws(self, *parameters: Any) -> tuple[tuple[float, tuple[float, ...]], ...]:
        """(probability, numbers) pairs whose weighted mean is the average over what training draws:
        one pair, with probability 1, where nothing is drawn.
        """
        return ((1.0, self.numbers(*parameters)),)

    def flat_below(self, *parameters: Any) -> float:
        """The |slope| below which an element counts as flat: 0.01 of the largest |slope|, or 0.01
        where slopes grow without bound.
        """
        largest = self.largest_slope(*parameters)
        return FLAT_SHARE * (largest if math.isfinite(largest) else 1.0)

    def evaluate(self, row: list[float], *parameters: Any) -> list[float]:
        """a of one row; see AnyActivation."""
        numbers = self.numbers(*parameters)
        return [self.value(z, *numbers) for z in row]


add_activation = registrar("activation", Activation)


@dataclass(frozen=True, kw_only=True)
class LearnedActivation(Activation):
    """An elementwise activation with one learned number s per unit, or one for the layer: value(z,
    s), slope(z, a, s), learned_slope(z, s) = ∂a/∂s.

    Its parameters are `init`, where s starts, and `shared`. gain, largest_slope and kinks are those
    at the start.
    """

    learned_slope: Callable[[float, float], float]

    def numbers(self, *parameters: Any) -> tuple[float, ...]:
        """(init,), the initial s."""
        return (float(parameters[0]),)

    def learned(self, units: int, *parameters: Any) -> tuple[float, ...]:
        """`init` once where `shared`, else once per unit."""
        init, shared = parameters
        return (float(init),) * (1 if shared else units)


@dataclass(frozen=True, kw_only=True)
class RandomActivation(Activation):
    """An elementwise activation with a number s that is drawn from U(lower, upper) for every
    element of every training step: value(z, s), slope(z, a, s).

    Its parameters are `lower` and `upper`. In evaluation s is their mean.
    """

    def numbers(self, *parameters: Any) -> tuple[float, ...]:
        """((lower + upper)/2,), the s of evaluation."""
        lower, upper = parameters
        return ((float(lower) + float(upper)) / 2.0,)

    def draws(self, *parameters: Any) -> tuple[tuple[float, tuple[float, ...]], ...]:
        """Three pairs, Gauss-Legendre quadrature over (lower, upper): exact for polynomials in s up
        to s⁵.
        """
        (middle,), half = (
            self.numbers(*parameters),
            (float(parameters[1]) - float(parameters[0])) / 2.0,
        )
        return tuple(
            (share, (middle + half * place,))
            for share, place in ((5 / 18, -math.sqrt(0.6)), (8 / 18, 0.0), (5 / 18, math.sqrt(0.6)))
        )


@dataclass(frozen=True, kw_only=True)
class RowActivation(AnyActivation):
    """An activation whose outputs in a row depend on the whole row.

    row_value(z, a, *p) fills the row `a`; row_backward(a, da, dz, *p) fills `dz` from dL/da. A unit
    has no slope of its own, so slope statistics are NaN. columns_value(z, a, scratch, *p), where a
    record has it, does the same for the rows of many nets at once, the columns of z and a (units,
    nets); it is only faster. scratch (2, nets).
    """

    row_value: Callable[..., None]
    row_backward: Callable[..., None]
    columns_value: Callable[..., None] | None = None

    def evaluate(self, row: list[float], *parameters: Any) -> list[float]:
        """a of one row; see AnyActivation."""
        activated = [0.0] * len(row)
        self.row_value(row, activated, *parameters)
        return activated


add_row_activation = registrar("activation", RowActivation)


@dataclass(frozen=True, kw_only=True)
class GatedActivation(AnyActivation):
    """An activation that takes two preactivations per unit: of 2m columns of W, column j and column
    m + j make unit j.

    value(u, v, *p) gives a from u, the first of the two, and v, the gate; slopes(u, v, *p) gives
    (∂a/∂u, ∂a/∂v). A unit has no slope of its own, so slope statistics are NaN.
    """

    value: Callable[..., float]
    slopes: Callable[..., tuple[float, float]]

    inputs_per_unit: ClassVar[int] = 2

    def evaluate(self, row: list[float], *parameters: Any) -> list[float]:
        """a of one row; see AnyActivation."""
        half = len(row) // 2
        return [self.value(u, v, *parameters) for u, v in zip(row[:half], row[half:], strict=True)]
