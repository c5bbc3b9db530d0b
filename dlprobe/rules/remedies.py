"""Remedies that several rules name: what to change in the configuration, filled in from what the run had.

A remedy that this run's configuration already has, or that its dlprobe does not take, is left out. A run of another origin has no configuration: its
remedies are words (`foreign_remedies`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from dlprobe.config import with_values
from dlprobe.config.records import RunConfig
from dlprobe.errors import ConfigError
from dlprobe.record.description import OWN
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.foreign_remedies import foreign_remedies
from dlprobe.rules.outcome import Remedy


def remedies(evidence: Evidence, *names: str) -> tuple[Remedy, ...]:
    """The named remedies for this run, in this order; none where dlprobe trained it and its configuration cannot be read."""
    names = tuple(name for name in names if name not in OF_TASK or evidence.run.data.get("task") == OF_TASK[name])
    if evidence.run.origin != OWN:
        return foreign_remedies(evidence, names, {name: made.why for name, made in REMEDIES.items() if isinstance(made, _Fixed)})
    config = evidence.config
    if config is None:
        return ()
    return tuple(made for name in names if (made := _checked(config, REMEDIES[name](config))) is not None)


def lower_rate(evidence: Evidence) -> tuple[Remedy, ...]:
    """A learning rate ten times smaller."""
    return remedies(evidence, "lower_rate")


def _checked(config: RunConfig, remedy: Remedy) -> Remedy | None:
    try:
        return remedy if with_values(config, remedy.patch) != config else None
    except ConfigError:
        return None


def _lower(config: RunConfig) -> Remedy:
    rate = config.training.resolved_lr
    return Remedy({"training.lr": f"{rate / 10:g}"}, f"a learning rate of {rate / 10:g} in place of {rate:g} takes steps that the loss can follow")


def _raise(config: RunConfig) -> Remedy:
    rate = config.training.resolved_lr
    return Remedy({"training.lr": f"{rate * 10:g}"}, f"a learning rate of {rate * 10:g} in place of {rate:g} gets ten times as far in the same time")


def _usual(config: RunConfig) -> Remedy:
    return Remedy({"training.optimizer": "adam", "training.lr": "auto"}, "Adam at its usual rate sizes the step of every weight by itself")


def _longer(config: RunConfig) -> Remedy:
    training = config.training
    key, count = ("steps", training.steps) if training.steps is not None else ("epochs", training.epochs)
    return Remedy({f"training.{key}": str(4 * (count or 1))}, f"four times as many {key}: the loss was still falling")


def _larger_batch(config: RunConfig) -> Remedy:
    size = config.training.batch_size
    wanted = size if size == "full" else max(8 * int(size), 32)
    return Remedy({"training.batch_size": str(wanted)}, f"batches of {wanted}: the noise of the gradient falls with the root of the batch")


def _smaller(config: RunConfig) -> Remedy:
    widths = widths_text([max(width // 4, 1) for width in config.model.layers])
    return Remedy({"model.layers": widths}, "a quarter of the units has less room to learn single samples by heart")


def _larger(config: RunConfig) -> Remedy:
    widths = widths_text([max(4 * width, 32) for width in config.model.layers]) or "100,100"
    return Remedy({"model.layers": widths}, "more units: the net cannot express the data")


def widths_text(widths: Sequence[int]) -> str:
    """Widths of the hidden layers as they are typed, more than three equal ones in a row as one item.

    >>> widths_text([64] * 20 + [10])
    '64x20,10'
    """
    runs = [(width, len(list(same))) for width, same in groupby(widths)]
    return ",".join(f"{width}x{count}" if count > 3 else ",".join([str(width)] * count) for width, count in runs)


def _shallower(config: RunConfig) -> Remedy:
    return Remedy({"model.layers": widths_text(config.model.layers[:3])}, "three hidden layers: fewer factors on the way back")


@dataclass(frozen=True)
class _Fixed:
    """A remedy that is the same for every configuration."""

    patch: Mapping[str, str]
    why: str

    def __call__(self, config: RunConfig) -> Remedy:
        return Remedy(self.patch, self.why)


OF_TASK = {"target_scaling": "regression"}  # remedies that do nothing for another task

REMEDIES: dict[str, Callable[[RunConfig], Remedy]] = {
    "lower_rate": _lower,
    "raise_rate": _raise,
    "usual_optimizer": _usual,
    "longer": _longer,
    "larger_batch": _larger_batch,
    "smaller_net": _smaller,
    "larger_net": _larger,
    "shallower": _shallower,
    "relu": _Fixed({"model.activation": "relu", "model.init": "auto", "model.bias_init": "auto"}, "ReLU with He weights keeps the error signal's size"),
    "leaky": _Fixed({"model.activation": "leaky_relu", "model.init": "auto", "model.bias_init": "auto"}, "leaky ReLU has a slope on both sides"),
    "init": _Fixed({"model.init": "auto", "model.bias_init": "auto"}, "the initializer that suits the activation keeps the variance from layer to layer"),
    "batch_norm": _Fixed({"model.norm": "batch"}, "batch normalization resets mean and variance of every layer"),
    "layer_norm": _Fixed({"model.norm": "layer"}, "layer normalization resets the size of every sample, without running statistics"),
    "no_norm": _Fixed({"model.norm": "none", "model.init": "auto"}, "without batch normalization the gradient does not grow with depth"),
    "scaling": _Fixed({"data.scaling": "standardize"}, "standardized inputs give every feature the same say"),
    "target_scaling": _Fixed({"data.target_scaling": "auto"}, "targets of unit scale are as large as what a net gives at first"),
    "outputs": _Fixed({"model.output_activation": "auto", "training.loss": "auto"}, "the output activation and loss that suit the data"),
    "clip": _Fixed({"training.clip_global_norm": "1"}, "clipping the global norm takes the spikes and leaves the direction"),
    "early_stopping": _Fixed({"training.early_stopping": "yes"}, "early stopping keeps the parameters of the best validation loss"),
    "dropout": _Fixed({"model.dropout": "0.3"}, "dropout makes units less dependent on each other"),
    "weight_penalty": _Fixed({"training.l2": "1e-4"}, "an L2 penalty keeps weights small"),
    "no_penalty": _Fixed({"training.l1": "0", "training.l2": "0", "model.dropout": "0"}, "without them the training error shows what the net can do"),
    "stratify": _Fixed({"data.stratify": "yes"}, "a stratified split gives every part the same share of each class"),
    "double": _Fixed({"training.dtype": "float64"}, "float64 holds numbers down to 1e-308"),
}
