"""Where signal propagation settles in very deep nets of equal widths: fixed points, depth scales and the edge of chaos (Poole 2016; Schoenholz 2017).

σ_w² is fan_in · Var(W), σ_b² the variance of a bias parameter. The correlation of two inputs is followed by the Hermite expansion of the activation:
E φ(√q u)φ(√q v) = Σ h_k² c^k for standard normals u, v of correlation c, so one-dimensional quadrature is enough.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from dlprobe.analysis.gaussian import LARGEST_Q, Floats, Moments, moments, nodes, parameters_of, tabulate
from dlprobe.registry import Spec

TERMS = 400  # of the Hermite expansion; h_400 has 64 zeros per panel of width 10, which 200 nodes resolve
STEPS = 1000
TINY_Q = 1e-12
TINY_SLOPE = 1e-6  # E φ'² below it at q = 1e-12: the slope at 0 is 0
ROUNDING = 1e-12  # of averages; a multiplier within it of 1 is critical


@dataclass(frozen=True)
class FixedPoint:
    """q* = σ_w² E φ² + σ_b² and what follows there; depths count layers, infinite at a critical point, NaN where q* does not exist (0 or infinite).

    q: preactivation mean square. chi: χ_1 = σ_w² E φ'², growth of E δ² per layer backwards. depth_q: ξ_q, over which q nears q* by e.
    c: stable correlation of two inputs. depth_c: ξ_c, over which correlations near c by e. depth_gradient: ξ_∇ = −1/ln χ_1, negative where E δ²
    grows.
    """

    q: float
    chi: float
    depth_q: float
    c: float
    depth_c: float
    depth_gradient: float


@dataclass(frozen=True)
class Critical:
    """A point of the edge of chaos, χ_1 = 1: σ_w and its q*."""

    sigma_w: float
    q: float


def fixed_point(activation: Spec, sigma_w: float, sigma_b: float = 0.0, start: float = 1.0, keep: float = 1.0) -> FixedPoint:
    """The stable fixed point that the variance recursion reaches from q = `start` (where every q is one, as for He ReLU, `start` itself).

    keep: share that inverted dropout keeps. It multiplies mean squares by 1/keep, not products of two inputs with masks of their own, so that even equal
    inputs decorrelate and c* < 1 (Schoenholz 2017, §5). Raises ConfigError for an activation without scalar slope.
    """
    weight = sigma_w**2 / keep
    q = _settle(activation, weight, sigma_b**2, start)
    if not 0.0 < q < LARGEST_Q:
        return FixedPoint(q, *[math.nan] * 5)
    at = moments(activation, q)
    chi = weight * at.slope_mean_square
    correlation = CorrelationMap(activation, sigma_w, sigma_b, q)
    c = 1.0 if keep == 1.0 and chi <= 1.0 + ROUNDING else correlation.settle()
    return FixedPoint(
        q=q,
        chi=chi,
        depth_q=depth_scale(weight * at.mean_square_growth),
        c=c,
        depth_c=depth_scale(correlation.slope(c)),
        depth_gradient=depth_scale(chi),
    )


def _settle(activation: Spec, weight: float, bias: float, q: float) -> float:
    """Iterate q ← weight·E φ² + bias, with Newton's step where the map contracts; 0 or infinity where it leaves."""
    for _ in range(STEPS):
        if not TINY_Q < q < LARGEST_Q:
            return math.inf if q >= LARGEST_Q else 0.0
        at = moments(activation, q)
        if math.isnan(at.mean_square):  # an unbounded slope: it grows from here on
            return math.inf
        gap = weight * at.mean_square + bias - q
        if abs(gap) <= 1e-14 * q:
            break
        contraction = 1.0 - weight * at.mean_square_growth
        step = gap / contraction if contraction > 1e-9 else gap
        q = q + step if q + step > 0.0 else q / 2.0
    return q


def depth_scale(multiplier: float) -> float:
    """Layers over which what is multiplied by `multiplier` per layer changes by e: −1/ln, 0 for 0, infinite at 1."""
    if not multiplier > 0.0:
        return 0.0 if multiplier == 0.0 else math.nan
    return math.inf if abs(multiplier - 1.0) < ROUNDING else -1.0 / math.log(multiplier)


class CorrelationMap:
    """c ← (σ_w² Σ h_k² c^k + σ_b²)/q*: how the correlation of two inputs of equal norm changes over one layer, 0 ≤ c ≤ 1."""

    def __init__(self, activation: Spec, sigma_w: float, sigma_b: float, q: float) -> None:
        at: Moments = moments(activation, q)
        self.weight, self.bias, self.q = sigma_w**2, sigma_b**2, q
        self.slope_at_one = self.weight * at.slope_mean_square
        self.squares = hermite_squares(activation, q)
        # Σ h_k² = E φ² (Parseval): the terms that were cut off are put behind the last one, so that c = 1 is exact
        self.squares[-1] += max(at.mean_square - float(self.squares.sum()), 0.0)

    def __call__(self, c: float) -> float:
        """The correlation one layer further up."""
        return (self.weight * float(np.polynomial.polynomial.polyval(c, self.squares)) + self.bias) / self.q

    def slope(self, c: float) -> float:
        """dc_{l+1}/dc_l = σ_w² E φ'(u)φ'(v); at c = 1 exactly χ_1."""
        if c >= 1.0:
            return self.slope_at_one
        powers = np.arange(1, len(self.squares))
        return self.weight * float((powers * self.squares[1:]) @ c ** (powers - 1)) / self.q

    def settle(self) -> float:
        """The stable fixed point below 1, reached from c = 0: the map is convex and increasing, so there is one."""
        c = 0.0
        for _ in range(STEPS):
            following = self(c)
            if abs(following - c) <= 1e-13:
                break
            c = min(following, 1.0)
        return c


def hermite_squares(activation: Spec, q: float, terms: int = TERMS) -> Floats:
    """h_k² for k < terms, shape (terms,): h_k = E[φ(√q Z) He_k(Z)]/√k!, by the stable three-term recurrence of the normalized polynomials."""
    parameters = parameters_of(activation)
    points, weights = nodes(activation.record.kinks(*parameters), q, per_panel=TERMS // 2)
    values, _ = tabulate(activation.record, parameters, points)
    z = points / math.sqrt(q)
    weighted = weights * values
    before, here = np.zeros_like(z), np.ones_like(z)
    found = np.empty(terms)
    for k in range(terms):
        found[k] = float(weighted @ here) ** 2
        before, here = here, (z * here - math.sqrt(k) * before) / math.sqrt(k + 1.0)
    return found


def critical_sigma_w(activation: Spec, sigma_b: float = 0.0) -> Critical | None:
    """The σ_w at which χ_1 = 1 for this σ_b, with its q*; None where there is none below q* = 1e6 (ReLU with σ_b > 0).

    Both conditions together ask for a root of E φ²/E φ'² + σ_b² − q. Without bias and with φ(0) = 0 it is the point q* → 0 (ReLU: every q*), unless
    nothing passes there (shrinkage).
    """
    bias = sigma_b**2
    if bias == 0.0 and moments(activation, 0.0).mean == 0.0 and (slope := moments(activation, TINY_Q).slope_mean_square) > TINY_SLOPE:
        return Critical(1.0 / math.sqrt(slope), TINY_Q)
    grid = np.geomspace(max(bias, 1e-3), 1e6, 200).tolist()
    for low, high in itertools.pairwise(grid):
        if _excess(activation, low, bias) > 0.0 >= _excess(activation, high, bias):
            q = _bisect(activation, low, high, bias)
            return Critical(1.0 / math.sqrt(moments(activation, q).slope_mean_square), q)
    return None


def _excess(activation: Spec, q: float, bias: float) -> float:
    at = moments(activation, q)
    return at.mean_square / at.slope_mean_square + bias - q if at.slope_mean_square > 0.0 else math.nan


def _bisect(activation: Spec, low: float, high: float, bias: float) -> float:
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _excess(activation, middle, bias) > 0.0 else (low, middle)
    return 0.5 * (low + high)
