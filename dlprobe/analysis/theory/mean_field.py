"""What mean-field theory predicts of a net at initialization, without training it (Poole et al.
2016; Schoenholz et al. 2017).

Forward, q_l = fan_in_l · Var(W_l) · E a_{l−1}² + E b_l²; backward, E δ_l² = n_{l+1} · Var(W_{l+1})
· E φ'(z_l)² · E δ_{l+1}², with z_l ~ N(0, q_l), n the units of a layer and δ the derivative of a
sample's own loss by z. The theory is one of wide layers, independent zero-mean weights and
unstructured inputs. What normalization (batch: Yang et al. 2019), residual sums (Yang & Schoenholz
2017), dropout and noise do to both recursions stands in `propagation`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dlprobe.analysis.theory import propagation
from dlprobe.analysis.theory.fluctuations import spread
from dlprobe.analysis.theory.gaussian import LARGEST_Q, moments, parameters_of
from dlprobe.analysis.theory.initial_net import InitialNet as InitialNet
from dlprobe.analysis.theory.initial_net import Perturbations as Perturbations
from dlprobe.analysis.theory.initial_net import configured as configured
from dlprobe.analysis.theory.initial_net import describe as describe
from dlprobe.dataclass import dataclass
from dlprobe.parts.activations import Activation
from dlprobe.registry import Spec

DEVIATIONS = 4.0  # half-width of every finite-width band, in standard deviations
PER_DECADE = 20  # values of q at which κ is integrated for measured ones: right to .1 %
USUAL_KAPPA = 5.0  # ReLU's, the largest of the common activations where they do not saturate


@dataclass(frozen=True)
class Band:
    """A predicted number with the band in which one net of finite width falls (mean shift ± 4
    standard deviations).
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Prediction:
    """What theory says of the hidden layers at initialization; tuples have one entry per hidden
    layer, hidden_1 first; NaN where not applicable.

    preactivation_mean_square: q of z as recorded, before a norm that stands before the activation.
        activation_mean_square, activation_variance: of a, after a norm that stands after the
        activation; pooled over samples and units.
    error_signal_rms_relative: RMS δ_l / RMS δ_n, so 1 for the last. backward_factors: (n − 1,), χ_l
        = E δ_l²/E δ_{l+1}².
    kappas: (n,), relative variance that one unit of the layer adds to the squared error signal.
    log_activation_variance: (n,), variance of ln E a² over random nets of these widths, for a
        single input; log_error_variance: (n,), that of ln δ_l²/δ_n², and log_error_shift: (n,), how
        far its mean lies above the infinite-width value. See `fluctuations`.
    log10_error_signal_ratio: log10 RMS δ_1/RMS δ_n; value is the infinite-width one. decay_factor:
        its geometric mean per layer, of the RMS, towards the input.
    e_folding_depth: layers over which the RMS changes by e (twice the ξ_∇ of the papers, which is
        of the mean square); infinite where it does not change.
    reason: why theory does not apply, empty where it does. assumptions: sentences to print beside
        the numbers.
    """

    preactivation_mean_square: tuple[float, ...]
    activation_mean_square: tuple[float, ...]
    activation_variance: tuple[float, ...]
    error_signal_rms_relative: tuple[float, ...]
    backward_factors: tuple[float, ...]
    kappas: tuple[float, ...]
    log10_error_signal_ratio: Band
    decay_factor: float
    e_folding_depth: float
    applicable: bool
    reason: str = ""
    assumptions: tuple[str, ...] = ()
    log_activation_variance: tuple[float, ...] = ()
    log_error_variance: tuple[float, ...] = ()
    log_error_shift: tuple[float, ...] = ()

    def error_signal_bands(self) -> list[Band]:
        """RMS δ_l/RMS δ_n of every layer with its finite-width band; (1, 1, 1) for the last."""
        logs = [
            math.log10(value) if value > 0.0 else -math.inf
            for value in self.error_signal_rms_relative
        ]
        bands = [
            finite_width_band(*layer)
            for layer in zip(logs, self.log_error_variance, self.log_error_shift, strict=True)
        ]
        return [
            Band(value, _power10(band.low), _power10(band.high))
            for value, band in zip(self.error_signal_rms_relative, bands, strict=True)
        ]

    def activation_bands(self) -> list[Band]:
        """E a² of every layer with its finite-width band."""
        bands = []
        for value, variance in zip(
            self.activation_mean_square, self.log_activation_variance, strict=True
        ):
            spread = DEVIATIONS * math.sqrt(variance)
            bands.append(
                Band(
                    value,
                    value * math.exp(-variance / 2.0 - spread),
                    value * math.exp(-variance / 2.0 + spread),
                )
            )
        return bands


def predict(net: InitialNet) -> Prediction:
    """Propagate variance forward and the error signal backward through `net`; never raises for a
    net that theory cannot treat, says why instead.

    One hidden layer has ratio 0: it is compared with itself.
    """
    reason = _obstacle(net)
    layers = [] if reason else propagation.forward(net)
    reason = reason or _stuck(layers)
    factors = [] if reason else propagation.backward_factors(net, layers)
    if any(not 0.0 < factor < math.inf for factor in factors):
        reason = "the error signal leaves the range of floating-point numbers within one layer"
    if reason:
        return _not_applicable(len(net.units), reason)
    logs = [0.5 * math.log10(factor) for factor in factors]
    ratio = math.fsum(logs)
    spreads = spread(net, layers)
    decay, depth = per_layer(ratio, len(logs))
    return Prediction(
        preactivation_mean_square=tuple(layer.q for layer in layers),
        activation_mean_square=tuple(layer.signal.mean_square for layer in layers),
        activation_variance=tuple(layer.signal.variance for layer in layers),
        error_signal_rms_relative=tuple(
            _power10(math.fsum(logs[index:])) for index in range(len(layers))
        ),
        backward_factors=tuple(factors),
        kappas=propagation.step_kappas(net, layers),
        log10_error_signal_ratio=finite_width_band(
            ratio, spreads.error_signal[0], spreads.error_signal_shift[0]
        ),
        decay_factor=decay,
        e_folding_depth=depth,
        applicable=True,
        log_activation_variance=spreads.activation,
        log_error_variance=spreads.error_signal,
        log_error_shift=spreads.error_signal_shift,
        assumptions=_assumptions(net, spreads.rough_from),
    )


def finite_width_band(ratio: float, variance: float, shift: float) -> Band:
    """The band of log10 RMS δ_l/RMS δ_n around its infinite-width value `ratio`, from variance and
    mean shift of ln δ_l²/δ_n², which is nearly normal.

    This is the law of a single input; a batch of independent inputs averages and fluctuates less,
    so the band is a conservative one.
    """
    middle = shift / (2.0 * math.log(10.0))
    spread_of = DEVIATIONS * math.sqrt(variance) / (2.0 * math.log(10.0))
    return Band(ratio, ratio + middle - spread_of, ratio + middle + spread_of)


def log10_deviation(kappas: Sequence[float], units: Sequence[int]) -> float:
    """Standard deviation of log10 RMS δ_1/RMS δ_n over random nets, in decades: √(Σ κ_l/N_l)/(2 ln
    10) over l = 1 … n − 1.

    kappas, units: κ and width of all n hidden layers, the last of which is not summed; a κ of NaN
        counts as ReLU's 5.
    """
    terms = [
        (USUAL_KAPPA if math.isnan(kappa) else kappa) / width
        for kappa, width in zip(kappas, units, strict=True)
    ]
    return math.sqrt(math.fsum(terms[:-1])) / (2.0 * math.log(10.0))


def kappas_at(
    activations: Sequence[Spec], preactivation_mean_squares: Sequence[float]
) -> tuple[float, ...]:
    """κ of each layer at a measured q (with a norm before the activation give 1), to three digits;
    NaN where the activation is row-wise or q is missing.
    """
    return tuple(
        _kappa(spec, float(q))
        if isinstance(spec.record, Activation) and math.isfinite(q)
        else math.nan
        for spec, q in zip(activations, preactivation_mean_squares, strict=True)
    )


def _kappa(spec: Spec, q: float) -> float:
    """κ at q: where the slope goes by the sign of the preactivation alone that of any q, else
    between those of the two next of few different ones, as each is integrated.
    """
    record = spec.record
    if not 0.0 < q <= LARGEST_Q:
        return moments(spec, q).kappa
    if record.other_slope is not None and set(record.kinks(*parameters_of(spec))) <= {0.0}:
        return moments(spec, 1.0).kappa
    place = math.log10(q) * PER_DECADE
    below = math.floor(place)
    low, high = (moments(spec, 10.0 ** (k / PER_DECADE)).kappa for k in (below, below + 1))
    return low + (place - below) * (high - low)


def per_layer(log10_ratio: float, steps: int) -> tuple[float, float]:
    """Decay factor of the RMS per layer towards the input and the depth over which it changes by e,
    from log10 RMS δ_1/RMS δ_n.

    steps: n − 1. (1, ∞) where there are no steps; depth 0 for an infinite ratio, NaN for NaN.

    >>> per_layer(-2.0, 4)[0]
    0.31622776601683794
    """
    if steps == 0:
        return 1.0, math.inf
    rate = log10_ratio / steps
    return _power10(rate), (1.0 / abs(rate * math.log(10.0)) if rate != 0.0 else math.inf)


def _power10(exponent: float) -> float:
    """10 to a float exponent, infinite instead of an error above 1e308."""
    return math.inf if exponent > 308.0 else 10.0**exponent


def _obstacle(net: InitialNet) -> str:
    """Why theory cannot treat this net, empty if it can."""
    if not net.units:
        return "there is no hidden layer"
    rowwise = [spec.name for spec in net.activations if not isinstance(spec.record, Activation)]
    if rowwise:
        return f"{rowwise[0]} mixes the units of a row, so it has no slope of its own"
    if any(math.isnan(variance) for variance in net.weight_variance):
        return (
            "no formula tells the variance of these initial weights, so it is known only when "
            "measured"
        )
    if any(variance <= 0.0 for variance in net.weight_variance):
        return "weights without variance are not random: theory needs independent zero-mean weights"
    if any(math.isnan(variance) for variance in net.bias_variance):
        return (
            "bias parameters that are all equal shift every preactivation: theory needs them "
            "random around zero, or zero"
        )
    if not (math.isfinite(net.input_mean_square) and net.input_mean_square > 0.0):
        return (
            f"the mean square of the inputs is {net.input_mean_square:g}: theory needs inputs "
            "that are finite and not all zero"
        )
    if any(scale == 0.0 for scale in net.scales):
        return (
            "a residual connection with factor 0: layers inside get no error signal at the first "
            "step, only their factors move"
        )
    return _normalization_obstacle(net)


def _normalization_obstacle(net: InitialNet) -> str:
    if net.normalization not in (None, "batch", "layer", "group", "rms"):
        return f"no prediction is derived for normalization {net.normalization}"
    if net.normalization == "batch" and net.position == "after" and any(net.bias_variance):
        return (
            "behind the activation, batch norm of units with random bias parameters: each has "
            "another variance, no prediction is derived"
        )
    return ""


def _stuck(layers: list[propagation.TheoryLayer]) -> str:
    """Where the recursion left what floating-point numbers can hold, or the activation's slope
    is zero.
    """
    for index, layer in enumerate(layers, start=1):
        if not layer.q <= LARGEST_Q or math.isnan(layer.inside.mean_square):
            return f"the preactivations of hidden_{index} overflow"
        if math.isnan(layer.shrink) or not layer.inside.slope_mean_square > 0.0:
            return (
                f"nothing passes hidden_{index}: its preactivations have mean square {layer.q:.2g}"
            )
    return ""


def _assumptions(net: InitialNet, rough_from: int) -> tuple[str, ...]:
    assumptions = [
        "layers are wide and weights independent with zero mean",
        (
            f"inputs enter by their mean square {net.input_mean_square:.3g} only: correlated or "
            "constant features move the first layers"
        ),
        (
            "low and high are four standard deviations of one input's finite-width law; a batch "
            "of independent inputs fluctuates less"
        ),
    ]
    if net.normalization == "batch":
        assumptions.append("the batch is large, and the layers are wider than the batch")
    if any(scale is not None for scale in net.scales):
        assumptions.append(
            "residual layers: what goes through a layer and around it are uncorrelated but "
            "for 1/width, which low and high count: it grows with depth"
        )
    if rough_from:
        assumptions.append(
            f"from hidden_{rough_from} on a small difference of q grows from layer to layer: "
            "a single net may differ by more than low and high say"
        )
    return tuple(assumptions)


def _not_applicable(depth: int, reason: str) -> Prediction:
    nothing = (math.nan,) * depth
    band = Band(math.nan, math.nan, math.nan)
    why = f"not applicable: {reason}"
    return Prediction(
        nothing,
        nothing,
        nothing,
        nothing,
        nothing[1:],
        nothing,
        band,
        math.nan,
        math.nan,
        False,
        why,
        (),
        nothing,
        nothing,
        nothing,
    )
