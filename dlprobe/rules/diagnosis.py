"""One diagnosis of one run, from which every command takes its words: whether it learned, what
hindered it, what followed, what to try.

`diagnosis_of` is a pure function of what was observed and what the rules said, so that known
findings can be left out, severities graded and runs renamed without opening the run again;
`diagnose` looks at the run first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

import numpy as np

from dlprobe.analysis.learning.reading import learning
from dlprobe.analysis.learning.states import State, state
from dlprobe.config.reading import is_change
from dlprobe.config.records import RunConfig
from dlprobe.config.typed import train_command
from dlprobe.dataclass import dataclass
from dlprobe.record.unjudged import Unjudged, grouped
from dlprobe.rules.agreement import GUARDS
from dlprobe.rules.causes import Place, excluded_causes, ranked
from dlprobe.rules.changes_of_model import plain_settings
from dlprobe.rules.judging import Judgement, judge
from dlprobe.rules.outcome import Finding, Remedy
from dlprobe.rules.owner_code import recurrent_layers
from dlprobe.runs import Run

FAILED = ("diverged", "did not learn", "learned and lost")  # states that have a cause, known or not
TELLS_DATA = {"torch": "rec.data", "keras": "callback.data"}  # by the origin of a run
OPEN = ("did not learn", "learned in part", "too short to tell")  # what more steps may change


PUT_BACK = ("R003",)  # a finding of these rules knows what the run had before it was changed


@dataclass(frozen=True)
class Observed:
    """What a diagnosis takes from the run itself: its state, its layers and last step, and what
    `dlprobe train` would repeat.

    config: None of a run that dlprobe cannot train again. seconds: of training, NaN where they are
        not known. recurrent: some layers work on time steps too, of which the file tells nothing.
    """

    state: State
    place: Place = field(default_factory=Place)
    config: RunConfig | None = None
    caveats: tuple[str, ...] = ()
    seconds: float = math.nan
    recurrent: bool = False


@dataclass(frozen=True)
class Action:
    """Something to try. remedy: the change of the configuration and why, words alone for a run of
    another origin; code: of the finding that names it, empty for plain settings where nothing is
    named; command: what to type, empty where there is nothing that dlprobe could train.
    """

    remedy: Remedy
    code: str
    command: str = ""

    def to_json(self) -> dict[str, Any]:
        """The action as data."""
        return {**self.remedy.to_json(), "code": self.code, "command": self.command or None}


@dataclass(frozen=True)
class Diagnosis:
    """What is to be said of one run.

    path: of the run, with `#id` in a study, empty where it has no file that could be named. cause:
        the error or warning furthest upstream; None where there is none, or where all that was
        found only says again how the run ended (`symptoms`, e.g. not-learning). follows: what the
        cause brings about, of the same layers and time. others: everything else. excluded: where a
        run failed without a cause, codes of the rules that looked for one and passed.
    seconds: that the run was trained for, NaN where that is not known. together: where several
        causes stand beside each other, those that the first action undoes at once, the top one
        first, each with the only remedy that it contributes; empty for one.
    """

    path: str
    state: State
    cause: Finding | None = None
    follows: tuple[Finding, ...] = ()
    symptoms: tuple[Finding, ...] = ()
    others: tuple[Finding, ...] = ()
    actions: tuple[Action, ...] = ()
    caveats: tuple[str, ...] = ()
    not_evaluated: tuple[Unjudged, ...] = ()
    passed: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    seconds: float = math.nan
    together: tuple[Finding, ...] = ()

    @property
    def sentence(self) -> str:
        """`mine.h5: did not learn: error 84.1 % …`: what every command says first."""
        return f"{self.path}: {self.state.sentence}" if self.path else self.state.sentence

    @property
    def failed(self) -> bool:
        """Whether the run did not learn, or lost what it had learned."""
        return self.state.name in FAILED

    @property
    def trained(self) -> bool:
        """False of a configuration that is judged before it is trained: there is no run to go
        on with.
        """
        return self.state.name != "before training"

    @property
    def cause_unknown(self) -> bool:
        """Whether the run failed and nothing says why."""
        return self.failed and self.cause is None

    def to_json(self) -> dict[str, Any]:
        """The diagnosis as data; findings but the cause by their codes."""
        return {
            "state": self.state.name,
            "reason": self.state.reason,
            "cause": None if self.cause is None else self.cause.to_json(),
            "cause_unknown": self.cause_unknown,
            "together": [
                {
                    "code": finding.code,
                    "name": finding.name,
                    "evidence": finding.evidence,
                    **finding.remedies[0].to_json(),
                }
                for finding in self.together
            ],
            "excluded": list(self.excluded),
            **{
                name: [finding.code for finding in getattr(self, name)]
                for name in ("follows", "symptoms", "others")
            },
            "actions": [action.to_json() for action in self.actions],
            "caveats": list(self.caveats),
            "not_evaluated": [group.to_json() for group in self.not_evaluated],
        }


def diagnose(run: Run, judgement: Judgement, path: str) -> Diagnosis:
    """The diagnosis of an open run that was judged. Raises RunFileError where the file is
    damaged.
    """
    return diagnosis_of(observed(run), judgement, path)


@dataclass(frozen=True)
class Examined:
    """A run of a study that was looked at while it was open, to be named and spoken of later.
    judgement: None of one that learned well, whose faults, if it has any, are not what a study is
    about.
    """

    seen: Observed
    judgement: Judgement | None = None

    def diagnosis(self, path: str, typed: bool = True) -> Diagnosis:
        """What is to be said of it. path: what it is called; typed: whether that can be typed
        where a run is asked for.
        """
        seen = self.seen if typed else replace(self.seen, config=None)
        return diagnosis_of(seen, self.judgement or Judgement(), path)


def examine(run: Run) -> Examined:
    """Look at an open run; judge it unless it learned well. Raises RunFileError where the file
    is damaged.
    """
    seen = observed(run)
    return Examined(seen, None if seen.state.name == "learned well" else judge(run))


def observed(run: Run) -> Observed:
    """What a diagnosis takes of the run. Raises RunFileError where the file is damaged."""
    place = Place(
        tuple(str(name) for name in run.layers.names),
        int(run.steps[-1]) if len(run.steps) else None,
    )
    recurrent, reached = bool(recurrent_layers(run)), state_of(run)
    return Observed(
        reached, place, run.configuration, _caveats(run, reached), _seconds(run), recurrent
    )


def state_of(run: Run) -> State:
    """The state of a run at its end. One that was stopped is *interrupted* where more steps may
    have led to something else.
    """
    reached = state(learning(run), run.status)
    if run.status != "interrupted":
        return reached
    stopped = f"stopped after {_steps(run):,} step{'' if _steps(run) == 1 else 's'}"
    if reached.name in OPEN:
        return State("interrupted", f"{stopped}; {reached.reason}")
    return State(reached.name, f"{reached.reason}; {stopped}")


def _steps(run: Run) -> int:
    return int(run.final.get("steps_done", int(run.steps[-1]) + 1 if len(run.steps) else 0))


def _caveats(run: Run, reached: State) -> tuple[str, ...]:
    told = []
    if reached.name == "not evaluated" and "task" not in run.data and run.origin in TELLS_DATA:
        told.append(
            "whether it learned can be judged where the recorder is told of the data before "
            f"training: {TELLS_DATA[run.origin]}(x_train, y_train, x_val, y_val) keeps sizes and "
            "class counts, not the data"
        )
    if run.status == "running":
        told.append("the run is still being written: this is what it has so far")
    if run.damage:
        told.append(f"the file is damaged: {run.damage}")
    if recurrent := recurrent_layers(run):
        told.append(
            f"what {', '.join(recurrent)} does from one time step to the next is not recorded: "
            "error signals that vanish or explode there are not seen"
        )
    return tuple(told)


def _seconds(run: Run) -> float:
    """Seconds of training: the typical time of a step times the steps."""
    taken = run.timing.get("step_seconds", ())
    return float(np.median(taken)) * _steps(run) if len(taken) else math.nan


def diagnosis_of(seen: Observed, judgement: Judgement, path: str) -> Diagnosis:
    """The diagnosis that an observed run and a judgement make."""
    faults = [finding for finding in judgement.findings if finding.severity != "info"]
    causes, symptoms = ranked(faults, seen.place)
    cause = causes[0] if causes else None
    follows = (
        ()
        if cause is None
        else tuple(
            fired
            for fired in judgement.findings
            if fired is not cause and seen.place.explains(cause, fired)
        )
    )
    told = [*follows, *(symptoms if cause is None else ()), *([] if cause is None else [cause])]
    others = tuple(fired for fired in judgement.findings if not any(fired is one for one in told))
    failed = seen.state.name in FAILED
    remarks = (
        [fired for fired in judgement.findings if fired.severity == "info"]
        if seen.state.name == "learned in part"
        else []
    )
    wanting = failed or seen.state.name == "learned in part"
    guards = [fired for fired in judgement.findings if fired.code in GUARDS and causes]
    together = undone_together([*causes, *guards], seen.config) if wanting else []
    undone = _undone_already(others, together)
    follows = (*follows, *undone)
    others = tuple(other for other in others if not any(other is one for one in undone))
    back = actions_of(
        [fired for fired in judgement.findings if fired.code in PUT_BACK], seen.config, path
    )
    actions = _first_together(
        together, actions_of([*causes, *symptoms] or remarks, seen.config, path), seen.config, path
    )
    actions = (
        *back,
        *(
            action
            for action in actions
            if not any(action.remedy.patch == one.remedy.patch for one in back)
        ),
    )
    plain = (
        plain_settings(seen.config) if wanting and not actions and seen.config is not None else None
    )
    return Diagnosis(
        path,
        seen.state,
        cause,
        follows,
        tuple(symptoms) if cause is None else (),
        others,
        actions if plain is None else (_action(plain, "", seen.config, path),),
        seen.caveats,
        tuple(grouped((reason, code, "") for code, reason in judgement.not_evaluated.items())),
        judgement.passed,
        excluded_causes(judgement.passed, seen.recurrent) if failed and cause is None else (),
        seen.seconds,
        tuple(together) if len(together) > 1 else (),
    )


def _undone_already(others: Sequence[Finding], together: Sequence[Finding]) -> list[Finding]:
    """Findings that say of another cause's option what it has cost: with the causes undone
    nothing is left to change for them.
    """
    if len(together) < 2:
        return []
    patch, codes = joined(together).patch, {cause.code for cause in together}
    beside = [
        other
        for other in others
        if other.code in codes and not any(other is cause for cause in together)
    ]
    return [
        fault
        for fault in beside
        if fault.remedies
        and fault.remedies[0].patch
        and fault.remedies[0].patch.items() <= patch.items()
    ]


def _first_together(
    together: Sequence[Finding], actions: tuple[Action, ...], config: RunConfig | None, path: str
) -> tuple[Action, ...]:
    """The actions, and before them what undoes several causes at once."""
    if len(together) > 1:
        return (_action(joined(together), together[0].code, config, path), *actions)
    return actions


def actions_of(
    findings: Iterable[Finding], config: RunConfig | None, path: str
) -> tuple[Action, ...]:
    """What the findings name, in their order, each change once, and none that undoes what a
    finding further upstream asks for.
    """
    actions: list[Action] = []
    for finding in findings:
        patches = [action.remedy.patch for action in actions]
        for remedy in finding.remedies:
            if not _known(remedy, actions) and not _undoes(remedy.patch, patches):
                actions.append(_action(remedy, finding.code, config, path))
    return tuple(actions)


def _action(remedy: Remedy, code: str, config: RunConfig | None, path: str) -> Action:
    return Action(
        remedy,
        code,
        train_command(path, config, remedy.patch)
        if config is not None and path and remedy.patch
        else "",
    )


def undone_together(causes: Sequence[Finding], config: RunConfig | None) -> list[Finding]:
    """The causes that can be undone at once, the top one first: each with its first remedy that
    leaves alone what those before it set; the only remedy of each is what to undo. Empty where the
    configuration is not known.
    """
    chosen: list[Finding] = []
    patch: dict[str, str] = {}
    if config is None:
        return chosen
    for cause in causes:
        fitting = (
            remedy
            for remedy in cause.remedies
            if remedy.patch
            and not _undoes(remedy.patch, [patch])
            and is_change(config, {**patch, **remedy.patch})
        )
        remedy = next(fitting, None)
        if remedy is not None and not remedy.patch.items() <= patch.items():
            chosen.append(replace(cause, remedies=(remedy,)))
            patch |= remedy.patch
    return chosen


def joined(causes: Sequence[Finding]) -> Remedy:
    """The remedies of `undone_together` as one."""
    remedies = [cause.remedies[0] for cause in causes]
    patch = {key: value for remedy in remedies for key, value in remedy.patch.items()}
    return Remedy(patch, "; ".join(remedy.why for remedy in remedies))


def _known(remedy: Remedy, actions: Sequence[Action]) -> bool:
    same = (action.remedy for action in actions)
    return any(
        other.patch == remedy.patch if remedy.patch else other.why == remedy.why for other in same
    )


def _undoes(patch: Mapping[str, str], patches: Sequence[Mapping[str, str]]) -> bool:
    """Whether a change sets a key that an earlier finding wants set to something else."""
    return any(
        key in other and other[key] != value for other in patches for key, value in patch.items()
    )
