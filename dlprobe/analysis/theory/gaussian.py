"""Gaussian averages of activations: what mean-field theory is made of.

A preactivation of a wide layer is normal with variance q, so every quantity of the theory is E f(√q
Z), Z ~ N(0, 1), of some f made of value and slope. The quadrature is composite Gauss–Legendre on Z
∈ [−12, 12], split at 0, at the activation's kinks and at preactivations ±1, 3, 8, 20 … where
saturating functions bend. Plain Gauss–Hermite is not used: with 100 nodes it is 86 % off for the
sigmoid at q = 376.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dlprobe import registry
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.parts.activations import Activation
from dlprobe.registry import Spec

Floats = npt.NDArray[np.float64]

RANGE = 12.0  # a standard normal lies outside with probability 4e-33
# the far ones are for algebraic tails (softsign) and do nothing below q = 25
SPLITS = (1.0, 3.0, 8.0, 20.0, 60.0, 500.0, 5e3, 1e5)
BENDS = (0.0, *SPLITS, *(-split for split in SPLITS))
NODES = 40  # per panel; 80 change no table value by 1e-13
# of activations whose slope grows without bound: E e^(4u) has its mass at z = 4√q, so the range
# goes that much further …
FOURTH = 4.0
LARGEST_UNBOUNDED_Q = 25.0  # … as far as e^(4u) is a number at its end
PANEL = 4.0  # widest panel of such a range
LARGEST_Q = 1e200  # beyond it the squares below overflow, and so would any net


@dataclass(frozen=True)
class Moments:
    """Averages of an activation φ whose preactivation is N(0, q); all dimensionless.

    mean E φ, mean_square E φ², variance Var φ, slope_mean_square D = E φ'², slope_fourth E φ'⁴,
    third E φ³, fourth E φ⁴, value_slopes E φ φ'², square_slopes E φ² φ'², value_lean E φ Z,
    square_lean E φ² Z, slope_lean E φ'² Z/D, curvature E φ''. Slopes are those of backpropagation,
    which sees no jumps of φ. How averages move with q: mean_square_growth d E φ²/dq, mean_growth d
    E φ/d ln q, slope_growth d ln D/d ln q; jumps count there.
    """

    q: float
    mean: float
    mean_square: float
    variance: float
    slope_mean_square: float
    slope_fourth: float
    third: float
    fourth: float
    value_slopes: float
    square_slopes: float
    value_lean: float
    square_lean: float
    slope_lean: float
    curvature: float
    mean_square_growth: float
    mean_growth: float
    slope_growth: float

    @property
    def value_kappa(self) -> float:
        """E φ⁴/(E φ²)² − 1: the relative variance that one unit adds to the mean square of a
        layer's activations. ReLU 5, linear 2; NaN where (E φ²)² is 0.
        """
        # a power would be an error where a product is infinite
        square = self.mean_square * self.mean_square
        return self.fourth / square - 1.0 if square > 0.0 else math.nan

    @property
    def kappa(self) -> float:
        """κ = 3 E φ'⁴/(E φ'²)² − 1: the relative variance that one unit adds to the squared error
        signal of a layer; NaN where D² is 0.

        A unit's backward signal is φ'(z) times a normal number, whose fourth moment brings the 3.
        ReLU 5, linear 2.
        """
        square = self.slope_mean_square * self.slope_mean_square
        return 3.0 * self.slope_fourth / square - 1.0 if square > 0.0 else math.nan


def parameters_of(activation: Spec) -> tuple[float, ...]:
    """The parameters of an elementwise activation in its record's order. Raises ConfigError for
    any other, whose units have no slope of their own.
    """
    record = activation.record
    if not isinstance(record, Activation):
        raise ConfigError(
            f"activation {record.name} mixes the units of a row, so mean-field theory has no "
            "slope for it; "
            "expected an elementwise activation such as relu or tanh: use it for the hidden layers"
        )
    return tuple(float(activation.parameters[parameter.name]) for parameter in record.parameters)


def moments(activation: Spec, q: float) -> Moments:
    """The Gaussian averages of `activation` at preactivation mean square q ≥ 0; all NaN where q is
    not finite or above 1e200 (25 for e^z).

    Remembered per (activation, parameters, q). Raises ConfigError for a row-wise activation.
    """
    return _remembered(activation.name, parameters_of(activation), float(q))


@lru_cache(maxsize=16384)
def _remembered(name: str, parameters: tuple[float, ...], q: float) -> Moments:
    return integrate(registry.get("activation", name), parameters, q)


def integrate(record: Activation, parameters: tuple[float, ...], q: float) -> Moments:
    """The Gaussian averages of a record, without memory; see `moments`."""
    bounded = math.isfinite(record.largest_slope(*parameters))
    if not 0.0 <= q <= (LARGEST_Q if bounded else LARGEST_UNBOUNDED_Q):
        return Moments(q, *[math.nan] * (len(fields(Moments)) - 1))
    inner, inner_weights = nodes(
        record.kinks(*parameters), q, reach=RANGE if bounded else RANGE + FOURTH * math.sqrt(q)
    )
    draws = record.draws(*parameters)
    tables = [_at(record, numbers, inner) for _, numbers in draws]
    values, slopes = (np.concatenate(columns) for columns in zip(*tables, strict=True))
    points = np.tile(inner, len(draws))
    weights = np.concatenate([share * inner_weights for share, _ in draws])
    z, squares = points / math.sqrt(q) if q > 0.0 else points, slopes * slopes
    # dE f(√q Z)/d ln q = ½ E f·(Z² − 1), whether f jumps or not
    score = 0.5 * weights * (z * z - 1.0) if q > 0.0 else np.full_like(weights, math.nan)
    mean, slope_mean_square = float(weights @ values), float(weights @ squares)
    # fourth moments of 1e100 are no numbers
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return Moments(
            q=q,
            mean=mean,
            mean_square=float(weights @ (values * values)),
            variance=float(weights @ (values - mean) ** 2),
            slope_mean_square=slope_mean_square,
            slope_fourth=float(weights @ (squares * squares)),
            third=float(weights @ values**3),
            fourth=float(weights @ values**4),
            value_slopes=float(weights @ (values * squares)),
            square_slopes=float(weights @ (values * values * squares)),
            value_lean=float(weights @ (values * z)),
            square_lean=float(weights @ (values * values * z)),
            slope_lean=float(weights @ (squares * z)) / slope_mean_square
            if slope_mean_square > 0.0
            else math.nan,
            curvature=float(weights @ (slopes * z)) / math.sqrt(q) if q > 0.0 else math.nan,
            mean_square_growth=float(score @ (values * values)) / q if q > 0.0 else math.nan,
            mean_growth=float(score @ values),
            slope_growth=float(score @ squares) / slope_mean_square
            if slope_mean_square > 0.0
            else math.nan,
        )


def tabulate(
    record: Activation, parameters: tuple[float, ...], points: Floats
) -> tuple[Floats, Floats]:
    """Values and slopes of a record's scalar functions at `points`, both float64 of the same
    shape; a number that is drawn at its mean.
    """
    return _at(record, record.numbers(*parameters), points)


def _at(record: Activation, numbers: tuple[float, ...], points: Floats) -> tuple[Floats, Floats]:
    value: Callable[..., float] = record.value
    slope: Callable[..., float] = record.slope
    where = points.tolist()
    values = [value(z, *numbers) for z in where]
    slopes = [slope(z, a, *numbers) for z, a in zip(where, values, strict=True)]
    return np.array(values, dtype=np.float64), np.array(slopes, dtype=np.float64)


def nodes(
    kinks: tuple[float, ...], q: float, per_panel: int = NODES, reach: float = RANGE
) -> tuple[Floats, Floats]:
    """Preactivations u = √q z and weights, both (node,), of the rule E f(u) ≈ Σ weight · f(u) for
    u ~ N(0, q); weights sum to 1 up to 1e-14. At q = 0 one node at 0.
    """
    if q == 0.0:
        return np.zeros(1), np.ones(1)
    root = math.sqrt(q)
    inner = {split / root for split in (*BENDS, *kinks) if abs(split) < reach * root}
    further = np.arange(-reach, reach, PANEL).tolist() if reach > RANGE else []
    edges = np.array(sorted({-reach, reach, *inner, *further}))
    half = np.diff(edges)[:, None] / 2.0
    nodes_one, weights_one = _legendre(per_panel)
    z = (edges[:-1, None] + half * (1.0 + nodes_one)).ravel()
    weights = (half * weights_one).ravel() * np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return root * z, weights


@lru_cache(maxsize=8)
def _legendre(count: int) -> tuple[Floats, Floats]:
    """Nodes and weights of Gauss–Legendre on [−1, 1]."""
    nodes_one, weights_one = np.polynomial.legendre.leggauss(count)
    return np.asarray(nodes_one, dtype=np.float64), np.asarray(weights_one, dtype=np.float64)
