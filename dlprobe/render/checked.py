"""What `check` says, as the formats for machines need it: findings by run, with the rules behind them. Drawn by the formats for CI.

Texts may come from run files: every format escapes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from dlprobe.render.document import Document
from dlprobe.render.numbers import value_text

SCHEMA = "dlprobe-check/1"
Severity: TypeAlias = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True)
class FindingLine:
    """One finding. layers: names; steps: none, one, or the first and last; measured, threshold: None where the diagnosis is not a number."""

    code: str
    name: str
    severity: Severity
    layers: Sequence[str]
    steps: Sequence[int]
    measured: float | None
    threshold: float | None
    evidence: str
    remedies: Sequence[Mapping[str, Any]] = ()

    @property
    def place(self) -> str:
        """Layers and steps in words; empty for the run as a whole.

        >>> FindingLine("G001", "x", "error", ("hidden_1", "hidden_2"), (0, 10), None, None, "").place
        'hidden_1, hidden_2; steps 0 to 10'
        """
        return "; ".join(filter(None, [layers_text(self.layers), steps_text(self.steps)]))

    @property
    def tries(self) -> list[str]:
        """The remedies in words."""
        return [f"{'try' if remedy['patch'] else 'what may help:'} {remedy_text(remedy)}" for remedy in self.remedies]

    @property
    def numbers(self) -> str:
        """What was measured, and the threshold, in words."""
        told = (("measured", self.measured), ("threshold", self.threshold))
        return ", ".join(f"{word} {value_text(float(value), 3)}" for word, value in told if value is not None)


def layers_text(layers: Sequence[str], most: int = 3) -> str:
    """Layer names, the first few of many.

    >>> layers_text(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    shown = ", ".join(layers[:most])
    return f"{shown} and {len(layers) - most} more" if len(layers) > most else shown


def steps_text(steps: Sequence[int]) -> str:
    """`step 3`, `steps 3 to 9`, or nothing."""
    if not steps:
        return ""
    return f"step {steps[0]}" if steps[0] == steps[-1] else f"steps {steps[0]} to {steps[-1]}"


@dataclass(frozen=True)
class CheckedRun:
    """The outcome of every rule for one run. path: the file, with `#id` for a run of a study. unreadable: why the file could not be judged at all.

    evaluated: whether any rule could look at it; True also where all that was found is known from a baseline and left out.
    """

    path: str
    findings: Sequence[FindingLine] = ()
    passed: Sequence[str] = ()
    not_evaluated: Mapping[str, str] = field(default_factory=dict)
    unreadable: str = ""
    evaluated: bool = True

    @property
    def file(self) -> str:
        """The path without the run's id."""
        return self.path.partition("#")[0]


@dataclass(frozen=True)
class RuleLine:
    """What a format says of a rule that found something or was asked: one line, and the whole lesson."""

    code: str
    name: str
    severity: Severity
    summary: str
    lesson: str = ""


@dataclass(frozen=True)
class CheckDocument(Document):
    """A document of `check`: blocks and data for the general formats, and what the formats for CI draw.

    rules: by code, those that were asked. fails_on: the severities that make the command exit with 1.
    """

    runs: Sequence[CheckedRun] = ()
    rules: Mapping[str, RuleLine] = field(default_factory=dict)
    fails_on: Sequence[Severity] = ("error",)
    version: str = ""


def checked(document: Document) -> CheckDocument:
    """`document` as what `check` made. Raises TypeError for any other: its formats are offered for `check` only."""
    if not isinstance(document, CheckDocument):
        raise TypeError(f"this format prints findings; {document.title!r} has none")
    return document


def patch_text(patch: Mapping[str, Any]) -> str:
    """A change of the configuration as a reader types it.

    >>> patch_text({"model.activation": "relu", "training.lr": "0.01"})
    'model.activation = relu, training.lr = 0.01'
    """
    return ", ".join(f"{key} = {value}" for key, value in patch.items())


def remedy_text(remedy: Mapping[str, Any]) -> str:
    """A remedy in words; one of a run that has no configuration has no patch either.

    >>> remedy_text({"patch": {"training.lr": "0.01"}, "why": "smaller steps"}), remedy_text({"patch": {}, "why": "smaller steps"})
    ('training.lr = 0.01: smaller steps', 'smaller steps')
    """
    return ": ".join(filter(None, [patch_text(remedy["patch"]), remedy["why"]]))
