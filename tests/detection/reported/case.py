"""What a reported case is, and what makes an answer about it right or wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

WELL, PART, NOT, LOST, DIVERGED, SHORT = (
    "learned well",
    "learned in part",
    "did not learn",
    "learned and lost",
    "diverged",
    "too short to tell",
)
STATES = (WELL, PART, NOT, LOST, DIVERGED, SHORT)
ANYTHING = (
    "A",
    "B",
    "D",
    "G",
    "L",
    "N",
    "W",
)  # no error and no warning at all; R compares with baselines and has none here
States: TypeAlias = str | tuple[str, ...]

ONE_SPLIT = {
    "data_seed": "0"
}  # what is reachable belongs to the data: seeds differ in weights and batches alone

NAMED = {  # kinds that had no code when the cases were written: the code that names each
    "target-scale": "D006",  # targets far from unit size reach the loss
    "miscalibrated": "L007",  # classes are right, probabilities are far off
    "plateau": "L008",  # the loss stands still above what the rows of the table allow
    "nothing-to-learn": "B005",  # the training part is learned by heart, new samples are at chance
    "lost": "L009",  # what had been learned was lost
    # the loss rose far above its start in the first steps, then recovered
    "early-instability": "L010",
    "late-instability": "L011",  # the loss rose again by orders of magnitude after it had converged
    "stopped-early": "L012",  # early stopping ended a run that was still to learn
    "tapering": "A008",  # layers that are too many and too narrow for what passes through
}


@dataclass(frozen=True)
class Reported:
    """A configuration and the right answer.

    kind: what it is about. family: cases on the same data, whose best is what can be reached.
    options: as on the command line. ill: which half it is in. states: what may be said to have come
    of it; more than one where seeds differ, or where one run cannot know. cause: the options that
    are at fault, any of `a|b`; `data` where it is none; empty for a healthy case. cure: options
    that undo it. must: codes or names of NAMED, each of which has to be raised at any severity;
    `A|B` is either. must_not: codes, or what they begin with, that must not be raised as error or
    warning, but for those in `may`. why: a source, or arithmetic. label: the outcome where it is
    known by construction, as in the benchmark's cases.
    """

    name: str
    kind: str
    family: str
    options: Mapping[str, str]
    ill: bool
    states: tuple[str, ...]
    why: str
    cause: str = ""
    cure: Mapping[str, str] = field(default_factory=dict)
    must: tuple[str, ...] = ()
    must_not: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    label: str = ""

    @property
    def cured(self) -> Reported:
        """The same with the cause undone, and nothing else."""
        return Reported(
            f"{self.name}-cured",
            self.kind,
            self.family,
            {**self.options, **self.cure},
            False,
            (WELL,),
            f"{self.cause} undone",
        )


@dataclass(frozen=True)
class Answer:
    """What was said of a run.

    state: one of STATES. blamed: the options that its findings would change, None where that is not
    said. codes: (code, severity) of its findings.
    """

    state: str
    blamed: frozenset[str] | None
    codes: tuple[tuple[str, str], ...]


def faults(case: Reported, answer: Answer) -> list[str]:
    """What is wrong with an answer, one line each; empty for a right one."""
    found = []
    if answer.state not in case.states:
        found.append(f"state {answer.state}, right is {' or '.join(case.states)}")
    raised = {code for code, _ in answer.codes}
    found += [
        f"{wanted} is silent"
        for wanted in case.must
        if not raised & {NAMED.get(code, code) for code in wanted.split("|")}
    ]
    accused = {
        code
        for code, severity in answer.codes
        if severity != "info" and code.startswith(case.must_not or ("-",)) and code not in case.may
    }
    found += [f"{code} accuses" for code in sorted(accused)]
    if (
        case.cause
        and answer.blamed is not None
        and case.cause != "data"
        and not answer.blamed & set(case.cause.split("|"))
    ):
        found.append(f"{case.cause} is not what is changed")
    return found


@dataclass
class Table:
    """Collects cases of one kind on one family of data."""

    kind: str
    family: str
    base: Mapping[str, str]
    cases: list[Reported] = field(default_factory=list)

    def ill(
        self,
        name: str,
        states: States,
        cause: str,
        cure: Mapping[str, str],
        why: str,
        must: str = "",
        must_not: str = "",
        **options: str,
    ) -> None:
        """A case with a fault. Codes are separated by blanks; `label="ill"` is no option but
        the outcome by construction.
        """
        self._add(
            name,
            True,
            states,
            why,
            options,
            cause=cause,
            cure=cure,
            must=_words(must),
            must_not=_words(must_not),
        )

    def healthy(
        self,
        name: str,
        why: str,
        states: States = WELL,
        must: str = "",
        may: str = "",
        **options: str,
    ) -> None:
        """A case without one: nothing accuses it but what it `may` be told."""
        self._add(
            name, False, states, why, options, must=_words(must), must_not=ANYTHING, may=_words(may)
        )

    def _add(
        self, name: str, ill: bool, states: States, why: str, options: dict[str, str], **rest: Any
    ) -> None:
        label = options.pop("label", "")
        allowed = (states,) if isinstance(states, str) else states
        self.cases.append(
            Reported(
                name,
                self.kind,
                self.family,
                {**ONE_SPLIT, **self.base, **options},
                ill,
                allowed,
                why,
                label=label,
                **rest,
            )
        )


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())
