"""A diagnosis in words: the same lines on every screen and in every format."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any

from dlprobe.render.checked import Caused, DiagnosisLine
from dlprobe.render.document import Block, Choice, Choices, Paragraph, Tone, Verdict
from dlprobe.reports.tones import STATE_TONES

if TYPE_CHECKING:
    from dlprobe.rules import Action, Diagnosis, Finding

SEVERITY_TONES: dict[str, Tone] = {"error": "bad", "warning": "warning", "info": "neutral"}
WIDEST_LINE = 98  # characters of a line of the conclusion behind its mark
FEW_LINES = 3  # of a program, that a conclusion shows
MOST_TRIED = 3  # actions of the cause that a screen shows; `prescribe` and JSON have all
PRESCRIBED = 3  # seeds of each change, as `prescribe` trains them by default


def conclusion(diagnosis: Diagnosis) -> list[Block]:
    """The answer in three lines: the state of the run, its cause with one number, and the
    command to type first.
    """
    heads = (
        [diagnosis.cause]
        if diagnosis.cause is not None
        else [*diagnosis.symptoms, *_other_faults(diagnosis), *spoken(diagnosis)][:1]
    )
    # what fails a gate is said before what may have caused it
    if all(finding.severity != "error" for finding in heads):
        heads = [
            *[finding for finding in diagnosis.others if finding.severity == "error"][:1],
            *(heads if diagnosis.cause or diagnosis.symptoms else []),
        ] or heads
    causes: list[Block] = [
        Verdict(brief(finding), SEVERITY_TONES[finding.severity or "info"]) for finding in heads
    ]
    if diagnosis.cause_unknown and not heads:
        causes = [Verdict("cause unknown: no rule that could look explains it", "bad")]
    first = [Choices([_first(action)]) for action in diagnosis.actions[:1]]
    return [*opening(diagnosis), *causes, *first]


def _first(action: Action) -> Choice:
    """The first thing to try as the conclusion shows it: a command, a few lines of a program,
    or words.
    """
    lines = action.remedy.lines if len(action.remedy.lines) <= FEW_LINES else ()
    return Choice(
        "Try", action.command, "" if action.command or lines else action.remedy.why, lines
    )


def brief(finding: Finding, most: int = WIDEST_LINE) -> str:
    """A finding with the first clause of its evidence, which states the number; further ones where
    they do not fit into one line are left out.

    >>> from dlprobe.rules.outcome import Finding
    >>> brief(Finding(1.0, 2.0, "5 of 8 units are dead, from step 3 on; so in 4 steps", code="A001", name="dead-units"), most=60)
    'dead-units (A001): 5 of 8 units are dead, from step 3 on'
    """  # noqa: E501
    clause = re.match(r"(?:\([^()]*\)|;(?! )|[^;])*", finding.evidence)
    name, text = f"{named(finding)}: ", clause[0] if clause else finding.evidence
    if len(name + text) > most:
        text = re.sub(r" \([^()]*\)", "", text)
    while len(name + text) > most and ", " in text:
        text = text.rpartition(", ")[0]
    return name + text


def diagnosis_blocks(diagnosis: Diagnosis, most: int = MOST_TRIED) -> list[Block]:
    """The whole answer: the conclusion, and what is behind it."""
    return [*conclusion(diagnosis), *explained(diagnosis, most)]


def explained(diagnosis: Diagnosis, most: int = MOST_TRIED) -> list[Block]:
    """What is behind a conclusion: the cause with its whole evidence and what follows, what
    else to try, and other faults.
    """
    told = _other_faults(diagnosis) or spoken(diagnosis)
    return [
        *cause_blocks(diagnosis, most, tried=True),
        *(block for finding in told for block in fault_blocks(diagnosis, finding)),
    ]


def opening(diagnosis: Diagnosis) -> list[Block]:
    """The first paragraph: the state of the run with its numbers, and what must be known
    with it.
    """
    return [
        Verdict(diagnosis.sentence, tone_of(diagnosis)),
        *(Paragraph(caveat, below=True) for caveat in diagnosis.caveats),
    ]


def tone_of(diagnosis: Diagnosis) -> Tone:
    """Green only for a run that learned well and has no fault."""
    tone = STATE_TONES[diagnosis.state.name]
    if not diagnosis.trained and diagnosis.cause is not None:
        return SEVERITY_TONES[diagnosis.cause.severity or "info"]
    if tone == "good" and (diagnosis.cause or diagnosis.symptoms or _other_faults(diagnosis)):
        return "warning"
    return tone


def cause_blocks(diagnosis: Diagnosis, most: int = MOST_TRIED, tried: bool = False) -> list[Block]:
    """The causes, or that none is known and what was excluded; what to try. tried: whether the
    first command stands above already.
    """
    heads = (
        list(diagnosis.together or [diagnosis.cause])
        if diagnosis.cause is not None
        else list(diagnosis.symptoms)
    )
    if not heads and not diagnosis.cause_unknown:
        return []
    blocks: list[Block] = [] if diagnosis.cause is not None else unknown_lines(diagnosis)
    blocks += (
        [Verdict(f"{len(diagnosis.together)} causes together:", "neutral", apart=True)]
        if diagnosis.together
        else []
    )
    said = ""
    for finding in heads:
        line = head(finding)
        blocks += (
            [Verdict(line, SEVERITY_TONES[finding.severity or "info"], apart=True)]
            if line != said
            else []
        )
        blocks.append(Paragraph(_sentence(finding.evidence), below=True))
        said = line
    blocks += [Paragraph(told, below=True)] if (told := brings_about(diagnosis)) else []
    codes = {
        "",
        *(finding.code for finding in heads),
        *(action.code for action in diagnosis.actions[:1]),
    }
    actions = [action for action in diagnosis.actions if action.code in codes]
    return [*blocks, *choices(diagnosis, actions, most, tried=tried)]


def unknown_lines(diagnosis: Diagnosis) -> list[Block]:
    """That the cause is not known, and what it is not; nothing where there is nothing to
    explain.
    """
    return [Verdict(unknown_cause(diagnosis), "bad", apart=True)] if diagnosis.cause_unknown else []


def unknown_cause(diagnosis: Diagnosis) -> str:
    """In a sentence."""
    excluded = f"; it is none of {_listed(diagnosis.excluded)}" if diagnosis.excluded else ""
    return f"cause unknown: no rule that could look explains it{excluded}"


def _listed(codes: Sequence[str]) -> str:
    from dlprobe import registry

    names = {record.code: record.title for record in registry.records("rule").values()}
    return ", ".join(f"{names.get(code, code)} ({code})" for code in codes)


def fault_blocks(diagnosis: Diagnosis, finding: Finding) -> list[Block]:
    """Another fault beside the cause."""
    actions = [action for action in diagnosis.actions if action.code == finding.code][:1]
    tone = SEVERITY_TONES[finding.severity or "info"]
    return [
        Verdict(head(finding), tone, apart=True),
        Paragraph(_sentence(finding.evidence), below=True),
        *choices(diagnosis, actions, 1, prescribe=False),
    ]


def choices(
    diagnosis: Diagnosis,
    actions: Sequence[Action],
    most: int,
    prescribe: bool = True,
    tried: bool = False,
) -> list[Block]:
    """What to try, and the command that tries it all. tried: whether the first command stands
    above already, so that only its reason is missing.
    """
    entries = [
        Choice("or" if number else "Try", action.command, action.remedy.why, action.remedy.lines)
        for number, action in enumerate(actions[:most])
    ]
    if tried and entries:
        above = _first(actions[0])
        entries[:1] = (
            [Choice("why", "", entries[0].why)]
            if above.command or above.lines
            else entries[:1]
            if entries[0].lines
            else []
        )
    if prescribe and diagnosis.trained and any(action.command for action in actions):
        entries.append(
            Choice(
                "all",
                f"dlprobe prescribe {quoted(diagnosis.path)}",
                f"trains these and says which one cures it{_duration(diagnosis)}",
            )
        )
    return [Choices(entries)] if entries else []


def _duration(diagnosis: Diagnosis) -> str:
    """How long `prescribe` trains, roughly: this run's time for every change and seed."""
    seconds = diagnosis.seconds * PRESCRIBED * (1 + len(diagnosis.actions))
    if not math.isfinite(seconds):
        return ""
    if seconds < 5:
        return " (some seconds)"
    if seconds < 90:
        return f" (about {float(f'{seconds:.1g}'):.0f} s)"
    return f" (about {max(round(seconds / 60), 2)} min)"


def head(finding: Finding) -> str:
    """`vanishing-gradient (G001), hidden_1 … hidden_12, from step 0`."""
    return ", ".join(filter(None, [named(finding), _layers(finding.layers), _steps(finding.steps)]))


def named(finding: Finding) -> str:
    """`vanishing-gradient (G001)`."""
    return f"{finding.name} ({finding.code})"


def _layers(layers: Sequence[str]) -> str:
    """The layers: from the first to the last where there are many."""
    return ", ".join(layers) if len(layers) < 2 else f"{layers[0]} … {layers[-1]}"


def _steps(steps: Sequence[int]) -> str:
    if not steps:
        return ""
    return f"at step {steps[0]:,}" if steps[0] == steps[-1] else f"from step {steps[0]:,}"


def _sentence(text: str) -> str:
    """Evidence as a sentence; the name of a statistic keeps its first letter."""
    first = text.partition(" ")[0]
    return f"{text[:1].upper() if first.isalpha() else text[:1]}{text[1:]}." if text else ""


def brings_about(diagnosis: Diagnosis) -> str:
    """What follows from the cause; empty for nothing."""
    causes = {
        finding.code for finding in (diagnosis.cause, *diagnosis.together) if finding is not None
    }
    effects = dict.fromkeys(
        named(follow) for follow in diagnosis.follows if follow.code not in causes
    )
    return f"It brings about: {', '.join(effects)}." if effects else ""


def _other_faults(diagnosis: Diagnosis) -> list[Finding]:
    told = [(fault.code, fault.evidence) for fault in diagnosis.together]
    return [
        finding
        for finding in diagnosis.others
        if finding.severity != "info" and (finding.code, finding.evidence) not in told
    ]


def spoken(diagnosis: Diagnosis) -> list[Finding]:
    """Remarks that name something to try, of a run that learned in part and has no fault: they
    are all that there is to say.
    """
    tried = {action.code for action in diagnosis.actions}
    if diagnosis.cause or diagnosis.symptoms or _other_faults(diagnosis):
        return []
    return [info for info in _infos(diagnosis) if info.code in tried]


def remarks(diagnosis: Diagnosis) -> list[Finding]:
    """What is worth knowing, no fault, and not told by itself."""
    told = spoken(diagnosis)
    return [info for info in _infos(diagnosis) if info not in told]


def _infos(diagnosis: Diagnosis) -> list[Finding]:
    return [finding for finding in diagnosis.others if finding.severity == "info"]


def worst_first(diagnoses: Sequence[Diagnosis]) -> list[Diagnosis]:
    """Several runs, the one that learned least first; of those alike the ones with a fault
    before the others.
    """
    order = list(STATE_TONES)
    return sorted(
        diagnoses,
        key=lambda diagnosis: (
            -order.index(diagnosis.state.name),
            diagnosis.cause is None and not diagnosis.symptoms,
        ),
    )


def states_record(diagnoses: Sequence[Diagnosis]) -> dict[str, Any]:
    """Of several runs as data: how many are in which state, and the diagnosis of the one that
    learned least, unless all learned well.
    """
    counts = Counter(diagnosis.state.name for diagnosis in diagnoses)
    worst = (
        diagnoses[0].to_json() if diagnoses and diagnoses[0].state.name != "learned well" else None
    )
    return {"states": dict(counts.most_common()), "diagnosis": worst}


def states_text(diagnoses: Sequence[Diagnosis]) -> str:
    """How many of several runs are in which state, the most frequent first.

    >>> states_text([])
    'no run'
    """
    counts = Counter(diagnosis.state.name for diagnosis in diagnoses)
    runs = "run" if len(diagnoses) == 1 else "runs"
    return (
        ", ".join(
            f"{name} in {count} of {len(diagnoses)} {runs}" for name, count in counts.most_common()
        )
        or "no run"
    )


def diagnosis_line(diagnosis: Diagnosis) -> DiagnosisLine:
    """The diagnosis as the formats for machines draw it."""
    tries = tuple(
        (action.command or "; ".join(action.remedy.lines), action.remedy.why, action.code)
        for action in diagnosis.actions
    )
    cause = (
        None
        if diagnosis.cause is None
        else Caused(
            diagnosis.cause.code,
            brings_about(diagnosis),
            tuple(finding.code for finding in diagnosis.follows),
        )
    )
    return DiagnosisLine(
        diagnosis.sentence,
        diagnosis.state.name,
        tone_of(diagnosis),
        unknown_cause(diagnosis) if diagnosis.cause_unknown else "",
        cause,
        tries,
        diagnosis.caveats,
    )
