"""Brakes: options of a run each of which makes its steps fewer, shorter or less useful than they
usually are, and by how much.

A brake has a factor: how many times the usual options get further. Factors of several brakes
multiply, as the rate, the schedule and the number of steps do in the way that the weights go, Σ
η_t. No brake is a fault by itself: many nets learn with all of them. They are named where a run had
time and did not learn its training part.

| brake | factor |
|---|---|
| rate | the optimizer's usual rate over the run's |
| schedule | the highest rate of the run over its mean |
| batches | their size over 32, by which the updates are fewer (Masters & Luschi 2018: 2 … 32 serve best) |
| plain descent | 1/(1 − 0.9): how much further momentum of 0.9 goes on a straight way (Sutskever et al. 2013) |
| clipping | 1 over the share of the gradient's norm that it leaves, of an optimizer whose steps go by that norm (Pascanu et al. 2013) |
| inputs | 1 over the typical deviation of a feature, times √(1 + (mean/deviation)²) (LeCun et al. 1998, §4.3) |
| activation | 1/√share of the error signal's mean square that a layer passes on (Schoenholz et al. 2017) |
| few units | 32 over the units of the narrowest hidden layer |
| depth | hidden layers over 3, of a net that is not both residual and normalized: gradients lose what they have in common by 2 a layer (Balduzzi et al. 2017) |
| one layer | 2: a function that turns often costs one hidden layer many times the units that it costs two (Telgarsky 2016) |
| residual | 2^(L/2), by which the signal of L residual layers without normalization has grown at first (De & Smith 2020) |
| normalized weights | their size over the usual one, by which a step turns them less (van Laarhoven 2017) |
| penalty | 1 + the penalty over the loss of the data, in the last quarter |
| small weights | 1 over the share of the signal's size that the first weights pass on, by their scale beside the usual one (Glorot & Bengio 2010) |
| dropout | 1 over the share of the units that are left |
"""  # noqa: E501

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from dlprobe.config.records import RunConfig
from dlprobe.dataclass import dataclass
from dlprobe.rules.changes_of_model import ENDS, ROOM
from dlprobe.rules.changes_of_regularization import regularizers
from dlprobe.rules.changes_of_training import clipped_to, clipping_told, short, usual_rate
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError
from dlprobe.rules.scale import scaled_inputs
from dlprobe.rules.suspects import normalized_scale, passed_on, scale_factors, squashes

USUAL_BATCH = 32
DROPS = ("model.dropout", "model.input_dropout", "model.drop_connect")
MOMENTUM = 0.9
ONE_LAYER = 2.0
LEAST = math.sqrt(2.0)  # factor from which a brake is worth a word: two of them halve the way


@dataclass(frozen=True)
class Brake:
    """remedy: the name of what releases it; factor: how many times the usual option gets further;
    told: what the run has, in words.

    suspect: as much of the factor as speaks against a run by itself; None for all of it. That a net
        has one hidden layer does not, for most learn.
    """

    remedy: str
    factor: float
    told: str
    suspect: float | None = None


Look: TypeAlias = Callable[[Evidence, RunConfig], Brake | None]


def brakes(evidence: Evidence) -> list[Brake]:
    """The brakes of a run, the strongest first; none of one whose configuration is not known."""
    config = evidence.config
    if config is None:
        return []
    looked = [look(evidence, config) for look in LOOKS.values()]
    return sorted(
        (brake for brake in looked if brake is not None and brake.factor >= LEAST),
        key=lambda brake: -brake.factor,
    )


def _rate(evidence: Evidence, config: RunConfig) -> Brake:
    rate, usual = config.training.resolved_lr, usual_rate(config)
    return Brake(
        "usual_rate",
        usual / rate if rate > 0 else math.inf,
        f"the rate of {rate:g} is below the {usual:g} that is usual with "
        f"{config.training.optimizer.name}",
    )


def _schedule(evidence: Evidence, config: RunConfig) -> Brake | None:
    if not evidence.run.is_recorded("learning_rate"):
        return None
    rates = evidence.scalar("learning_rate")
    highest, mean = float(np.nanmax(rates)), float(np.nanmean(rates))
    factor = highest / mean if mean > 0 else math.inf
    return Brake(
        "full_rate",
        factor,
        f"with {config.training.schedule} the rate is {short(mean)} on average and "
        f"{short(highest)} at most",
    )


def _batches(evidence: Evidence, config: RunConfig) -> Brake | None:
    samples = len(evidence.run.data.get("train_indices", ()))
    size = (
        samples
        if config.training.batch_size == "full"
        else min(int(config.training.batch_size), samples or math.inf)
    )
    told = f"batches of {size} leave {evidence.learning.updates} updates in all"
    return Brake("usual_batch", size / USUAL_BATCH, told) if size else None


def _descent(evidence: Evidence, config: RunConfig) -> Brake | None:
    optimizer = config.training.optimizer
    if optimizer.record.effective is not None:
        return None
    momentum = (
        float(optimizer.parameters.get(optimizer.record.momentum, 0.0))
        if optimizer.record.momentum
        else 0.0
    )
    told = (
        f"{optimizer.name} gives every weight the same rate, {config.training.resolved_lr:g}, "
        f"with momentum {momentum:g}"
    )
    return Brake("usual_optimizer", (1.0 - momentum) / (1.0 - MOMENTUM), told)


def _clipping(evidence: Evidence, config: RunConfig) -> Brake | None:
    """Adaptive optimizers divide by the gradient's size, so that a bound is none to them."""
    left = clipped_to(evidence)
    if config.training.optimizer.record.effective is not None or not left > 0:
        return None
    return Brake("no_clip", 1.0 / left, clipping_told(evidence))


def _inputs(evidence: Evidence, config: RunConfig) -> Brake | None:
    try:
        mean, deviation = scaled_inputs(evidence)
    except NotEvaluableError:
        return None
    varying = deviation > 0
    if str(config.data.scaling) == "standardize" or not varying.any():
        return None
    spread = float(np.median(deviation[varying]))
    offset = float(np.median(np.abs(mean[varying]) / deviation[varying]))
    told = (
        f"the typical feature has a deviation of {short(spread)} and a mean of {short(offset)} "
        "deviations, standardized 1 and 0"
    )
    return Brake("scaling", max(1.0 / spread, 1.0) * math.hypot(1.0, offset), told)


def _activation(evidence: Evidence, config: RunConfig) -> Brake | None:
    names = [str(activation) for activation in config.model.activations]
    shares = [passed_on(name) for name in names if squashes(name)]
    if not shares:
        return None
    least = min(shares)
    return Brake(
        "relu",
        1.0 / math.sqrt(least),
        f"{' and '.join(dict.fromkeys(names))} passes on {least:.0%} of the error signal's "
        "mean square in every layer",
    )


def _units(evidence: Evidence, config: RunConfig) -> Brake | None:
    if len(config.model.layers) < 2 or has_room(evidence):  # of one layer see `_depth`
        return None
    least = min(config.model.layers)
    return Brake(
        "wider" if len(config.model.layers) > 2 else "larger_net",
        ROOM / least,
        f"the narrowest hidden layer has {least} units",
    )


def _depth(evidence: Evidence, config: RunConfig) -> Brake:
    model = config.model
    if len(model.layers) == 1 and not has_room(evidence):
        few = ROOM / model.layers[0]
        return Brake(
            "larger_net",
            max(few, ONE_LAYER),
            f"the net has one hidden layer, of {model.layers[0]} units",
            max(few, 1.0),
        )
    passes = model.residual is not None and model.norm is not None
    return Brake(
        "shallower",
        1.0 if passes else len(model.layers) / ENDS,
        f"an error signal has {len(model.layers)} hidden layers to pass",
    )


def has_room(evidence: Evidence) -> bool:
    """Whether the net has enough weights to fit any labels of its training samples, as
    `weights_for_all` says; False where that is not known.
    """
    weights, needed = weights_for_all(evidence)
    return bool(needed) and weights >= needed


def weights_for_all(evidence: Evidence) -> tuple[int, int]:
    """(weights of the net, 2n + d): with so many weights any values of n training samples of d
    features can be fitted (Zhang et al. 2017, theorem 1); (0, 0) where samples or layer sizes are
    not known.
    """
    shapes = [(layer.fan_in, layer.fan_out) for layer in evidence.layers]
    samples = len(evidence.run.data.get("train_indices", ()))
    if not samples or any(None in shape for shape in shapes):
        return 0, 0
    return sum(
        int(fan_in or 0) * int(fan_out or 0) for fan_in, fan_out in shapes
    ), 2 * samples + int(shapes[0][0] or 0)


def _residual(evidence: Evidence, config: RunConfig) -> Brake | None:
    if config.model.residual is None or config.model.norm is not None:
        return None
    blocks = len(config.model.layers)
    grown = 2.0 ** (blocks / 2)
    return Brake(
        "no_residual",
        grown,
        f"{blocks} residual layers without normalization begin with a signal {grown:.2g} "
        "times that of plain ones",
    )


def _weights(evidence: Evidence, config: RunConfig) -> Brake | None:
    try:
        factors = scale_factors(evidence)
    except NotEvaluableError:
        return None
    factors = factors[np.isfinite(factors) & (factors > 0)]
    passed = math.sqrt(float(np.prod(np.minimum(factors, 1.0))))
    if passed > 0:
        return Brake(
            "init",
            1.0 / passed,
            f"the first weights pass on {passed:.2g} of the signal that the least of the "
            "usual ones do",
        )
    return None


def _normalized(evidence: Evidence, config: RunConfig) -> Brake | None:
    try:
        grown = math.sqrt(normalized_scale(evidence))
    except NotEvaluableError:
        return None
    return Brake(
        "init",
        grown,
        f"normalized weights began {grown:.2g} times as large as the usual ones, and a step "
        "turns them so much less",
    )


def _penalty(evidence: Evidence, config: RunConfig) -> Brake | None:
    if not evidence.run.is_recorded("penalty"):
        return None
    pulled, data = evidence.late("penalty"), evidence.late("batch_loss")
    told = f"at the end the penalty is {pulled:.2g} beside a loss of {data:.2g} that the data have"
    return Brake("no_penalty", 1.0 + pulled / data, told) if pulled > 0 and data > 0 else None


def _dropout(evidence: Evidence, config: RunConfig) -> Brake | None:
    dropped = {place: words for place, words in regularizers(config).items() if place in DROPS}
    share = math.prod(1.0 - float(words.split()[-1]) for words in dropped.values())
    if dropped:
        return Brake(
            "no_dropout",
            1.0 / share,
            f"{' and '.join(dropped.values())} leaves {share:.0%} of the units in a step",
        )
    return None


def suspicion(held: Sequence[Brake]) -> float:
    """Product of the `suspect`, or else the `factor`, of all brakes; 1 for none."""
    return math.prod(brake.factor if brake.suspect is None else brake.suspect for brake in held)


LOOKS: Mapping[str, Look] = {
    "rate": _rate,
    "schedule": _schedule,
    "batches": _batches,
    "plain descent": _descent,
    "clipping": _clipping,
    "inputs": _inputs,
    "activation": _activation,
    "few units": _units,
    "depth": _depth,
    "residual": _residual,
    "small weights": _weights,
    "normalized weights": _normalized,
    "penalty": _penalty,
    "dropout": _dropout,
}
