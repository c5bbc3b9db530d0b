"""What dlprobe says of a run, as the census asks it: whether something is wrong, why, and what
to do first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from dlprobe.experiments.proof import causes_to_prove
from dlprobe.rules import judge
from dlprobe.rules.diagnosis import diagnose
from dlprobe.runs import Run

Patch: TypeAlias = Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """The diagnosis of one run.

    state: learned well, did not learn, …. codes: (code, severity) of its findings, worst first.
        cause: the code that is blamed, empty for none; evidence: in words. undo: what `check
        --prove` undoes, step by step until it cures: the cause alone, then with the next beside it;
        empty for nothing. action: what is advised first,
    None for nothing; actions: all of them.
    """

    state: str
    codes: tuple[tuple[str, str], ...] = ()
    cause: str = ""
    evidence: str = ""
    undo: tuple[Patch, ...] = ()
    action: Patch | None = None
    actions: tuple[Patch, ...] = ()


def answer_of(run: Run) -> Answer:
    """What the diagnosis says."""
    judgement = judge(run)
    found = diagnose(run, judgement, "")
    cause, patches = (
        found.cause,
        [dict(action.remedy.patch) for action in found.actions if action.remedy.patch],
    )
    undo = tuple(dict(each.patch) for each in causes_to_prove(found))
    blamed = cause or next(iter(found.symptoms), None)
    return Answer(
        found.state.name,
        tuple((each.code, str(each.severity)) for each in judgement.findings),
        cause.code if cause else "",
        blamed.evidence if blamed else found.state.reason,
        undo,
        patches[0] if patches else None,
        tuple(patches),
    )
