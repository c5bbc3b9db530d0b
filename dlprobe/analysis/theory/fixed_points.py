"""Where signal propagation settles in very deep nets of equal widths: fixed points, depth scales
and the edge of chaos (Poole 2016; Schoenholz 2017).

σ_w² is fan_in · Var(W), σ_b² the variance of a bias parameter. The correlation of two inputs is
followed by the Hermite expansion of the activation: E φ(√q u)φ(√q v) = Σ h_k² c^k for standard
normals u, v of correlation c, so one-dimensional quadrature is enough.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np

from dlprobe.analysis.theory.gaussian import (
    LARGEST_Q,
    Floats,
    Moments,
    moments,
    nodes,
    parameters_of,
    tabulate,
)
from dlprobe.dataclass import dataclass
from dlprobe.registry import Spec

# of the Hermite expansion; h_400 has 64 zeros per panel of width 10, which 200 nodes resolve
TERMS = 400
TAIL = 2**14  # terms up to which what is missing of E φ² is spread behind them
NEWTON = 200
TINY_Q = 1e-12  # where the search for q* > 0 ends
# stands for q → 0: behind a corner of the slope (softsign, ELU) χ_1 differs from its limit by √q
LIMIT_Q = 1e-30
HUGE_Q = 1e100  # what φ' does there stands for q* = ∞
TINY_SLOPE = 1e-6  # E φ'² below it at LIMIT_Q: the slope at 0 is 0
LARGEST_CRITICAL_Q = 1e6
ROUNDING = 1e-12  # of averages; a multiplier within it of 1 is critical


@dataclass(frozen=True)
class FixedPoint:
    """q* = σ_w² E φ² + σ_b² and what follows there; depths count layers, infinite at a critical
    point.

    q: preactivation mean square. chi: χ_1 = σ_w² E φ'², growth of E δ² per layer backwards.
        depth_q: ξ_q, over which q nears q* by e.
    c: stable correlation of two inputs. depth_c: ξ_c, over which correlations near c by e.
        depth_gradient: ξ_∇ = −1/ln χ_1, negative where E δ² grows. Where q* = 0 all are limits of a
        bias whose variance goes to 0; where q* = ∞ χ_1 and ξ_∇ are those of huge q and the others
        NaN.
    """

    q: float
    chi: float
    depth_q: float
    c: float
    depth_c: float
    depth_gradient: float


@dataclass(frozen=True)
class Critical:
    """A point of the edge of chaos, χ_1 = 1: σ_w and its q*. stable: whether q stays there;
    else it moves away from layer to layer.
    """

    sigma_w: float
    q: float
    stable: bool = True


def fixed_point(
    activation: Spec, sigma_w: float, sigma_b: float = 0.0, start: float = 1.0, keep: float = 1.0
) -> FixedPoint:
    """The stable fixed point that the variance recursion reaches from q = `start` (where every q is
    one, as for He ReLU, `start` itself).

    keep: share that inverted dropout keeps. It multiplies mean squares by 1/keep, not products of
        two inputs with masks of their own, so that even equal inputs decorrelate and c* < 1
        (Schoenholz 2017, §5). So does an activation that jumps: near a jump neighbours get
        different values, the slope of the correlation map at 1 is infinite. Raises ConfigError for
        an activation without scalar slope.
    """
    weight = sigma_w**2 / keep
    q = _settle(activation, weight, sigma_b**2, start)
    if not 0.0 < q < math.inf:
        return _limit(activation, weight, q)
    at = moments(activation, q)
    chi = weight * at.slope_mean_square
    correlation = CorrelationMap(activation, sigma_w, sigma_b, q)
    c = correlation.stable(keep)
    return FixedPoint(
        q=q,
        chi=chi,
        depth_q=depth_scale(weight * at.mean_square_growth),
        c=c,
        depth_c=depth_scale(correlation.slope(c)),
        depth_gradient=depth_scale(chi),
    )


def _limit(activation: Spec, weight: float, q: float) -> FixedPoint:
    """What is left where the signal dies out or grows without bound."""
    at = moments(activation, LIMIT_Q if q == 0.0 else HUGE_Q)
    chi = weight * at.slope_mean_square
    if q == 0.0:
        return FixedPoint(
            q,
            chi,
            depth_scale(weight * at.mean_square_growth),
            1.0,
            depth_scale(chi),
            depth_scale(chi),
        )
    return FixedPoint(q, chi, math.nan, math.nan, math.nan, depth_scale(chi))


def _settle(activation: Spec, weight: float, bias: float, start: float) -> float:
    """The first root of weight·E φ² + bias − q on the way from `start`; 0 or infinity where there
    is none.

    The map grows with q, so its iterates move one way and end at that root; here steps of a factor
    take their place, until the sign changes.
    """

    def gap(q: float) -> float:  # relative
        excess = (weight * moments(activation, q).mean_square + bias) / q - 1.0
        # an unbounded slope: it grows from here on
        return math.inf if math.isnan(excess) else excess

    near = max(start, 2.0 * TINY_Q)
    first = gap(near)
    if abs(first) <= 1e-14:
        return start
    up = first > 0.0
    while TINY_Q < near < LARGEST_Q:
        factor = 1.25 if 1e-6 < near < 1e6 else 10.0
        far = near * factor if up else near / factor
        excess = gap(far)
        if (excess < -ROUNDING) if up else (excess > ROUNDING):
            return _root(gap, near, far, up)
        near = far
    return math.inf if up else 0.0


def _root(gap: Callable[[float], float], near: float, far: float, up: bool) -> float:
    """Halve, in ln q, between a point before the root and one behind it."""
    for _ in range(100):
        middle = math.sqrt(near) * math.sqrt(far)
        if middle in (near, far):
            break
        near, far = (middle, far) if (gap(middle) > 0.0) == up else (near, middle)
    return near


def depth_scale(multiplier: float) -> float:
    """−1/ln(multiplier): number of layers over which a quantity that is multiplied by `multiplier`
    per layer falls by a factor e (negative: grows). 0 for 0, infinite at 1.
    """
    if not multiplier > 0.0:
        return 0.0 if multiplier == 0.0 else math.nan
    return math.inf if abs(multiplier - 1.0) < ROUNDING else -1.0 / math.log(multiplier)


class CorrelationMap:
    """c ← (σ_w² Σ h_k² c^k + σ_b²)/q*: how the correlation of two inputs of equal norm changes
    over one layer, 0 ≤ c ≤ 1.
    """

    def __init__(
        self,
        activation: Spec,
        sigma_w: float,
        sigma_b: float,
        q: float,
        argument: float | None = None,
        centred: bool = False,
    ) -> None:
        """argument: variance of what φ is applied to, where a norm makes it another than q.
        centred: what inputs share is taken off φ (h_0).
        """
        argument = q if argument is None else argument
        at: Moments = moments(activation, argument)
        self.weight, self.bias, self.q = sigma_w**2, sigma_b**2, q
        jumps = jumps_of(activation)
        self.slope_at_one = math.inf if jumps else self.weight * at.slope_mean_square * argument / q
        squares = hermite_squares(activation, argument)
        whole = at.variance if centred else at.mean_square
        squares[0] *= not centred
        # Σ h_k² = E φ² (Parseval): what was cut off falls as k^(−3/2) behind a jump, k^(−5/2)
        # behind a kink; the last term takes what lies behind it
        rest, fall = max(whole - float(squares.sum()), 0.0), 1.5 if jumps else 2.5
        tail = rest * (fall - 1.0) * (TERMS - 0.5) ** (fall - 1.0) * np.arange(TERMS, TAIL) ** -fall
        tail[-1] += rest - tail.sum()
        self.squares = np.concatenate([squares, tail])
        self.powers = np.arange(TAIL)

    def __call__(self, c: float) -> float:
        """The correlation one layer further up."""
        return (self.weight * float(self.squares @ c**self.powers) + self.bias) / self.q

    def slope(self, c: float) -> float:
        """dc_{l+1}/dc_l = σ_w² E φ'(u)φ'(v), jumps included; at c = 1 exactly χ_1, or infinite."""
        if c >= 1.0:
            return self.slope_at_one
        return (
            self.weight
            * float((self.powers[1:] * self.squares[1:]) @ c ** self.powers[:-1])
            / self.q
        )

    def stable(self, keep: float = 1.0) -> float:
        """c*, 1 where equal inputs stay equal (no dropout: keep is 1) and others come near."""
        return 1.0 if keep == 1.0 and self.slope_at_one <= 1.0 + ROUNDING else self.settle()

    def settle(self) -> float:
        """The stable fixed point below 1: the map is convex and increasing, so Newton's steps
        from c = 0 rise to its first root.
        """
        c = 0.0
        for _ in range(NEWTON):
            rest = 1.0 - self.slope(c)
            step = (self(c) - c) / rest if rest > 0.0 else 0.0
            if step <= 1e-13:
                break
            c = min(c + step, 1.0)
        return c


def jumps_of(activation: Spec) -> bool:
    """Whether the value jumps at one of the activation's kinks."""
    kinks = np.array(activation.record.kinks(*parameters_of(activation)))
    below, above = (
        tabulate(activation.record, parameters_of(activation), np.nextafter(kinks, side))[0]
        for side in (-np.inf, np.inf)
    )
    return bool(np.any(np.abs(above - below) > 1e-9 * (1.0 + np.abs(kinks))))


def hermite_squares(activation: Spec, q: float) -> Floats:
    """h_k² for k < TERMS, shape (TERMS,): h_k = E[φ(√q Z) He_k(Z)]/√k!, by the stable
    three-term recurrence of the normalized polynomials.
    """
    parameters = parameters_of(activation)
    points, weights = nodes(activation.record.kinks(*parameters), q, per_panel=TERMS // 2)
    values, _ = tabulate(activation.record, parameters, points)
    z = points / math.sqrt(q)
    weighted = weights * values
    before, here = np.zeros_like(z), np.ones_like(z)
    squares = np.empty(TERMS)
    for k in range(TERMS):
        squares[k] = float(weighted @ here) ** 2
        before, here = here, (z * here - math.sqrt(k) * before) / math.sqrt(k + 1.0)
    return squares


def critical_sigma_w(activation: Spec, sigma_b: float = 0.0) -> Critical | None:
    """The σ_w at which χ_1 = 1 for this σ_b, with its q*; None where there is none below q* = 1e6
    (ReLU with σ_b > 0).

    Both conditions together ask for a root of E φ²/E φ'² + σ_b² − q. Without bias and with φ(0) = 0
    it is the point q* → 0 (ReLU: every q*), unless nothing passes there (shrinkage). Where q* is
    not stable (GELU, SiLU with little bias: Roberts, Yaida & Hanin 2022, §5.3), no deep net stays
    there.
    """
    bias = sigma_b**2
    if (
        bias == 0.0
        and moments(activation, 0.0).mean == 0.0
        and (slope := moments(activation, LIMIT_Q).slope_mean_square) > TINY_SLOPE
    ):
        near = moments(activation, 1e-6)
        return Critical(
            1.0 / math.sqrt(slope), TINY_Q, near.mean_square / near.q <= slope * (1.0 + 1e-9)
        )
    grid = (
        np.geomspace(max(bias, 1e-3), LARGEST_CRITICAL_Q, 200).tolist()
        if bias < LARGEST_CRITICAL_Q
        else []
    )
    for low, high in itertools.pairwise(grid):
        if _excess(activation, low, bias) > 0.0 >= _excess(activation, high, bias):
            q = _bisect(activation, low, high, bias)
            at = moments(activation, q)
            return Critical(
                1.0 / math.sqrt(at.slope_mean_square),
                q,
                at.mean_square_growth <= at.slope_mean_square * (1.0 + 1e-9),
            )
    return None


def _excess(activation: Spec, q: float, bias: float) -> float:
    at = moments(activation, q)
    return (
        at.mean_square / at.slope_mean_square + bias - q if at.slope_mean_square > 0.0 else math.nan
    )


def _bisect(activation: Spec, low: float, high: float, bias: float) -> float:
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _excess(activation, middle, bias) > 0.0 else (low, middle)
    return 0.5 * (low + high)
