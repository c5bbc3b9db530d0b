"""What `check` says, as the formats for machines need it: findings by run, with the rules behind
them. Drawn by the formats for CI.

Texts may come from run files: every format escapes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal, TypeAlias

from dlprobe.dataclass import dataclass
from dlprobe.record.unjudged import Unjudged, grouped
from dlprobe.registry import counted, first_of
from dlprobe.render.document import Document, Tone
from dlprobe.render.numbers import value_text

SCHEMA = "dlprobe-check/1"
Severity: TypeAlias = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True)
class FindingLine:
    """One finding. layers: names; steps: none, one, or the first and last; measured, threshold:
    None where the diagnosis is not a number.
    """

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
        """  # noqa: E501
        return "; ".join(filter(None, [first_of(self.layers, 3), steps_text(self.steps)]))

    @property
    def tries(self) -> list[str]:
        """The remedies in words."""
        return [
            f"{'try' if remedy['patch'] else 'what may help:'} {remedy_text(remedy)}"
            for remedy in self.remedies
        ]

    @property
    def numbers(self) -> str:
        """What was measured, and the threshold, in words."""
        told = (("measured", self.measured), ("threshold", self.threshold))
        return ", ".join(
            f"{word} {value_text(float(value), 3)}" for word, value in told if value is not None
        )


def steps_text(steps: Sequence[int]) -> str:
    """`step 3`, `steps 3 to 9`, or nothing."""
    if not steps:
        return ""
    return f"step {steps[0]}" if steps[0] == steps[-1] else f"steps {steps[0]} to {steps[-1]}"


@dataclass(frozen=True)
class Caused:
    """The cause: its code, what it brings about in a sentence (empty: nothing), and the codes
    of that.
    """

    code: str
    brings_about: str = ""
    follows: Sequence[str] = ()


@dataclass(frozen=True)
class DiagnosisLine:
    """The state of one run, in words. sentence: with the path before it; unknown: why no cause
    is named, empty where nothing is to be explained.

    tries: (command, reason, code of the finding that names it) in order; the command is empty where
        there is nothing that dlprobe could train.
    """

    sentence: str
    state: str
    tone: Tone = "neutral"
    unknown: str = ""
    cause: Caused | None = None
    tries: Sequence[tuple[str, str, str]] = ()
    caveats: Sequence[str] = ()

    def tries_for(self, code: str) -> list[str]:
        """What to try for a finding, in words."""
        return [
            f"try {command}: {why}" if command else f"what may help: {why}"
            for command, why, named_by in self.tries
            if named_by == code
        ]

    def role_of(self, code: str) -> str:
        """What a finding is beside the others: the cause, what follows from it, or neither."""
        if self.cause is None:
            return ""
        if code == self.cause.code:
            return "the cause"
        if code in self.cause.follows:
            return f"follows from {self.cause.code}"
        return ""


@dataclass(frozen=True)
class CheckedRun:
    """The outcome of every rule for one run. path: the file, with `#id` for a run of a study.
    unreadable: why the file could not be judged at all.

    diagnosis: of a run that could be read. evaluated: whether enough rules could look at it; True
    also where all that was found is known from a baseline and left out. not_compared: codes that
    --against or --gate asked for in vain, which fails the command; asked: codes that were selected
    by name. proof: of the cause, as a sentence. notes: by code, what rules that passed would have
    found.
    """

    path: str
    findings: Sequence[FindingLine] = ()
    passed: Sequence[str] = ()
    not_evaluated: Mapping[str, str] = field(default_factory=dict)
    unreadable: str = ""
    evaluated: bool = True
    not_compared: Sequence[str] = ()
    asked: Sequence[str] = ()
    diagnosis: DiagnosisLine | None = None
    proof: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The state of the run, with its path before it, and the proof of its cause where
        there is one; empty where it could not be read.
        """
        if self.diagnosis is None:
            return ""
        return " · ".join(filter(None, [self.diagnosis.sentence, self.proof]))

    def place_of(self, finding: FindingLine) -> str:
        """Layers, steps, and what the finding is beside the others, in words."""
        return "; ".join(
            filter(
                None,
                [
                    finding.place,
                    "" if self.diagnosis is None else self.diagnosis.role_of(finding.code),
                ],
            )
        )

    def tries_of(self, finding: FindingLine) -> list[str]:
        """What to try for a finding, in words: nothing for what follows from another one, which
        is to be treated in its place.
        """
        if self.diagnosis is None:
            return finding.tries
        return self.diagnosis.tries_for(finding.code) or (
            [] if self.diagnosis.role_of(finding.code) else finding.tries
        )

    @property
    def blind(self) -> str:
        """Why the run has not passed although it could be read; empty where enough rules could
        look.
        """
        looked = self.passed or self.findings
        nobody = (
            "no rule about gradients, activations or learning could look"
            if looked
            else "nothing could be evaluated"
        )
        return "" if self.evaluated or self.unreadable else nobody

    @property
    def file(self) -> str:
        """The path without the run's id."""
        return self.path.partition("#")[0]


def unevaluated(runs: Sequence[CheckedRun]) -> list[Unjudged]:
    """The groups of all runs that could be read, the one with the most rules first."""
    return grouped(
        (reason, code, run.path)
        for run in runs
        if not run.unreadable
        for code, reason in run.not_evaluated.items()
    )


def unevaluated_text(runs: Sequence[CheckedRun]) -> str:
    """The groups as one sentence; empty where every rule could look, or where `asked_in_vain`
    says it all.
    """
    groups, of = unevaluated(runs), sum(not run.unreadable for run in runs)
    if all(
        len([*asked_in_vain(run)]) == len(run.not_evaluated) for run in runs if not run.unreadable
    ):
        return ""
    count = len({code for group in groups for code in group.codes})
    if groups:
        return (
            f"{counted(count, 'rule')} not evaluated: "
            f"{'; '.join(group.text(of) for group in groups)}"
        )
    return ""


def asked_in_vain(run: CheckedRun) -> Iterator[tuple[str, str]]:
    """Code and sentence of every rule that the user asked for, by its code or with --against,
    and that could not be evaluated.
    """
    for code, reason in _reasons(run, run.not_compared):
        yield code, vain_text(code, reason)
    for code, reason in _reasons(run, run.asked):
        if code not in run.not_compared:
            yield code, f"{code} was selected and not evaluated: {reason}"


def vain_text(code: str, reason: str) -> str:
    """A rule that --against or --gate asked for, and why it could not look."""
    return f"{code} was not compared with the {compared_with(code)}: {reason}"


def compared_with(code: str) -> str:
    """What a rule that looks beyond the run compares it with.

    >>> compared_with("R002"), compared_with("M001")
    ('baseline', 'bound')
    """
    return "baseline" if code.startswith("R") else "bound"


def note_lines(run: CheckedRun) -> list[str]:
    """What rules that passed would have found, a line each.

    >>> note_lines(CheckedRun("x.h5", passed=["R002"], notes={"R002": "a rise is seen"}))
    ['R002 passed: a rise is seen']
    """
    return [f"{code} passed: {note}" for code, note in run.notes.items()]


def _reasons(run: CheckedRun, codes: Sequence[str]) -> Iterator[tuple[str, str]]:
    reasons: Mapping[str, str] = {} if run.unreadable else run.not_evaluated
    yield from ((code, reasons[code]) for code in codes if code in reasons)


@dataclass(frozen=True)
class RuleLine:
    """What a format says of a rule that found something or was asked: one line, and the whole
    lesson.
    """

    code: str
    name: str
    severity: Severity
    summary: str
    lesson: str = ""


@dataclass(frozen=True)
class ProjectSettings:
    """What a project file had a say in: its path from the working folder, and the options by
    key.
    """

    path: str
    settings: Mapping[str, Any]

    @property
    def sentence(self) -> str:
        """All of it in words.

        >>> ProjectSettings("../dlprobe.toml", {"ignore": ["G", "L"], "set": {"N001.severity": "info"}, "exit-zero": True}).sentence
        '../dlprobe.toml sets ignore = G, L; set = N001.severity=info; exit-zero = true'
        """  # noqa: E501
        return (
            f"{self.path} sets "
            f"{'; '.join(f'{key} = {_setting_text(value)}' for key, value in self.settings.items())}"  # noqa: E501
        )


def _setting_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_setting_text(entry)}" for name, entry in value.items())
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


@dataclass(frozen=True)
class CheckDocument(Document):
    """A document of `check`: blocks and data for the general formats, and what the formats for CI
    draw.

    rules: by code, those that were asked. fails_on: the severities that make the command exit with
        1. project: what a project file set; every format says it.
    """

    runs: Sequence[CheckedRun] = ()
    rules: Mapping[str, RuleLine] = field(default_factory=dict)
    fails_on: Sequence[Severity] = ("error",)
    version: str = ""
    project: ProjectSettings | None = None


def checked(document: Document) -> CheckDocument:
    """`document` as what `check` made. Raises TypeError for any other: its formats are offered
    for `check` only.
    """
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
    """A remedy in words; of a run that another program trained, the lines of that program, or words
    alone.

    >>> remedy_text({"patch": {"training.lr": "0.01"}, "why": "smaller steps"}), remedy_text({"patch": {}, "why": "smaller steps"})
    ('training.lr = 0.01: smaller steps', 'smaller steps')
    """  # noqa: E501
    change = "; ".join(remedy.get("lines", ())) or patch_text(remedy["patch"])
    return ": ".join(filter(None, [change, remedy["why"]]))
