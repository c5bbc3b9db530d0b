"""What a rule is: a record with code, severity, thresholds and their origin, a lesson, and a
function that looks at the evidence.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from dlprobe.dataclass import dataclass
from dlprobe.registry import Parameter
from dlprobe.registry import register as register_record
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Fired, NotEvaluableError, NotEvaluated, Outcome, Severity

HEADINGS = (
    "What it looks for",
    "Why it hurts",
    "How it is measured",
    "When it stays silent",
    "What to try",
    "References",
)
CODE = re.compile(r"[A-Z][0-9]{3}")


@dataclass(frozen=True)
class Threshold(Parameter):
    """A number that a rule compares with, settable as `CODE.name=value`; `origin` says where
    the default comes from.
    """

    origin: str = ""


SHARE_OF_ROWS = Threshold(
    "share",
    0.5,
    "share of the rows looked at that must say so",
    low=0.0,
    high=1.0,
    origin="choice: more often than not",
)
Settings: TypeAlias = Mapping[str, Any]  # thresholds by name, each of its default's type
Check: TypeAlias = Callable[[Evidence, Settings], Outcome]


@dataclass(frozen=True)
class Rule:
    """One diagnosis.

    name: with `_`, the registry's name; code: a letter and three digits, stable once released.
        needs: what the run must have recorded, in words.
    lesson: the docstring of the rule's file, a first line and the HEADINGS. check(evidence,
        thresholds by name) gives the outcome.
    brings_about: codes of what this fault itself can bring about in the same layers, then or later
        (what those bring about in turn need not be named).
    symptom: it says again how the run ended (that it did not learn, that it got worse), and never
        why.
    on_request: judged only where it is named or its bound is given.
    foreign: judged of runs that another program trained; of others only where it is named.
    dated: the first step of its findings is when the fault began, not just where the run begins.
    """

    code: str
    name: str
    severity: Severity
    lesson: str
    check: Check
    needs: tuple[str, ...] = ()
    parameters: tuple[Threshold, ...] = ()
    brings_about: tuple[str, ...] = ()
    symptom: bool = False
    on_request: bool = False
    foreign: bool = False
    dated: bool = False

    @property
    def title(self) -> str:
        """The name as findings show it."""
        return self.name.replace("_", "-")

    @property
    def summary(self) -> str:
        """The first line of the lesson."""
        return self.lesson.strip().splitlines()[0].rstrip(".")

    @property
    def sections(self) -> dict[str, str]:
        """The lesson by heading, each as one paragraph."""
        pieces = re.split(rf"^({'|'.join(HEADINGS)}):", self.lesson.strip(), flags=re.MULTILINE)
        return {
            heading: " ".join(text.split())
            for heading, text in zip(pieces[1::2], pieces[2::2], strict=True)
        }

    def apply(self, evidence: Evidence, settings: Settings | None = None) -> Outcome:
        """Look at the evidence, with thresholds by name on top of the defaults."""
        values = {threshold.name: threshold.default for threshold in self.parameters} | dict(
            settings or {}
        )
        try:
            # runs are full of NaN and infinity; a rule says itself what it does with them
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                outcome = self.check(evidence, values)
        except NotEvaluableError as reason:
            return NotEvaluated(str(reason))
        return self._signed(outcome)

    def _signed(self, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Fired):
            return outcome
        return Fired(
            tuple(
                replace(
                    finding,
                    code=self.code,
                    name=self.title,
                    severity=finding.severity or self.severity,
                )
                for finding in outcome.findings
            )
        )


def register(
    code: str,
    name: str,
    severity: Severity,
    lesson: str | None,
    check: Check,
    *,
    needs: Sequence[str] = (),
    thresholds: Sequence[Threshold] = (),
    brings_about: str = "",
    symptom: bool = False,
    on_request: bool = False,
    foreign: bool = False,
    dated: bool = False,
) -> Rule:
    """Register a rule; called once at the end of its file, with the file's docstring as the lesson.
    brings_about: codes, blanks between them.

    Raises ValueError for a code of another form.
    """
    if not CODE.fullmatch(code):
        raise ValueError(
            f"rule {name}: its code is {code!r}: expected a capital and three digits, e.g. G001"
        )
    rule = Rule(
        code,
        name,
        severity,
        lesson or "",
        check,
        tuple(needs),
        tuple(thresholds),
        tuple(brings_about.split()),
        symptom,
        on_request,
        foreign,
        dated,
    )
    return register_record("rule", rule)
