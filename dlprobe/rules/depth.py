"""How a layer's activations change with depth: what A003 and A004 share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from dlprobe.analysis.profiles.run_profile import StepProfile
from dlprobe.dataclass import dataclass
from dlprobe.record.sizes import power_of_ten
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding, Remedy


@dataclass(frozen=True)
class Fall:
    """One recorded row: decades by which the root of the variance changes from hidden_1 to
    hidden_n, the band of chance, whose variance it is, and how much of it hidden_1 has.
    """

    step: int
    decades: float
    band: float
    what: str
    first: float


def pooled(first: tuple[float, str], second: tuple[float, str]) -> tuple[float, str]:
    """`first`, the change of the pooled variance; takes and ignores the other change, so that it
    can stand in for a choice between the two. Both are (decades, name).
    """
    return first


def fall_of(
    evidence: Evidence,
    profile: StepProfile,
    choose: Callable[[tuple[float, str], tuple[float, str]], tuple[float, str]],
) -> Fall:
    """The change of one row, of pooled and between-sample variance the one that `choose` takes."""
    evidence.require("activation_variance", "activation_sample_variance")
    row = int(evidence.steps.searchsorted(profile.step))
    between = evidence.row("activation_sample_variance", row)[evidence.hidden]
    decades = [
        (_decades(float(values[0]), float(values[-1])), name)
        for values, name in ((profile.flow.activation_variance, POOLED), (between, BETWEEN))
    ]
    decade, what = choose(decades[0], decades[1])
    start = profile.flow.activation_variance[0] if what == POOLED else between[0]
    return Fall(profile.step, decade, profile.verdict.band, what, float(start))


POOLED, BETWEEN = "activation_variance", "activation_sample_variance"


def _decades(first: float, last: float) -> float:
    """½ log10 last/first; −∞ where the last is 0 while the first is not, 0 where nothing can be
    said.
    """
    if not (math.isfinite(first) and math.isfinite(last)) or first <= 0.0:
        return 0.0
    return 0.5 * math.log10(last / first) if last > 0.0 else -math.inf


def fallen(
    evidence: Evidence,
    falls: Sequence[Fall],
    all_falls: Sequence[Fall],
    share: float,
    remedies: tuple[Remedy, ...],
) -> list[Finding]:
    """The finding of rows that agree: where the first is among them, or so many are."""
    if not falls or (falls[0] is not all_falls[0] and len(falls) < share * len(all_falls)):
        return []
    first, names = falls[0], evidence.names
    low, high = names[evidence.hidden[0]], names[evidence.hidden[-1]]
    size = f"is {power_of_ten(2 * first.decades)} times that of {low}"
    if math.isinf(first.decades):
        size = (
            f"has fallen to 0 (below the smallest number of {evidence.run.dtype}), from "
            f"{first.first:.3g} in {low}"
        )
    evident = (
        f"at step {first.step} {first.what} of {high} {size}; so in {len(falls)} of "
        f"{len(all_falls)} recorded steps looked at"
    )
    return [
        Finding(
            first.decades,
            math.copysign(first.band, first.decades),
            evident,
            (low, high),
            (first.step, falls[-1].step),
            remedies,
        )
    ]
