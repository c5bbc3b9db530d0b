"""Remedies that several rules name: what to change in the configuration, filled in from what the run had.

Each gives a tuple, empty where it does not apply or the configuration cannot be read.
"""

from __future__ import annotations

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Remedy


def lower_rate(evidence: Evidence, factor: float = 0.1) -> tuple[Remedy, ...]:
    """A smaller learning rate."""
    if evidence.config is None:
        return ()
    rate = evidence.config.training.resolved_lr
    return (Remedy({"training.lr": f"{rate * factor:g}"}, f"a learning rate of {rate * factor:g} in place of {rate:g} takes steps that the loss can follow"),)
