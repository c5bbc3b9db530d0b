"""What G001 and G002 share: when a verdict on single rows is one on the run, and how it is told."""

from __future__ import annotations

from collections.abc import Sequence

from dlprobe.analysis.profiles.run_profile import StepProfile
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding, Remedy


def share_of(
    judged_rows: Sequence[StepProfile], profiles: Sequence[StepProfile], share: float
) -> bool:
    """Whether the first profile, or at least `share` of all profiles, is among `judged_rows`."""
    return bool(judged_rows) and (
        judged_rows[0] is profiles[0] or len(judged_rows) >= share * len(profiles)
    )


def profile_finding(
    evidence: Evidence,
    judged_rows: Sequence[StepProfile],
    profiles: Sequence[StepProfile],
    side: float,
    remedies: tuple[Remedy, ...],
) -> Finding:
    """The finding of rows that all say the same; `side` is −1 where the ratio is too small, 1
    where it is too large.
    """
    verdict = judged_rows[0].verdict
    evident = (
        f"at step {judged_rows[0].step} {verdict.reason}; so in {len(judged_rows)} of "
        f"{len(profiles)} recorded steps looked at"
    )
    layers = (evidence.names[evidence.hidden[0]], evidence.names[evidence.hidden[-1]])
    return Finding(
        verdict.log10_ratio,
        side * verdict.band,
        evident,
        layers,
        (judged_rows[0].step, judged_rows[-1].step),
        remedies,
    )
