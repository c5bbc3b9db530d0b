"""Remedies that change the net or how it sees the data. Each takes what the run has and says its
numbers; None where it does not apply.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

import numpy as np

from dlprobe.config import parse_spec
from dlprobe.config.reading import is_change
from dlprobe.config.records import RunConfig
from dlprobe.errors import ConfigError
from dlprobe.record.description import OWN
from dlprobe.record.sizes import factor_text, power_of_ten
from dlprobe.rules.changes_of_regularization import OFF
from dlprobe.rules.changes_of_training import short, usual_rate
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Remedy
from dlprobe.rules.scale import off_scale

ENDS = 3  # hidden layers that are left of a net that is too deep
RAW = 10.0  # times below the usual rate: a rate that was lowered until raw numbers could be borne
ROOM = 32  # units that a layer has room with, whatever it is for


def widths_text(widths: Sequence[int]) -> str:
    """Widths of the hidden layers as they are typed, more than three equal ones in a row as one
    item.

    >>> widths_text([64] * 20 + [10])
    '64x20,10'
    """
    runs = [(width, len(list(same))) for width, same in groupby(widths)]
    return ",".join(
        f"{width}x{count}" if count > 3 else ",".join([str(width)] * count) for width, count in runs
    )


def _widths(config: RunConfig) -> str:
    return widths_text(config.model.layers) or "no hidden layer"


def smaller_net(evidence: Evidence, config: RunConfig) -> Remedy | None:
    widths = [max(width // 4, 2) for width in config.model.layers]
    if not widths or min(widths) < 4:
        return None
    samples = len(evidence.run.data.get("train_indices", ()))
    return Remedy(
        {"model.layers": widths_text(widths)},
        f"layers of {widths_text(widths)} in place of {_widths(config)}: less room to learn "
        f"{samples or 'single'} samples by heart",
    )


def larger_net(evidence: Evidence, config: RunConfig) -> Remedy | None:
    """Four times the units, at least 32; for a single layer two of its units, at least 64, since a
    function that turns often costs a deeper net far fewer units (Telgarsky 2016); two layers of 100
    where there is none.
    """
    layers = config.model.layers
    widths = (
        widths_text(
            [max(layers[0], 64)] * 2
            if len(layers) == 1
            else [max(4 * width, 32) for width in layers]
        )
        or "100,100"
    )
    return Remedy(
        {"model.layers": widths},
        f"layers of {widths} in place of {_widths(config)}: {_left(evidence)}",
    )


def _left(evidence: Evidence) -> str:
    learned = evidence.learning
    if learned.task == "regression":
        return f"R² on the training part is {learned.skill[-1]:.2f}"
    return f"{learned.error[-1]:.1%} of the training part is wrong"


PLAIN: dict[str, str] = {  # what dlprobe train does by itself
    **dict.fromkeys(
        (
            "data.target_scaling",
            "model.init",
            "model.bias_init",
            "model.output_activation",
            "training.lr",
            "training.loss",
        ),
        "auto",
    ),
    "data.scaling": "standardize",
    "model.activation": "relu",
    "training.optimizer": "adam",
    "training.schedule": "constant",
    "training.batch_size": "32",
    "model.norm": "none",
    "model.residual": "none",
    **OFF,
}


def plain_settings(config: RunConfig) -> Remedy | None:
    """dlprobe's own settings for the data of a run, its layers kept where there are at most
    three and none is narrow; None where the run has them.
    """
    layers = config.model.layers
    shape = widths_text([max(layers[index], ROOM) for index in _widest(layers, ENDS)]) or "100,100"
    changed = {
        key: value
        for key, value in {**PLAIN, "model.layers": shape}.items()
        if is_change(config, {key: value})
    }
    told = "plain settings for these data, since nothing that was found says what else to do"
    return Remedy(changed, f"{told}: {', '.join(changed)}") if changed else None


def shallower(evidence: Evidence, config: RunConfig) -> Remedy | None:
    """The widest three layers in their order."""
    layers = config.model.layers
    if len(layers) <= ENDS:
        return None
    new = widths_text([layers[index] for index in _widest(layers, ENDS)])
    return Remedy(
        {"model.layers": new},
        f"{ENDS} hidden layers ({new}) in place of {len(layers)}{_across(evidence)}",
    )


def _widest(layers: Sequence[int], count: int) -> list[int]:
    return sorted(sorted(range(len(layers)), key=lambda index: -layers[index])[:count])


def wider(evidence: Evidence, config: RunConfig) -> Remedy | None:
    """Only the two widest layers, in their order, each with at least ROOM units and two units per
    output; None without a hidden layer.
    """
    layers, outputs = config.model.layers, evidence.layers[-1].units or 1
    if not layers:
        return None
    least = max(2 * outputs, ROOM)
    new = widths_text([max(layers[index], least) for index in _widest(layers, 2)])
    narrow = min(layers)
    return Remedy(
        {"model.layers": new},
        f"layers of {new} in place of {len(layers)}, of which the narrowest has {narrow} "
        f"unit{'s' * (narrow > 1)}",
    )


def _across(evidence: Evidence) -> str:
    try:
        verdicts = [profile.verdict for profile in evidence.profiles]
    except NotEvaluableError:
        return ""
    ratios = [verdict.log10_ratio for verdict in verdicts if math.isfinite(verdict.log10_ratio)]
    if not ratios:
        return ""
    largest = max(ratios, key=abs)
    return (
        ": across them the error signal changes by a factor of "
        f"{power_of_ten(largest) if abs(largest) >= 4 else factor_text(10.0**largest)}"
    )


def _activations(config: RunConfig) -> str:
    return ", ".join(dict.fromkeys(str(activation) for activation in config.model.activations))


def _slope(config: RunConfig) -> str:
    """The largest slope of the run's activations, the least of them."""
    try:
        slopes = [
            float(activation.record.largest_slope(*activation.parameters.values()))
            for activation in config.model.activations
        ]
    except AttributeError:  # of whole rows
        return ""
    return f", whose slope is at most {min(slopes):.2g}" if slopes and min(slopes) < 1 else ""


def relu(evidence: Evidence, config: RunConfig) -> Remedy | None:
    if not config.model.layers:
        return None
    patch = {"model.activation": "relu", "model.init": "auto", "model.bias_init": "auto"}
    return Remedy(
        patch,
        f"ReLU with He weights in place of {_activations(config)}{_slope(config)}, with "
        f"{config.model.resolved_init}{_across(evidence)}",
    )


def leaky(evidence: Evidence, config: RunConfig) -> Remedy | None:
    if not config.model.layers:
        return None
    patch = {"model.activation": "leaky_relu", "model.init": "auto", "model.bias_init": "auto"}
    return Remedy(
        patch,
        "leaky ReLU, which has a slope on both sides, in place of "
        f"{_activations(config)}{_dead(evidence)}",
    )


def _dead(evidence: Evidence) -> str:
    fractions = evidence.run.evaluation_layers.get("dead_fraction")
    if fractions is None or not len(fractions) or not evidence.hidden:
        return ""
    last = np.asarray(fractions[evidence.learning.last_finite][evidence.hidden], np.float64)
    if np.isnan(last).all():
        return ""
    worst = int(np.nanargmax(last))
    return f": {last[worst]:.0%} of {evidence.names[evidence.hidden[worst]]} is dead"


def init(evidence: Evidence, config: RunConfig) -> Remedy:
    """The initializer that suits the activation, for weights and bias parameters, whichever the
    run has otherwise.
    """
    model = config.model
    record = model.activations[0].record if model.layers else None
    usual = record.initializer if record is not None else "glorot_normal"
    had = [str(model.resolved_init)] + (
        [f"bias parameters {model.bias_init}"] if model.bias_init is not None else []
    )
    own = evidence.run.origin == OWN  # another program's run only has the sizes of its weights
    instead = f" in place of {' with '.join(had)}" if own else ""
    return Remedy(
        {"model.init": "auto", "model.bias_init": "auto"},
        f"{usual}{instead}{_drawn(evidence, usual)}",
    )


def _drawn(evidence: Evidence, usual: str) -> str:
    """What the weights of the first hidden layer were and what the usual initializer gives."""
    if not evidence.hidden:
        return ""
    layer = evidence.layers[evidence.hidden[0]]
    try:
        evidence.require("weight_rms")
        had = float(evidence.row("weight_rms", 0)[evidence.hidden[0]])
        spec = parse_spec("initializer", usual)
        wanted = math.sqrt(
            spec.record.variance(layer.fan_in, layer.fan_out, *spec.parameters.values())
        )
    except (NotEvaluableError, ConfigError, TypeError):
        return ""
    return f": weights of {layer.name} began at {short(had)}, it gives {short(wanted)}"


def biases(evidence: Evidence, config: RunConfig) -> Remedy | None:
    if config.model.bias_init is None:
        return None
    return Remedy(
        {"model.bias_init": "auto"}, f"bias parameters of 0 in place of {config.model.bias_init}"
    )


def batch_norm(evidence: Evidence, config: RunConfig) -> Remedy | None:
    """Batch norm in all hidden layers; None for batches below 8, whose statistics are noise."""
    size = config.training.batch_size
    if not config.model.layers or (size != "full" and int(size) < 8):
        return None
    return Remedy(
        {"model.norm": "batch"},
        f"batch normalization of {len(config.model.layers)} hidden layers{_spread(evidence)}",
    )


def layer_norm(evidence: Evidence, config: RunConfig) -> Remedy | None:
    if not config.model.layers:
        return None
    had = f" in place of {config.model.norm}" if config.model.norm is not None else ""
    size = config.training.batch_size
    return Remedy(
        {"model.norm": "layer"},
        f"layer normalization{had}, which does not depend on the {size} samples of a "
        f"batch{_spread(evidence)}",
    )


def no_norm(evidence: Evidence, config: RunConfig) -> Remedy | None:
    if config.model.norm is None:
        return None
    return Remedy(
        {"model.norm": "none", "model.init": "auto"},
        f"without {config.model.norm} normalization in {len(config.model.layers)} "
        f"layers{_across(evidence)}",
    )


def _spread(evidence: Evidence) -> str:
    try:
        evidence.require("activation_variance")
        last = evidence.row("activation_variance", -1)[evidence.require_hidden()]
    except NotEvaluableError:
        return ""
    if not np.isfinite(last).all():
        return ""
    first, end = (math.sqrt(max(float(last[place]), 0.0)) for place in (0, -1))
    names = [evidence.names[index] for index in evidence.hidden]
    return (
        f": activations deviate by {short(first)} in {names[0]} and by {short(end)} in "
        f"{names[-1]} at the end"
    )


def residual(evidence: Evidence, config: RunConfig) -> Remedy | None:
    layers = config.model.layers
    if len(layers) < 2 or len(set(layers)) > 1 or config.model.residual is not None:
        return None
    return Remedy(
        {"model.residual": "identity"},
        f"residual connections around {len(layers)} layers{_across(evidence)}",
    )


def no_residual(evidence: Evidence, config: RunConfig) -> Remedy | None:
    if config.model.residual is None:
        return None
    return Remedy(
        {"model.residual": "none"},
        f"without the {config.model.residual} connections around {len(config.model.layers)} "
        f"layers{_spread(evidence)}",
    )


def scaling(evidence: Evidence, config: RunConfig) -> Remedy:
    data = evidence.run.data
    told = ""
    if "feature_mean" in data and "feature_std" in data:
        sizes = np.sqrt(
            np.square(np.asarray(data["feature_mean"], np.float64))
            + np.square(np.asarray(data["feature_std"], np.float64))
        )
        sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
        told = (
            f": features have sizes of {short(sizes.min())} to {short(sizes.max())}"
            if len(sizes)
            else ""
        )
    patch, rate = _with_usual_rate({"data.scaling": "standardize"}, config)
    return Remedy(patch, f"standardized inputs in place of {config.data.scaling}{rate}{told}")


def both_scales(evidence: Evidence, config: RunConfig) -> Remedy | None:
    """Inputs and targets at once, where neither is of unit size: one alone leaves a net as lost."""
    if "both_scales" not in off_scale(evidence):
        return None
    inputs, targets = scaling(evidence, config), target_scaling(evidence, config)
    if targets is None:
        return None
    return Remedy({**inputs.patch, **targets.patch}, f"{inputs.why}; {targets.why}")


def target_scaling(evidence: Evidence, config: RunConfig) -> Remedy | None:
    data = evidence.run.data
    if data.get("task") != "regression":
        return None
    told = ""
    if "target_mean" in data:
        mean, deviation = (float(np.asarray(data[f"target_{what}"])[0]) for what in ("mean", "std"))
        told = f": they are {short(mean)} ± {short(deviation)}"
    patch, rate = _with_usual_rate({"data.target_scaling": "auto"}, config)
    return Remedy(patch, f"scaled targets in place of {config.data.target_scaling}{rate}{told}")


def _with_usual_rate(patch: dict[str, str], config: RunConfig) -> tuple[dict[str, str], str]:
    """The change with the usual rate, where the run's is so small as only raw numbers ask for;
    and that in words.
    """
    rate, usual = config.training.resolved_lr, usual_rate(config)
    if not 0 < rate < usual / RAW:
        return patch, ""
    return {
        **patch,
        "training.lr": "auto",
    }, f", and with them a rate of {usual:g} in place of {rate:g}"


# output activation and loss of classes that are made for each other
SUITED = {("softmax", "cross_entropy"), ("sigmoid", "binary_cross_entropy")}


def outputs(evidence: Evidence, config: RunConfig) -> Remedy | None:
    """The output activation that the run's loss asks for, where one was given; the loss where
    it is none for the task; and targets that both can take.
    """
    output, loss = config.model.output_activation, config.training.loss
    task = evidence.run.data.get("task")
    patch = {} if output is None else {"model.output_activation": "auto"}
    if task == "classification" and output and loss and (output.name, loss.name) in SUITED:
        return None
    if loss is not None and (
        task not in loss.record.tasks
        or (
            task == "classification"
            and loss.record.requires == "numbers"
            and not loss.record.signed
        )
    ):
        patch["training.loss"] = "auto"
    if task == "regression" and "target_scaling" in off_scale(evidence):
        patch["data.target_scaling"] = "auto"
    had = f"{output or 'the usual output'} with {loss or 'the usual loss'}"
    if patch:
        return Remedy(patch, f"the output activation and loss that suit a {task} in place of {had}")
    return None


def stratify(evidence: Evidence, config: RunConfig) -> Remedy | None:
    counts = [int(count) for count in evidence.class_counts]
    if not counts:
        return None
    return Remedy(
        {"data.stratify": "yes"},
        f"a stratified split: the training part has {', '.join(map(str, counts[:6]))} samples "
        "per class",
    )
