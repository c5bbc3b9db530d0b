"""What to undo first where signals or gradients do not pass: whatever of the net was chosen
otherwise than is usual, and is off by its numbers.
"""

from __future__ import annotations

import math

import numpy as np

from dlprobe.analysis.learning.learned import HALF, WELL
from dlprobe.analysis.theory.gaussian import moments
from dlprobe.config import parse_spec
from dlprobe.errors import ConfigError
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError
from dlprobe.rules.scale import off_scale

SLOW = 3.0  # times below the optimizer's usual rate
# of a layer below which units that are off together are no accident: (1/2)^n a sample (Lu et al.
# 2020)
FEW_UNITS = 8
# hidden layers beyond which gradients of two samples have less than 1 % in common, (1/2)^n
# (Balduzzi et al. 2017)
DEEP = 6
FAINT = 0.1
USUAL = 2.0  # factor by which the variance of weights may leave the range of the usual initializers


def passing(evidence: Evidence) -> tuple[str, ...]:
    """Names of remedies for signals that do not pass through the net, those first that undo
    what is off by its numbers.
    """
    config, first = evidence.config, []
    if config is not None:
        if config.model.bias_init is not None:
            first.append("biases")
        if fades(evidence):
            first.append("relu")
        if config.model.init is not None and not 1 / USUAL <= scale_factor(evidence) <= USUAL:
            first.append("init")
        if any(squashes(str(activation)) for activation in config.model.activations):
            first.append("relu")
        if few(evidence):
            first.append("wider" if len(config.model.layers) > 2 else "larger_net")
        if len(config.model.layers) > DEEP:
            first.append("shallower")
    return tuple(dict.fromkeys([*first, "batch_norm", "layer_norm", "shallower", "init", "relu"]))


def fades(evidence: Evidence) -> bool:
    """Whether hidden activations alone leave less than FAINT of the error signal on its way to the
    first layer, under any initializer that keeps the activations' size: by their `passed_on`.
    """
    kept = 1.0
    for index in evidence.hidden[1:]:
        if not is_normalized(evidence, index):
            share = passed_on(str(evidence.layer_fact("activation", index)))
            kept *= min(share, 1.0) if math.isfinite(share) else 1.0
    return math.sqrt(kept) < FAINT


def few(evidence: Evidence) -> bool:
    """Whether some hidden layer has fewer than FEW_UNITS (8) units."""
    widths = [evidence.layers[index].units for index in evidence.hidden]
    return any(width is not None and width < FEW_UNITS for width in widths)


def is_odd(evidence: Evidence) -> bool:
    """Whether weights, biases or an activation that `squashes` are the first suspects of `passing`,
    rather than width or depth.
    """
    return passing(evidence)[0] in ("biases", "init", "relu")


def fitting(evidence: Evidence) -> tuple[str, ...]:
    """Names of remedies for a training part that is not learned, those first that undo what
    holds the net back.
    """
    config = evidence.config
    first = []
    if config is not None:
        first += (
            ["raise_rate"]
            if config.training.resolved_lr < config.training.optimizer.record.rate / SLOW
            else []
        )
        first += [
            name for name in passing(evidence)[:1] if name in ("biases", "init", "relu", "wider")
        ]
    return tuple(dict.fromkeys([*first, "no_penalty", "larger_net", "longer", "usual_optimizer"]))


def unlearned(evidence: Evidence) -> bool:
    """Whether the run ends below 0.8 of the reachable skill on its training part; below 0.5 for a
    regression whose noise is not known.
    """
    learned = evidence.learning
    if learned.task != "regression" or learned.known:
        return learned.reached < WELL
    if evidence.run.data.get("noise_variance") is not None:
        return float(learned.skill[-1]) / learned.ceiling < WELL
    return learned.reached < HALF


def calming(evidence: Evidence) -> tuple[str, ...]:
    """Names of remedies for steps that are too long: a rate that a schedule raised, inputs or
    targets out of scale, then the rate itself.
    """
    return ("constant_schedule", *off_scale(evidence), "lower_rate")


def squashes(text: str) -> bool:
    """Whether an activation passes on less than half of the error signal's mean square where its
    input has variance 1 and its weights keep that.

    σ_w² E φ² = 1 keeps the activations; σ_w² E φ'² is then what a layer passes on (Schoenholz et
    al. 2017): 0.15 of a sigmoid, 1 of ReLU, 1.2 of tanh.
    """
    return passed_on(text) < 0.5


def passed_on(text: str) -> float:
    """E φ'(z)²/E φ(z)² for z ~ N(0, 1): the factor in `squashes`, 1 for ReLU; NaN for an activation
    that has no slope of its own.
    """
    try:
        gaussian = moments(parse_spec("activation", text), 1.0)
        return float(gaussian.slope_mean_square / gaussian.mean_square)
    except (ConfigError, AttributeError, TypeError, ValueError, ArithmeticError):
        return math.nan


NARROW = 0.5


def narrowness(evidence: Evidence) -> float:
    """Σ 1/width over the hidden layers, to which the variance of the logarithm of what passes is
    proportional (Hanin & Rolnick 2018).

    NaN where a width is not known.
    """
    widths = [evidence.layers[index].units for index in evidence.hidden]
    return (
        math.fsum(1.0 / width for width in widths if width) if widths and all(widths) else math.nan
    )


def scale_factor(evidence: Evidence) -> float:
    """Geometric mean of the scale factors of the hidden layers at step 0; 1 where none is known.

    A layer's factor is its weight variance over the nearer end of the range of usual initializers,
    1 within: from min(1/(3 fan_in), 2/(fan_in + fan_out)) to max(2, gain²)/fan_in, with the gain of
    its activation (tanh 5/3). Layers that are normalized before their activation are left out.
    """
    try:
        factors = scale_factors(evidence)
    except NotEvaluableError:
        return 1.0
    known = factors[np.isfinite(factors)]
    with np.errstate(divide="ignore"):
        # weights of 0 are off by a factor of 0
        return math.exp(float(np.log(known).mean())) if len(known) else 1.0


def scale_factors(evidence: Evidence) -> np.ndarray:
    """Scale factors as in `scale_factor`, (hidden layers that are not normalized before their
    activation,).
    """
    hidden = [index for index in evidence.require_hidden() if not is_normalized(evidence, index)]
    if not hidden:
        raise NotEvaluableError(
            "no such layer: every hidden layer is normalized before its activation"
        )
    return _factors(evidence, hidden)


def normalized_scale(evidence: Evidence) -> float:
    """Geometric mean of the scale factors, as in `scale_factor`, of the hidden layers that are
    normalized before their activation; 1 where none is known.
    """
    hidden = [index for index in evidence.require_hidden() if is_normalized(evidence, index)]
    factors = _factors(evidence, hidden) if hidden else np.empty(0)
    factors = factors[np.isfinite(factors) & (factors > 0)]
    return math.exp(float(np.log(factors).mean())) if len(factors) else 1.0


def _factors(evidence: Evidence, hidden: list[int]) -> np.ndarray:
    if evidence.steps[0] != 0:
        raise NotEvaluableError(f"the first recorded step is {evidence.steps[0]}, step 0 is needed")
    rms = evidence.row("weight_rms", 0)
    return np.array([_factor(evidence, index, float(rms[index]) ** 2) for index in hidden])


def is_normalized(evidence: Evidence, index: int) -> bool:
    """Whether a layer is normalized before its activation, so that the scale of its weights
    does not matter.
    """
    return bool(
        evidence.layer_fact("normalization", index) != "none"
        and evidence.layer_fact("norm_position", index) == "before"
    )


def _factor(evidence: Evidence, index: int, variance: float) -> float:
    """How far a weight variance lies outside the range of the usual initializers; 1 inside it."""
    fan_in, fan_out = (float(evidence.layer_fact(name, index)) for name in ("fan_in", "fan_out"))
    low = min(1.0 / (3.0 * fan_in), 2.0 / (fan_in + fan_out))
    high = max(2.0, _gain(evidence, index) ** 2) / fan_in
    if variance < low:
        return variance / low
    if variance > high:
        return variance / high
    return 1.0 + 0.0 * variance


def _gain(evidence: Evidence, index: int) -> float:
    try:
        spec = parse_spec("activation", evidence.layer_fact("activation", index))
        return float(spec.record.gain(*spec.parameters.values()))
    except (ConfigError, AttributeError):
        return 1.0
