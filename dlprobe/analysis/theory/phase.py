"""Where a net lies in the phase diagram of signal propagation: what its last hidden layer would
do if it were repeated without end.
"""

from __future__ import annotations

import math
from dataclasses import replace

from dlprobe.analysis.theory import propagation
from dlprobe.analysis.theory.fixed_points import (
    CorrelationMap,
    Critical,
    critical_sigma_w,
    depth_scale,
    fixed_point,
    jumps_of,
)
from dlprobe.analysis.theory.gaussian import moments
from dlprobe.analysis.theory.initial_net import InitialNet
from dlprobe.dataclass import dataclass
from dlprobe.registry import Spec

Q_POINTS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
C_POINTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
DEEP = 200  # layers after which a net with a norm has long settled


@dataclass(frozen=True)
class Phase:
    """A layer's fixed point and depth scales (counted in layers; infinite at a critical point, NaN
    where not defined, negative ξ_∇ where E δ² grows).

    sigma_w = √(fan_in·Var W), sigma_b = √E b². q_map: (q, q of the next layer) pairs; c_map: (c, c
    of the next layer) at q*, empty where not derived.
    critical: the edge of chaos for this σ_b, None where there is none or it is not derived. note:
        what the numbers leave out.
    """

    sigma_w: float
    sigma_b: float
    q_star: float
    chi_1: float
    xi_gradient: float
    c_star: float = math.nan
    xi_q: float = math.nan
    xi_c: float = math.nan
    q_map: tuple[tuple[float, float], ...] = ()
    c_map: tuple[tuple[float, float], ...] = ()
    critical: Critical | None = None
    note: str = ""

    @property
    def regime(self) -> str:
        """ordered (error signals vanish), chaotic (they explode), critical, or unknown."""
        if math.isnan(self.chi_1):
            return "unknown"
        if abs(self.chi_1 - 1.0) < 1e-6:
            return "critical"
        if self.chi_1 < 1.0:
            return "ordered"
        return "chaotic"


def phase_of(net: InitialNet) -> Phase:
    """The phase of the last hidden layer of a net that `theory.predict` calls applicable."""
    spec, bias = net.activations[-1], net.bias_variance[-1]
    weight = net.fan_in[-1] * net.weight_variance[-1]
    if net.normalization is None and net.scales[-1] is None and not net.centred:
        return _plain(net, spec, weight, bias)
    return _settled(net, weight, bias)


def _plain(net: InitialNet, spec: Spec, weight: float, bias: float) -> Phase:
    random = net.perturbations
    sigma_w = math.sqrt(weight / random.weight_keep)
    sigma_b = math.sqrt(bias + weight * random.noise)
    fixed = fixed_point(
        spec, sigma_w, sigma_b, start=propagation.forward(net)[-1].q, keep=random.keep
    )
    correlation = (
        CorrelationMap(spec, sigma_w, sigma_b, fixed.q) if 0.0 < fixed.q < math.inf else None
    )
    notes = []
    if random.noise > 0.0:
        notes.append(
            "noise of each layer counts as a bias of its variance, one for all inputs: c* is "
            "an upper bound"
        )
    if fixed.q == 0.0:
        notes.append(
            "the signal dies out: q* = 0; c* and depth scales are those of a bias that goes to 0"
        )
    if fixed.q == math.inf:
        notes.append(
            "the signal grows without bound: q* is infinite, and χ_1 what the slopes come to there"
        )
    if jumps_of(spec):
        notes.append(
            f"{spec.name} jumps, which gradients do not see: χ_1 and error signals leave the "
            "jumps out, ξ_q, c* and ξ_c count them"
        )
    return Phase(
        sigma_w=sigma_w,
        sigma_b=sigma_b,
        q_star=fixed.q,
        chi_1=fixed.chi,
        c_star=fixed.c,
        xi_q=fixed.depth_q,
        xi_c=fixed.depth_c,
        xi_gradient=fixed.depth_gradient,
        q_map=q_map(spec, sigma_w, sigma_b, random.keep),
        c_map=tuple((c, correlation(c)) for c in C_POINTS) if correlation else (),
        critical=critical_with_dropout(spec, sigma_b, random.keep),
        note="; ".join(notes),
    )


def q_map(
    spec: Spec, sigma_w: float, sigma_b: float = 0.0, keep: float = 1.0
) -> tuple[tuple[float, float], ...]:
    """(q, q of the next layer) for each q of Q_POINTS: σ_w² E φ²/keep + σ_b²."""
    return tuple(
        (q, sigma_w**2 / keep * moments(spec, q).mean_square + sigma_b**2) for q in Q_POINTS
    )


def critical_with_dropout(spec: Spec, sigma_b: float, keep: float = 1.0) -> Critical | None:
    """σ_w at which χ_1 = 1: dropout acts on both recursions as weights larger by 1/√keep."""
    critical = critical_sigma_w(spec, sigma_b)
    return critical and Critical(critical.sigma_w * math.sqrt(keep), critical.q, critical.stable)


def _settled(net: InitialNet, weight: float, bias: float) -> Phase:
    """A norm, a residual sum or weights that sum to 0: the last layer is repeated until its
    factor has settled.
    """
    last = InitialNet(
        features=net.units[-1],
        input_mean_square=1.0,
        units=(net.units[-1],) * DEEP,
        activations=net.activations[-1:] * DEEP,
        weight_variance=(weight / net.units[-1],) * DEEP,
        bias_variance=(bias,) * DEEP,
        normalization=net.normalization,
        position=net.position,
        residual=net.scales[-1:] * DEEP if net.scales[-1] is not None else (),
        perturbations=net.perturbations,
        centred=net.centred,
    )
    layers = propagation.forward(last)
    chi = propagation.backward_factors(last, layers)[-1]
    sigma_w, sigma_b, q = math.sqrt(weight), math.sqrt(bias), layers[-1].q
    phase = Phase(sigma_w, sigma_b, q, chi, depth_scale(chi))
    if net.scales[-1] is not None:
        note = (
            "a residual stream grows from layer to layer: no q*; χ is its growth of E δ² per "
            "layer, deep in the net; correlations of inputs are not derived"
        )
        return replace(phase, q_star=math.inf, note=note)
    if net.normalization is None:
        note = (
            "weights that sum to 0 let only what differs between inputs through: q* is of its "
            "variance; correlations of inputs are not derived"
        )
        if not 0.0 < q < math.inf:
            return replace(phase, note=note)
        return replace(phase, xi_q=depth_scale(weight * _variance_growth(layers[-1])), note=note)
    note = f"{net.normalization} norm holds q; χ is what is left: the growth of E δ² per layer"
    after = () if net.position == "after" else tuple((point, q) for point in Q_POINTS)
    phase = replace(phase, xi_q=0.0, q_map=after, note=note)
    correlation = _normalized_map(net, layers[-1], sigma_w, sigma_b)
    if correlation is None:
        return replace(phase, note=f"{note}; correlations of inputs are not derived")
    c = correlation.stable(net.perturbations.keep)
    pairs = tuple((point, correlation(point)) for point in C_POINTS)
    return replace(phase, c_star=c, xi_c=depth_scale(correlation.slope(c)), c_map=pairs)


def _variance_growth(layer: propagation.TheoryLayer) -> float:
    """d Var φ/dq."""
    return (
        layer.inside.mean_square_growth
        - 2.0 * layer.inside.mean * layer.inside.mean_growth / layer.q
    )


def _normalized_map(
    net: InitialNet, layer: propagation.TheoryLayer, sigma_w: float, sigma_b: float
) -> CorrelationMap | None:
    """The correlation map with a norm over units: before φ its arguments have variance 1, behind it
    φ² is divided by its mean (rms) or variance.

    None for batch norm, which mixes the inputs whose correlation is asked for.
    """
    if net.normalization == "batch" or not 0.0 < layer.q < math.inf:
        return None
    before = net.position == "before"
    centred = net.centred or (net.position == "after" and net.normalization != "rms")
    scale = 1.0 if before else math.sqrt(layer.shrink)
    return CorrelationMap(
        net.activations[-1], sigma_w * scale, sigma_b, layer.q, 1.0 if before else None, centred
    )
