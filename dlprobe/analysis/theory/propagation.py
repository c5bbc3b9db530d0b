"""The two recursions of mean-field theory, layer by layer: mean squares forward, squared error
signals backward.

Every layer takes x = a_{l−1} (after dropout and noise) to z = xW + b, y = φ(z) with a norm before
or behind, and a = y, or a = a_{l−1} + α·y where it has a residual connection, which goes around
dropout and noise too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dlprobe.analysis.theory.gaussian import Moments, moments
from dlprobe.analysis.theory.initial_net import InitialNet
from dlprobe.dataclass import dataclass
from dlprobe.registry import Spec


@dataclass(frozen=True)
class Signal:
    """What a layer hands on: E a and E a²; samples differ by E a² − (E a)²."""

    mean: float
    mean_square: float

    @property
    def variance(self) -> float:
        return self.mean_square - self.mean**2

    def perturbed(self, keep: float, noise: float) -> Signal:
        """Behind inverted dropout, which divides E a² by the share kept, and noise of a
        variance.
        """
        return Signal(self.mean, self.mean_square / keep + noise)


@dataclass(frozen=True)
class TheoryLayer:
    """One layer: q of z, averages of φ at its own argument, what the layer hands on, and
    `shrink`, what a norm divides E δ² by on the way to z.
    """

    q: float
    inside: Moments
    signal: Signal
    shrink: float

    @property
    def slope(self) -> float:
        """E (dL/dz)²/E (dL/dy)², y = φ(…) before a residual sum is added: E φ'² times `shrink`."""
        return self.inside.slope_mean_square * self.shrink


def forward(net: InitialNet) -> list[TheoryLayer]:
    """All hidden layers, hidden_1 first; NaN and infinite numbers where the recursion left what
    a float holds.
    """
    layers: list[TheoryLayer] = []
    random = net.perturbations
    source = Signal(0.0, net.input_mean_square)
    constants = zip(
        net.fan_in, net.activations, net.weight_variance, net.bias_variance, net.scales, strict=True
    )
    for index, (fan_in, spec, weight, bias, scale) in enumerate(constants):
        got = source.perturbed(
            *((random.keep, random.noise) if index else (random.input_keep, random.input_noise))
        )
        layers.append(
            _layer(net, spec, fan_in * weight / random.weight_keep, bias, source, got, scale)
        )
        source = layers[-1].signal
    return layers


def _layer(
    net: InitialNet,
    spec: Spec,
    weight: float,
    bias: float,
    source: Signal,
    got: Signal,
    scale: float | None,
) -> TheoryLayer:
    """One layer; `weight` is fan_in·Var(W) of what multiplies.

    Without norm the argument of φ has variance q = weight·E x² + bias, where weights sum to 0
    weight·Var x + bias. Batch norm before φ divides by the variance of a unit over the batch,
    weight·Var x (bias parameters and what the samples share cancel); layer, group and rms norm
    before φ by the variance over units, q. All leave an argument of variance 1 and divide E δ² by
    what they divided z² by. After φ they divide a and the error signal by √Var φ(q), rms by √E
    φ(q)², and a has mean square 1. What their projections take is O(1/batch), O(1/units),
    O(groups/units).
    """
    q = weight * (got.variance if net.centred else got.mean_square) + bias
    before = net.normalization is not None and net.position == "before"
    after = net.normalization is not None and net.position == "after"
    inside = moments(spec, 1.0 if before else q)
    shrink, own = 1.0, Signal(inside.mean, inside.mean_square)
    if before:
        shrink = _inverse(weight * got.variance if net.normalization == "batch" else q)
    elif after:
        shrink = _inverse(inside.mean_square if net.normalization == "rms" else inside.variance)
        own = Signal(inside.mean * math.sqrt(shrink) if net.normalization == "rms" else 0.0, 1.0)
    signal = own if scale is None else _sum(source, own, scale)
    return TheoryLayer(q, inside, signal, shrink)


def _sum(source: Signal, own: Signal, scale: float) -> Signal:
    """a + α·y: given a, y depends on its length only, as W has mean zero, so E a·y = E a · E y.
    Means add up, in ReLU nets they make E a² outgrow 1 + α².
    """
    return Signal(
        source.mean + scale * own.mean,
        source.mean_square + 2.0 * scale * source.mean * own.mean + scale**2 * own.mean_square,
    )


def _inverse(divisor: float) -> float:
    return 1.0 / divisor if divisor > 0.0 else math.nan


def backward_factors(net: InitialNet, layers: list[TheoryLayer]) -> list[float]:
    """E δ_l²/E δ_{l+1}² for l = 1 … n − 1, δ = dL/dz.

    With D_l = dL/da_l: δ_l = α_l φ'(z_l) D_l, through the norm, and E D_{l−1}² = through_l·E D_l²,
    through_l = n_l Var(W_l) E δ_l²/E D_l² over the shares kept by dropout and drop-connect; with a
    residual connection 1 is added for what goes around (the two are uncorrelated, W having mean
    zero).
    """
    slopes = branch_slopes(net, layers)
    around = [0.0 if scale is None else 1.0 for scale in net.scales]
    passed = through(net, slopes)
    return [
        slope * (go + pass_on) / following if following > 0.0 else math.nan
        for slope, following, go, pass_on in zip(
            slopes, slopes[1:], around[1:], passed[1:], strict=False
        )
    ]


def branch_slopes(net: InitialNet, layers: Sequence[TheoryLayer]) -> list[float]:
    """Per layer E s², times α² where its result is added to what it got."""
    return [
        layer.slope * (1.0 if scale is None else scale**2)
        for layer, scale in zip(layers, net.scales, strict=True)
    ]


def through(net: InitialNet, slopes: list[float]) -> list[float]:
    """Per layer E (dL/dx)²/E (dL/da)² along the way through its weights, x the layer's input: units
    · Var(W) · slope, over the share that dropout of x and drop-connect keep.
    """
    random = net.perturbations
    kept = [
        random.weight_keep * (random.keep if index else random.input_keep)
        for index in range(len(slopes))
    ]
    return [
        units * weight * slope / keep
        for units, weight, slope, keep in zip(
            net.units, net.weight_variance, slopes, kept, strict=True
        )
    ]


def step_kappas(net: InitialNet, layers: list[TheoryLayer]) -> tuple[float, ...]:
    """Per layer the relative variance, times its units, of the step of Σ δ² from the next layer to
    it (the last one's: its own slopes').

    Without residual connection κ = 3 E s⁴/(E s²)² − 1, s the slope with its dropout mask. A step
    that goes around a layer with share 1 and through it with share t has 4t + t²κ over (1 + t)²:
    the product of the two ways, and the way through.
    """
    keep = net.perturbations.keep
    own = [(layer.inside.kappa + 1.0) / keep - 1.0 for layer in layers]
    slopes = branch_slopes(net, layers)
    passed = through(net, slopes)
    kappas = []
    for index in range(len(layers) - 1):
        if net.scales[index + 1] is None:
            kappas.append(own[index])
            continue
        t = passed[index + 1]
        # the slopes between cancel
        ends = (own[0] if index == 0 else 0.0) + (own[-1] if index == len(layers) - 2 else 0.0)
        kappas.append((4.0 * t + t * t * own[index + 1]) / (1.0 + t) ** 2 + ends)
    return (*kappas, own[-1]) if layers else ()
