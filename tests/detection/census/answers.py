"""What dlprobe says of a run, as the census asks it: whether something is wrong, why, and what to do first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dlprobe.analysis.learning.learned import learning, state
from dlprobe.rules import judge
from dlprobe.runs import Run

Patch = Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """One run's answer.

    state: learned well, did not learn, …. codes: (code, severity) of its findings, worst first. cause: the code that is blamed, empty
    for none. action: what is advised first, None for nothing. evidence: the cause in words.
    """

    state: str
    codes: tuple[tuple[str, str], ...] = ()
    cause: str = ""
    action: Patch | None = None
    evidence: str = ""
    remedies: tuple[Patch, ...] = field(default=())

    @property
    def accuses(self) -> bool:
        """Whether an error or a warning was raised."""
        return any(severity != "info" for _, severity in self.codes)


def answer_of(run: Run) -> Answer:
    """The answer to a run: the worst finding is its cause, whose first remedy is the first action."""
    findings = judge(run).findings
    named = [each for each in findings if each.severity != "info"]
    actions = [dict(remedy.patch) for each in named for remedy in each.remedies]
    return Answer(
        state(learning(run), run.status).name,
        tuple((each.code, str(each.severity)) for each in findings),
        named[0].code if named else "",
        actions[0] if actions else None,
        named[0].evidence if named else "",
        tuple(dict(remedy.patch) for remedy in named[0].remedies) if named else (),
    )
