"""What a rule says of a run: it fired, it passed, or it could not be evaluated."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from dlprobe.dataclass import dataclass
from dlprobe.errors import SEVERITIES as SEVERITIES
from dlprobe.errors import Severity as Severity


class NotEvaluableError(Exception):
    """Raised inside a rule where the run lacks what it needs; the message becomes the reason of
    `NotEvaluated`.
    """


@dataclass(frozen=True)
class Remedy:
    """A change of the configuration that may cure: `patch` maps `table.key` to the value as typed,
    `why` is one line.

    lines: the same change in the program that trained the run, where that was another one than
        dlprobe.
    """

    patch: Mapping[str, str]
    why: str
    lines: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The remedy as data; `lines` only where there are some."""
        return {
            "patch": dict(self.patch),
            "why": self.why,
            **({"lines": list(self.lines)} if self.lines else {}),
        }


@dataclass(frozen=True)
class Finding:
    """One diagnosis. A rule fills everything but code, name and severity, which are its own unless
    it says otherwise.

    layers: names, the worst or the first first. steps: () for the whole run, one step, or the first
        and last of a range. measured, threshold: the number and what it was compared with, NaN
        where the diagnosis is not a number. evidence: one sentence that can be verified in the
        file.
    """

    measured: float
    threshold: float
    evidence: str
    layers: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    code: str = ""
    name: str = ""
    severity: Severity | Literal[""] = ""

    def to_json(self) -> dict[str, Any]:
        """The finding as data, keys as documented; what is not finite is null."""
        return {
            "code": self.code,
            "name": self.name,
            "severity": self.severity,
            "layers": list(self.layers),
            "steps": list(self.steps),
            "measured": finite(self.measured),
            "threshold": finite(self.threshold),
            "evidence": self.evidence,
            "remedies": [remedy.to_json() for remedy in self.remedies],
        }


def finite(number: float) -> float | None:
    """The number; None, JSON's null, for NaN and the infinities."""
    return float(number) if math.isfinite(number) else None


@dataclass(frozen=True)
class Fired:
    """The rule found what it looks for, once or several times."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Passed:
    """The rule looked, and did not find. note: what it would have found, or by how far the run
    passed; empty where that says nothing.
    """

    note: str = ""


@dataclass(frozen=True)
class NotEvaluated:
    """The rule could not look."""

    reason: str


Outcome: TypeAlias = Fired | Passed | NotEvaluated


def fired(*findings: Finding) -> Outcome:
    """Fired with these findings, or passed where there are none."""
    return Fired(findings) if findings else Passed()


def one_finding(
    measured: float,
    threshold: float,
    evidence: str,
    layers: tuple[str, ...] = (),
    steps: tuple[int, ...] = (),
    remedies: tuple[Remedy, ...] = (),
    severity: str = "",
) -> Outcome:
    """Fired with one finding of these parts; severity: one of SEVERITIES, or empty."""
    typed: Any = severity
    return Fired((Finding(measured, threshold, evidence, layers, steps, remedies, severity=typed),))


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings by severity, then code."""
    return tuple(
        sorted(findings, key=lambda one: (SEVERITIES.index(one.severity or "info"), one.code))
    )


def findings_of(outcomes: Iterable[Outcome]) -> list[Finding]:
    """What those that fired found."""
    return [
        finding
        for outcome in outcomes
        if isinstance(outcome, Fired)
        for finding in outcome.findings
    ]


def worst(findings: Sequence[Finding]) -> Severity | None:
    """The most severe severity among findings; None for none."""
    return next(
        (
            severity
            for severity in SEVERITIES
            if any(finding.severity == severity for finding in findings)
        ),
        None,
    )
