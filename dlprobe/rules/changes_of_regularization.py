"""Remedies that add or take away what keeps a net from fitting; None where they do not apply."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlprobe.config.records import RunConfig
from dlprobe.registry import Spec
from dlprobe.rules.changes_of_training import because, fit_told, gap_told, short
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Remedy

USUAL_DECAY = 0.01  # of AdamW: what it has without being asked


FAINT = 0.01  # share of the loss that a penalty may have for ten times of it to be a modest dose


OFF = {  # what leaves a regularizer out, by key
    "training.l1": "0",
    "training.l2": "0",
    "training.activity_l1": "0",
    "training.activity_l2": "0",
    "training.orthogonal_penalty": "0",
    "training.max_norm": "none",
    "training.mixup": "0",
    "training.label_smoothing": "0",
    "model.dropout": "0",
    "model.input_dropout": "0",
    "model.drop_connect": "0",
    "model.noise": "0",
    "model.input_noise": "0",
}


def dropout(evidence: Evidence, config: RunConfig) -> Remedy | None:
    """0.3 where there is none, else a fifth more, up to a half."""
    rate = config.model.dropout
    if rate >= 0.5 or not config.model.layers:
        return None
    new = 0.3 if rate < 0.2 else min(0.5, rate + 0.2)
    return Remedy(
        {"model.dropout": short(new)},
        f"dropout of {short(new)} in place of {rate:g}{because(gap_told(evidence))}",
    )


def weight_penalty(evidence: Evidence, config: RunConfig) -> Remedy | None:
    """Ten times the decay or penalty that the run has, 1e-4 where there is none, of a regression at
    least that of `_ridge`; None where what it has weighs something already.
    """
    training, told, ridge_dose = config.training, because(gap_told(evidence)), _ridge(evidence)
    decay = training.weight_decay
    if decay > (USUAL_DECAY if ridge_dose else 0.0):
        new = with_parameter(training.optimizer, "weight_decay", 10 * decay)
        if decay < 0.1:
            return Remedy(
                {"training.optimizer": new},
                f"weight decay of {10 * decay:g} in place of {decay:g}{told}",
            )
        return None
    if training.l2 > 0 and not _faint(evidence):
        return None
    new_l2 = max(10 * training.l2 if training.l2 > 0 else 1e-4, ridge_dose)
    patch = {"training.l2": short(new_l2), **(_coupled(config) if ridge_dose else {})}
    return Remedy(patch, f"an L2 penalty of {short(new_l2)} in place of {training.l2:g}{told}")


def ridge(evidence: Evidence, config: RunConfig) -> Remedy | None:
    """An L2 penalty of d/n for d features and n samples, that of `_ridge` where as much of the
    targets can be explained as not.
    """
    features, samples = evidence.layers[0].fan_in, len(evidence.run.data.get("train_indices", ()))
    decay = config.training.weight_decay
    if (
        not features
        or not samples
        or config.training.l2 >= features / samples
        or decay > USUAL_DECAY
    ):
        return None
    new = short(features / samples)
    return Remedy(
        {"training.l2": new, **_coupled(config)},
        f"an L2 penalty of {new} in place of {config.training.l2:g}: {samples} samples of "
        f"{features} features have noise too",
    )


def _coupled(config: RunConfig) -> dict[str, str]:
    """Adam in place of AdamW, whose decay is there in place of a penalty in the loss."""
    return {"training.optimizer": "adam"} if config.training.optimizer.name == "adamw" else {}


def _ridge(evidence: Evidence) -> float:
    """The ridge penalty of Hoerl, Kennard & Baldwin 1975, d σ²/(n ‖β‖²) of d standardized features
    and n samples, with the unexplained and the explained share of the variance of new targets for
    σ² and ‖β‖²; 0 where there are none, or for classes.
    """
    learned, features = evidence.learning, evidence.layers[0].fan_in
    samples = len(evidence.run.data.get("train_indices", ()))
    if learned.task != "regression" or not learned.validated or not samples or not features:
        return 0.0
    explained = min(max(float(learned.val_skill[-1]), 0.1), 0.9)
    return features * (1.0 - explained) / (samples * explained)


def _faint(evidence: Evidence) -> bool:
    if not evidence.run.is_recorded("penalty"):
        return False
    return float(np.nanmax(evidence.scalar("penalty"))) < FAINT * float(evidence.learning.loss[0])


def with_parameter(spec: Spec, name: str, value: float) -> str:
    """A thing with one parameter set, as it is typed."""
    parameters = {key: spec.parameters[key] for key in spec.given} | {name: value}
    words = [
        f"{key}={_typed(number)}"
        for key, number in parameters.items()
        if number != _default(spec, key)
    ]
    return f"{spec.name}({', '.join(words)})" if words else spec.name


def _default(spec: Spec, name: str) -> object:
    return next(parameter.default for parameter in spec.record.parameters if parameter.name == name)


def _typed(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def regularizers(config: RunConfig) -> dict[str, str]:
    """What keeps the net from fitting, in words, by the key that leaves it out."""
    tables = {"training": config.training, "model": config.model}
    options = {}
    for place in OFF:
        table, _, key = place.partition(".")
        value = getattr(tables[table], key)
        if value not in (None, 0.0, 0):
            options[place] = f"{key} {value:g}"
    decay = config.training.weight_decay
    if decay > 0:
        options["training.optimizer"] = f"weight decay {decay:g}"
    return options


def without(config: RunConfig, places: Sequence[str], told: str) -> Remedy | None:
    """The run without some of its regularizers."""
    has = {place: words for place, words in regularizers(config).items() if place in places}
    if not has:
        return None
    patch = {
        place: with_parameter(config.training.optimizer, "weight_decay", 0.0)
        if place == "training.optimizer"
        else OFF[place]
        for place in has
    }
    return Remedy(patch, f"without {' and '.join(has.values())}{because(told)}")


def no_penalty(evidence: Evidence, config: RunConfig) -> Remedy | None:
    """Without anything that keeps the net from fitting; what weighs little (the decay that
    AdamW comes with) is left alone where there is more.
    """
    has = list(regularizers(config))
    decay = config.training.weight_decay
    if decay <= 0.01 and "training.optimizer" in has:
        has.remove("training.optimizer")
    return without(config, has, fit_told(evidence))


def no_dropout(evidence: Evidence, config: RunConfig) -> Remedy | None:
    return without(
        config, ("model.dropout", "model.input_dropout", "model.drop_connect"), fit_told(evidence)
    )


def class_weights(evidence: Evidence, config: RunConfig) -> Remedy | None:
    counts = evidence.class_counts
    if config.training.class_weights is not None or len(counts) < 2:
        return None
    told = f"the rarest class has {counts.min():.0f} of {counts.sum():.0f} samples"
    return Remedy({"training.class_weights": "balanced"}, f"every class weighs the same: {told}")
