"""What brings what about: the faults of a run in the order from the cause to its consequences,
by what each rule declares.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from dlprobe.dataclass import dataclass
from dlprobe.rules.judging import all_rules
from dlprobe.rules.outcome import SEVERITIES, Finding


@cache
def consequences(code: str) -> frozenset[str]:
    """Codes of all that a fault can bring about, directly or through what it brings about; that
    nothing was learned passes nothing on.
    """
    codes: set[str] = set()
    waiting = list(all_rules()[code].brings_about) if code in all_rules() else []
    while waiting:
        brought = waiting.pop()
        if brought not in codes:
            codes.add(brought)
            waiting += [] if is_symptom(brought) else all_rules()[brought].brings_about
    return frozenset(codes)


@cache
def origins(code: str) -> int:
    """Number of rules whose finding can bring about that of rule `code`."""
    return sum(code in consequences(other) for other in all_rules())


def is_symptom(code: str) -> bool:
    """Whether a finding of rule `code` only says how the run ended, not why; False for an unknown
    code.
    """
    return code in all_rules() and all_rules()[code].symptom


@dataclass(frozen=True)
class Place:
    """Where findings stand: names of the layers from the input on, and the last recorded step
    (None: not known).
    """

    layers: Sequence[str] = ()
    last_step: int | None = None

    def explains(self, first: Finding, second: Finding) -> bool:
        """Whether the first finding explains the second: it can bring it about, began no later (as
        far as both rules tell when), and speaks of the same layers or of neighbours, which pass on
        what they do to each other.
        """
        if second.code not in consequences(first.code):
            return False
        if first.steps and second.steps:
            dated = all_rules()[first.code].dated and all_rules()[second.code].dated
            if self._began(first) > second.steps[0 if dated else -1]:
                return False
        spans = [_span(finding, self.layers) for finding in (first, second)]
        return spans[0][0] <= spans[1][1] + 1 and spans[1][0] <= spans[0][1] + 1

    def _began(self, finding: Finding) -> int:
        """The step at which something was first seen; what was looked at in the end alone may
        have been there from the beginning.
        """
        at_the_end = (
            len(finding.steps) == 1
            and self.last_step is not None
            and finding.steps[0] >= self.last_step
        )
        return 0 if at_the_end else finding.steps[0]


def _span(finding: Finding, layers: Sequence[str]) -> tuple[int, int]:
    """The first and last of the layers that a finding names; all of them for one of the whole
    net.
    """
    named = [layers.index(name) for name in finding.layers if name in layers]
    return (min(named), max(named)) if named else (0, len(layers))


def ranked(faults: Sequence[Finding], place: Place) -> tuple[list[Finding], list[Finding]]:
    """The faults that no other one explains, the one furthest upstream first; and those of them
    that only say how the run ended.

    Furthest upstream is what explains most of the others; of two that explain as many, the more
    severe, then the one that fewer kinds of fault can bring about, then the one that began earlier.
    """
    roots = [
        fault
        for fault in faults
        if not any(place.explains(other, fault) for other in faults if other is not fault)
    ]

    def order(finding: Finding) -> tuple[int, int, int, int, str]:
        explained = sum(place.explains(finding, other) for other in faults if other is not finding)
        return (
            -explained,
            SEVERITIES.index(finding.severity or "info"),
            origins(finding.code),
            finding.steps[0] if finding.steps else 0,
            finding.code,
        )

    roots.sort(key=order)
    return [root for root in roots if not is_symptom(root.code)], [
        root for root in roots if is_symptom(root.code)
    ]


def excluded_causes(passed: Iterable[str], recurrent: bool = False) -> tuple[str, ...]:
    """Codes of the passed rules that look for what can keep a net from learning. recurrent: what
    goes on in time is not known, so that rules on error signals exclude nothing.
    """
    rules = all_rules()
    symptoms = {code for code, rule in rules.items() if rule.symptom}
    return tuple(
        code
        for code in passed
        if not is_symptom(code)
        and consequences(code) & symptoms
        and not (recurrent and "error_signal_rms" in rules[code].needs)
    )
