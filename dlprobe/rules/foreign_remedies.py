"""Remedies for runs of another origin in words, where not enough of the run is known to say them in
code.

They name what the run recorded, and nothing that it may not have had.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dlprobe.registry import counted
from dlprobe.rules.changes_of_model import SUITED
from dlprobe.rules.changes_of_training import clipping_told
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.owner_code import recurrent_layers


def words_for(evidence: Evidence, name: str) -> str:
    """A remedy in words; empty where it cannot be said without the run's configuration."""
    return WORDS[name](evidence) if name in WORDS else ""


def has_already(evidence: Evidence, name: str) -> bool:
    """Whether the run is known to have a remedy."""
    return name in HAS and HAS[name](evidence)


def _lower(evidence: Evidence) -> str:
    return (
        f"{_rate(evidence, 0.1) or 'a learning rate ten times smaller'} takes steps that the loss "
        "can follow"
    )


def _raise(evidence: Evidence) -> str:
    return (
        f"{_rate(evidence, 10.0) or 'a learning rate ten times larger'} gets ten times as far in "
        "the same time"
    )


def _rate(evidence: Evidence, factor: float) -> str:
    """Another rate in place of the one that the run recorded last, or began with; empty where
    it says neither.
    """
    recorded = (
        evidence.run.scalar("learning_rate")
        if evidence.run.is_recorded("learning_rate")
        else np.empty(0)
    )
    known = recorded[np.isfinite(recorded)]
    rate = float(known[-1]) if len(known) else evidence.facts.learning_rate
    return f"a learning rate of {rate * factor:g} in place of {rate:g}" if rate else ""


def _unclipped(evidence: Evidence) -> str:
    told = clipping_told(evidence)
    return f"no {told}" if told else ""


def _usual(evidence: Evidence) -> str:
    adaptive = (evidence.facts.optimizer or "").startswith("adam")
    return "" if adaptive else "Adam at its usual rate sizes the step of every weight by itself"


def _larger_batch(evidence: Evidence) -> str:
    size = evidence.facts.batch_size
    wanted = (
        "larger batches" if size is None else f"batches of {max(8 * size, 32)} in place of {size}"
    )
    return f"{wanted}: the noise of the gradient falls with the root of the batch"


def _shallower(evidence: Evidence) -> str:
    count = len(evidence.hidden)
    return f"three hidden layers in place of {count}" if count > 3 else ""


def _without_norm(evidence: Evidence) -> str:
    normalized = evidence.normalized
    return "without batch normalization the gradient does not grow with depth" if normalized else ""


def _normalizing(evidence: Evidence, kind: str) -> str:
    recurrent = recurrent_layers(evidence.run)
    layers = sum(evidence.names[index] not in recurrent for index in evidence.hidden)
    return f"{kind} normalization of {counted(layers, 'hidden layer')}" if layers else ""


def _without_penalty(evidence: Evidence) -> str:
    facts = evidence.facts
    strengths = {
        "an L1 penalty": facts.l1,
        "an L2 penalty": facts.l2,
        "dropout": facts.dropout,
        "dropout of inputs": facts.input_dropout,
    }
    named = [f"{name} of {value:g}" for name, value in strengths.items() if value]
    if named:
        return f"without {' and '.join(named)} the training error shows what the net can do"
    return ""


def _normalized_by(evidence: Evidence, kind: str) -> bool:
    return any((layer.normalization or "").startswith(kind) for layer in evidence.layers)


def _activated_by(evidence: Evidence, name: str) -> bool:
    return all(
        (evidence.layers[index].activation or "").startswith(name) for index in evidence.hidden
    )


def _longer(evidence: Evidence) -> str:
    loss = evidence.learning.loss
    middle = len(loss) // 2
    if loss[-1] < loss[middle]:
        return (
            f"longer training: the loss still fell from {loss[middle]:.3g} to {loss[-1]:.3g} in "
            "the second half"
        )
    return ""


def _units(evidence: Evidence, what: str) -> str:
    widths = [
        layer.units
        for layer in (evidence.layers[index] for index in evidence.hidden)
        if layer.units is not None
    ]
    return f"{what} in place of {', '.join(map(str, widths))}" if widths else what


def _in_place_of(evidence: Evidence, what: str) -> str:
    had = dict.fromkeys(evidence.layers[index].activation or "" for index in evidence.hidden)
    named = ", ".join(name for name in had if name)
    return f"{what} in place of {named}" if named else what


def _drawn(evidence: Evidence) -> str:
    what = "the initializer that suits the activation"
    if not evidence.hidden or not evidence.run.is_recorded("weight_rms"):
        return what
    return (
        f"{what}: weights of {evidence.names[evidence.hidden[0]]} began at "
        f"{evidence.row('weight_rms', 0)[evidence.hidden[0]]:.2g}"
    )


def _dropout(evidence: Evidence) -> str:
    rate = evidence.facts.dropout or 0.0
    return f"more dropout than {rate:g}" if rate < 0.5 else ""


def _penalty(evidence: Evidence) -> str:
    return f"a larger L2 penalty or weight decay than {evidence.facts.l2 or 0.0:g}"


def _output(evidence: Evidence) -> str:
    had = " with ".join(
        name for name in (evidence.layers[-1].activation, evidence.facts.loss) if name
    )
    return (
        f"the output activation and loss that suit the data{f' in place of {had}' if had else ''}"
    )


def _stopping(evidence: Evidence) -> str:
    learned = evidence.learning
    if np.isnan(learned.val_loss).all():
        return ""
    return (
        f"early stopping: val_loss was smallest, {learned.val_loss[learned.best_val]:.3g}, after "
        f"{counted(learned.steps[learned.best_val], 'update')}"
    )


def _shares(evidence: Evidence, what: str) -> str:
    counts = evidence.class_counts
    if len(counts):
        return (
            f"{what}: the classes have {', '.join(str(int(count)) for count in counts[:6])} samples"
        )
    return ""


WORDS: dict[str, Callable[[Evidence], str]] = {
    "lower_rate": _lower,
    "raise_rate": _raise,
    "no_clip": _unclipped,
    "usual_optimizer": _usual,
    "longer": _longer,
    "larger_batch": _larger_batch,
    "smaller_net": lambda evidence: _units(evidence, "fewer units"),
    "larger_net": lambda evidence: _units(evidence, "more units"),
    "wider": lambda evidence: _units(evidence, "fewer and wider layers"),
    "shallower": _shallower,
    "no_norm": _without_norm,
    "no_penalty": _without_penalty,
    "relu": lambda evidence: _in_place_of(evidence, "ReLU with He weights"),
    "leaky": lambda evidence: _in_place_of(
        evidence, "leaky ReLU, which has a slope on both sides,"
    ),
    "init": _drawn,
    "batch_norm": lambda evidence: _normalizing(evidence, "batch"),
    "layer_norm": lambda evidence: _normalizing(evidence, "layer"),
    "scaling": lambda evidence: "standardized inputs",
    "target_scaling": lambda evidence: (
        "standardized targets" if evidence.run.data.get("task") == "regression" else ""
    ),
    "outputs": _output,
    "clip": lambda evidence: (
        (
            "the norm of the gradient clipped at "
            f"{float(np.nanmedian(evidence.scalar('gradient_norm'))):.2g}, where it typically is"
        )
        if evidence.run.is_recorded("gradient_norm")
        else ""
    ),
    "early_stopping": _stopping,
    "dropout": _dropout,
    "weight_penalty": _penalty,
    "class_weights": lambda evidence: _shares(evidence, "the same weight for every class"),
    "stratify": lambda evidence: _shares(evidence, "a stratified split"),
    "robust_loss": lambda evidence: "Huber's loss in place of the squared error",
    "double": lambda evidence: f"float64 in place of {evidence.run.dtype}",
}
HAS: dict[str, Callable[[Evidence], bool]] = {  # whether the run is known to have a remedy already
    "relu": lambda evidence: _activated_by(evidence, "relu"),
    "leaky": lambda evidence: _activated_by(evidence, "leaky_relu"),
    "batch_norm": lambda evidence: _normalized_by(evidence, "batch"),
    "layer_norm": lambda evidence: _normalized_by(evidence, "layer"),
    "early_stopping": lambda evidence: evidence.facts.early_stopping not in (None, "none"),
    "double": lambda evidence: evidence.run.dtype == "float64",
    "outputs": lambda evidence: (
        evidence.run.data.get("task") == "classification"
        and (evidence.layers[-1].activation, str(evidence.facts.loss).partition("(")[0]) in SUITED
    ),
}
