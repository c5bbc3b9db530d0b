"""Remedies for runs of another origin, in words: such a run has no configuration to patch.

They name what the run recorded, and nothing that it may not have had.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Remedy


def foreign_remedies(evidence: Evidence, names: tuple[str, ...], usual: dict[str, str]) -> tuple[Remedy, ...]:
    """The named remedies that this run does not have already. usual: by name, what a remedy does in words that fit every run."""
    lacking = [name for name in names if name not in HAS or not HAS[name](evidence)]
    told = [WORDS[name](evidence) if name in WORDS else usual[name] for name in lacking]
    return tuple(Remedy({}, words) for words in told if words)


def _lower(evidence: Evidence) -> str:
    return f"{_rate(evidence, 0.1) or 'a learning rate ten times smaller'} takes steps that the loss can follow"


def _raise(evidence: Evidence) -> str:
    return f"{_rate(evidence, 10.0) or 'a learning rate ten times larger'} gets ten times as far in the same time"


def _rate(evidence: Evidence, factor: float) -> str:
    """Another rate in place of the one that the run recorded last, or began with; empty where it says neither."""
    recorded = evidence.run.scalar("learning_rate") if evidence.run.is_recorded("learning_rate") else np.empty(0)
    known = recorded[np.isfinite(recorded)]
    rate = float(known[-1]) if len(known) else evidence.facts.learning_rate
    return f"a learning rate of {rate * factor:g} in place of {rate:g}" if rate else ""


def _usual(evidence: Evidence) -> str:
    adaptive = (evidence.facts.optimizer or "").startswith("adam")
    return "" if adaptive else "Adam at its usual rate sizes the step of every weight by itself"


def _larger_batch(evidence: Evidence) -> str:
    size = evidence.facts.batch_size
    wanted = "larger batches" if size is None else f"batches of {max(8 * size, 32)} in place of {size}"
    return f"{wanted}: the noise of the gradient falls with the root of the batch"


def _shallower(evidence: Evidence) -> str:
    return "three hidden layers: fewer factors on the way back" if len(evidence.hidden) > 3 else ""


def _without_norm(evidence: Evidence) -> str:
    normalized = any(layer.is_normalized for layer in evidence.layers)
    return "without batch normalization the gradient does not grow with depth" if normalized else ""


def _without_penalty(evidence: Evidence) -> str:
    facts = evidence.facts
    given = {"an L1 penalty": facts.l1, "an L2 penalty": facts.l2, "dropout": facts.dropout, "dropout of inputs": facts.input_dropout}
    named = [f"{name} of {value:g}" for name, value in given.items() if value]
    return f"without {' and '.join(named)} the training error shows what the net can do" if named else ""


def _normalized_by(evidence: Evidence, kind: str) -> bool:
    return any((layer.normalization or "").startswith(kind) for layer in evidence.layers)


def _activated_by(evidence: Evidence, name: str) -> bool:
    return all((evidence.layers[index].activation or "").startswith(name) for index in evidence.hidden)


WORDS: dict[str, Callable[[Evidence], str]] = {
    "lower_rate": _lower,
    "raise_rate": _raise,
    "usual_optimizer": _usual,
    "longer": lambda evidence: "longer training: the loss was still falling",
    "larger_batch": _larger_batch,
    "smaller_net": lambda evidence: "fewer units have less room to learn single samples by heart",
    "larger_net": lambda evidence: "more units: the net cannot express the data",
    "shallower": _shallower,
    "no_norm": _without_norm,
    "no_penalty": _without_penalty,
}
HAS: dict[str, Callable[[Evidence], bool]] = {  # whether the run is known to have a remedy already
    "relu": lambda evidence: _activated_by(evidence, "relu"),
    "leaky": lambda evidence: _activated_by(evidence, "leaky_relu"),
    "batch_norm": lambda evidence: _normalized_by(evidence, "batch"),
    "layer_norm": lambda evidence: _normalized_by(evidence, "layer"),
    "early_stopping": lambda evidence: evidence.facts.early_stopping not in (None, "none"),
    "dropout": lambda evidence: bool(evidence.facts.dropout),
    "weight_penalty": lambda evidence: bool(evidence.facts.l2),
    "double": lambda evidence: evidence.run.dtype == "float64",
}
