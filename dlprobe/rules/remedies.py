"""Remedies that several rules name: what to change in the configuration, filled in from what the
run had and showed.

A remedy that this run's configuration already has, that its dlprobe does not take, or that would
only trade one unwise combination for another is left out. A run of another origin has no
configuration: its remedies are lines of the program that trained it (`owner_lines`), or words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from dlprobe.config import warnings_for, with_values
from dlprobe.config.records import RunConfig
from dlprobe.errors import ConfigError
from dlprobe.record.description import OWN
from dlprobe.rules import changes_of_data as data
from dlprobe.rules import changes_of_model as model
from dlprobe.rules import changes_of_regularization as regularization
from dlprobe.rules import changes_of_training as training
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.foreign_remedies import has_already, words_for
from dlprobe.rules.outcome import NotEvaluableError, Remedy
from dlprobe.rules.owner_lines import OWNERS, owner_lines

# what doses and words take for granted
GOES_BY = {
    "training.lr": "training.optimizer",
    "model.activation": "model.layers",
    "model.norm": "model.layers",
}
Maker: TypeAlias = Callable[[Evidence, RunConfig], Remedy | None]


def remedies(evidence: Evidence, *names: str) -> tuple[Remedy, ...]:
    """The named remedies for this run, in this order, each once; none where dlprobe trained it
    and its configuration cannot be read.
    """
    names = tuple(dict.fromkeys(names))
    if evidence.run.origin != OWN:
        return tuple(remedy for name in names if (remedy := _foreign(evidence, name)) is not None)
    config = evidence.config
    if config is None:
        return ()
    return kept(config, [REMEDIES[name](evidence, config) for name in names])


def _foreign(evidence: Evidence, name: str) -> Remedy | None:
    """A remedy for a run that another program trained: made of the nearest configuration and told
    in that program's language, where all is known that it changes; else in words, where there are
    any.
    """
    if has_already(evidence, name):
        return None
    made = _of_likeness(evidence, name) if evidence.run.origin in OWNERS else None
    if made is not None:
        return made
    words = words_for(evidence, name)
    return Remedy({}, words) if words else None


def _of_likeness(evidence: Evidence, name: str) -> Remedy | None:
    """The remedy that the nearest configuration would get; None where it changes, or goes by,
    what the file does not tell.
    """
    near = evidence.likeness
    try:
        made = kept(near.config, [REMEDIES[name](evidence, near.config)])
    except NotEvaluableError:
        return None
    for remedy in made:
        goes_by = {*remedy.patch, *(GOES_BY[key] for key in remedy.patch if key in GOES_BY)}
        if near.unknown.isdisjoint(goes_by):
            lines = owner_lines(evidence, near.config, remedy.patch)
            return replace(remedy, lines=lines) if lines else Remedy({}, remedy.why)
    return None


def kept(config: RunConfig, made: list[Remedy | None]) -> tuple[Remedy, ...]:
    """Those that change a configuration into another one that can be trained and has no new
    flaw.
    """
    flaws = len(warnings_for(config))

    def changes(remedy: Remedy) -> bool:
        try:
            changed = with_values(config, remedy.patch)
        except ConfigError:
            return False
        return changed != config and len(warnings_for(changed)) <= flaws

    return tuple(remedy for remedy in made if remedy is not None and changes(remedy))


def without(evidence: Evidence, places: list[str], told: str) -> tuple[Remedy, ...]:
    """The run without the regularizers at these keys, `table.key`; told: why, in the run's
    numbers.
    """
    if evidence.run.origin != OWN:
        return remedies(evidence, "no_penalty")
    config = evidence.config
    return () if config is None else kept(config, [regularization.without(config, places, told)])


REMEDIES: dict[str, Maker] = {
    "lower_rate": training.lower_rate,
    "raise_rate": training.raise_rate,
    "usual_rate": training.usual_step,
    "usual_optimizer": training.usual_optimizer,
    "longer": training.longer,
    "larger_batch": training.larger_batch,
    "usual_batch": training.usual_batch,
    "constant_schedule": training.constant_schedule,
    "full_rate": training.full_rate,
    "decaying_rate": training.decaying_rate,
    "warmup": training.warmup,
    "clip": training.clip,
    "no_clip": training.no_clip,
    "early_stopping": training.early_stopping,
    "no_early_stopping": training.no_early_stopping,
    "patient_stopping": training.patient_stopping,
    "dropout": regularization.dropout,
    "weight_penalty": regularization.weight_penalty,
    "ridge": regularization.ridge,
    "no_penalty": regularization.no_penalty,
    "no_dropout": regularization.no_dropout,
    "class_weights": regularization.class_weights,
    "another_start": training.another_start,
    "double": training.double,
    "smaller_net": model.smaller_net,
    "larger_net": model.larger_net,
    "shallower": model.shallower,
    "wider": model.wider,
    "relu": model.relu,
    "leaky": model.leaky,
    "init": model.init,
    "biases": model.biases,
    "batch_norm": model.batch_norm,
    "layer_norm": model.layer_norm,
    "no_norm": model.no_norm,
    "residual": model.residual,
    "no_residual": model.no_residual,
    "both_scales": model.both_scales,
    "scaling": model.scaling,
    "target_scaling": model.target_scaling,
    "outputs": model.outputs,
    "stratify": model.stratify,
    "robust_loss": training.robust_loss,
    "ordinal_dates": data.ordinal_dates,
    "drop_categories": data.drop_categories,
}
