"""Remedies of B001 and B002 go one way: what raises the capacity of a net and what restrains it
contradict each other.
"""

from __future__ import annotations

from typing import Literal

from dlprobe.analysis.bias_variance.direction import Way, direction, seen_of
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Remedy


def going(
    evidence: Evidence,
    way: Way,
    cures: tuple[Remedy, ...],
    severity: Literal["warning", "info"],
    reference: float = 0.0,
) -> tuple[Remedy, ...]:
    """The cures where the run is to go this way, else none. reference: the error that can be
    reached, in points; 0: nobody said.

    Where the direction cannot be told, or all is fine, an info advises nothing, and of two warnings
    the one with the larger gap advises.
    """
    seen = seen_of(evidence.run, evidence.learning, reference / 100.0 if reference else None)
    remedies = direction(seen).way
    if remedies not in ("more capacity", "more data or regularization"):
        larger: Way = (
            "more capacity"
            if not seen.val - seen.train > seen.train
            else "more data or regularization"
        )
        remedies = larger if severity == "warning" else remedies
    return cures if remedies == way else ()
