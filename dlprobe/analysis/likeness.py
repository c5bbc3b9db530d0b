"""The configuration of dlprobe that comes nearest to a run that another program trained, and what
of it is not known.

Rules build the remedies of such a run from it, as they do from the configuration of dlprobe's own;
`train --like` trains it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.config import parse_spec, with_values
from dlprobe.config.records import RunConfig
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.record.description import OWN, LayerFacts
from dlprobe.runs import Run

Floats: TypeAlias = npt.NDArray[np.float64]
# relative: so far is the root mean square of drawn weights from an initializer's at most
SAME_SCALE = 0.1
# of equal variances the likelier comes first
USUAL = ("pytorch_linear", "he_normal", "glorot_normal", "lecun_normal")
UNIFORM = {
    "he_normal": "he_uniform",
    "glorot_normal": "glorot_uniform",
    "lecun_normal": "lecun_uniform",
}
# largest weight by root mean square: √3 of a uniform distribution, about 3 of a normal one
UNIFORM_PEAK = 2.2


@dataclass(frozen=True)
class Likeness:
    """config: as near as dlprobe comes. unknown: keys, `table.key`, that the file does not tell, so
    that config has its own default there.

    notes: what the run is and the configuration is not, in words.
    """

    config: RunConfig
    unknown: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def likeness(run: Run) -> Likeness:
    """What comes nearest to a run of another origin. Raises RunFileError where the file is
    damaged.
    """
    scaled = {"data.scaling": "none", "data.target_scaling": "none"}  # data as the net sees them
    values: dict[str, str | None] = {**scaled, **_net(run), **_training(run)}
    config, unknown, notes = RunConfig(), set(), []
    for key, text in values.items():
        if text is None:
            unknown.add(key)
            continue
        try:
            config = with_values(config, {key: text})
        except ConfigError:
            unknown.add(key)
            notes.append(f"{key.rpartition('.')[2]} {text} has no counterpart")
    return Likeness(config, frozenset(unknown), (*notes, *_differences(run)))


def _net(run: Run) -> dict[str, str | None]:
    """Values of the table [model], None where they are not known."""
    layers, hidden = run.layer_facts, [run.layer_facts[index] for index in run.hidden_layers]
    widths = [layer.fan_out for layer in hidden]
    known = all(width is not None for width in widths)
    activations = [layer.activation for layer in hidden]
    norms = {layer.normalization for layer in hidden}
    positions = {layer.norm_position for layer in hidden if layer.norm_position}
    dropouts = [layer.dropout for layer in hidden if layer.dropout is not None]
    output = layers[-1].activation
    return {
        "model.layers": ",".join(map(str, widths)) if known else None,
        "model.activation": _one_or_all(activations) if known and None not in activations else None,
        "model.output_activation": output,
        "model.init": initializer_of(run),
        "model.norm": next(iter(norms)) if len(norms) == 1 else None,
        "model.norm_position": next(iter(positions)) if len(positions) == 1 else "before",
        "model.residual": "none" if all(layer.residual == "none" for layer in hidden) else None,
        "model.dropout": f"{max(dropouts):g}" if dropouts else "0",
        "model.bias": "no" if layers and all(_has_no_bias(layer) for layer in layers) else "yes",
    }


def _one_or_all(names: list[str | None]) -> str:
    told = [str(name) for name in names]
    return (told[0] if told else "relu") if len(set(told)) < 2 else ",".join(told)


def _has_no_bias(layer: LayerFacts) -> bool:
    return layer.parameter_count is not None and layer.parameter_count == (layer.fan_in or 0) * (
        layer.fan_out or 0
    )


def _training(run: Run) -> dict[str, str | None]:
    """Values of the table [training], None where they are not known."""
    facts, steps = run.facts, int(run.final.get("steps_done", 0))
    optimizer, penalty = _optimizer(facts.optimizer, facts.l2 or 0.0)
    rates = run.scalar("learning_rate") if run.is_recorded("learning_rate") else np.empty(0)
    rates = rates[np.isfinite(rates)]
    rate = float(rates[-1]) if len(rates) else facts.learning_rate
    return {
        "training.loss": facts.loss,
        "training.optimizer": optimizer,
        "training.lr": None if rate is None else f"{rate:g}",
        "training.l2": f"{penalty:g}",
        "training.batch_size": None if facts.batch_size is None else str(facts.batch_size),
        "training.steps": str(steps) if steps else None,
        "training.dtype": str(run.dtype),
    }


def _optimizer(name: str | None, decay: float) -> tuple[str | None, float]:
    """The optimizer, None of a name that dlprobe does not have; and its weight decay as a
    penalty λ Σ w² of half the decay, where it takes none.
    """
    try:
        spec = parse_spec("optimizer", name or "")
    except ConfigError:
        return None, decay / 2
    if not decay or all(parameter.name != "weight_decay" for parameter in spec.record.parameters):
        return name, decay / 2
    settings = [f"{key}={spec.parameters[key]}" for key in spec.given if key != "weight_decay"]
    return f"{spec.name}({', '.join([*settings, f'weight_decay={decay:g}'])})", 0.0


def initializer_of(run: Run) -> str | None:
    """The initializer whose weights have the size that all layers began with; one of the measured
    size where none has; None where the first step or sizes of layers were not recorded.
    """
    if not len(run.steps) or int(run.steps[0]) or not run.is_recorded("weight_rms"):
        return None
    sizes = run.row(0)["weight_rms"].astype(np.float64)
    fans = [(layer.fan_in, layer.fan_out) for layer in run.layer_facts]
    largest = (
        run.row(0)["weight_max_abs"].astype(np.float64)
        if run.is_recorded("weight_max_abs")
        else np.full_like(sizes, math.inf)
    )
    if not np.isfinite(sizes).all() or any(fan is None for pair in fans for fan in pair):
        return None
    return initializer_like(
        sizes, largest, [(int(fan_in or 1), int(fan_out or 1)) for fan_in, fan_out in fans]
    )


def initializer_like(sizes: Floats, largest: Floats, fans: Sequence[tuple[int, int]]) -> str:
    """The initializer that draws weights of these root mean squares and largest sizes,
    (layer,), of layers with these fan_in and fan_out.
    """
    if not sizes.any():
        return "zeros"
    for name in USUAL:
        record = parse_spec("initializer", name).record
        wanted = np.sqrt([float(record.variance(*pair)) for pair in fans])
        if np.all(np.abs(sizes / wanted - 1.0) < SAME_SCALE):
            if name in UNIFORM and bool(np.all(largest / sizes < UNIFORM_PEAK)):
                return UNIFORM[name]
            return name
    gains = sizes * np.sqrt([float(fan_in) for fan_in, _ in fans])
    if np.ptp(np.log(sizes)) <= np.ptp(np.log(gains)):
        return f"normal(std={_short(float(np.median(sizes)))})"
    return f"mean_field(sigma_w={_short(float(np.median(gains)))})"


def _short(number: float) -> str:
    return f"{float(f'{number:.2g}'):g}" if math.isfinite(number) else "1"


def _differences(run: Run) -> list[str]:
    """What a chain of dense layers cannot be of this net."""
    told = []
    for before, layer in zip(run.layer_facts, run.layer_facts[1:], strict=False):
        if None not in (layer.fan_in, before.units) and layer.fan_in != before.units:
            told.append(
                f"{layer.name} takes {layer.fan_in} numbers, not the {before.units} units of "
                f"{before.name}: a dense layer stands for it"
            )
    if run.origin != OWN and any(layer.residual is None for layer in run.layer_facts):
        told.append("sums around layers are left out")
    return told
