"""Judging files: every run in them by every chosen rule; a file that cannot be read is an
outcome too and stops nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from dlprobe.analysis.comparing.baseline import BaselineComparison
from dlprobe.analysis.comparing.bounds import bounds_of
from dlprobe.config import to_mapping
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError, RunFileError
from dlprobe.record.description import OWN, known_facts, layer_columns
from dlprobe.registry import Value, unknown
from dlprobe.rules.advice import Advice, advise
from dlprobe.rules.diagnosis import Diagnosis, Observed, diagnosis_of, observed
from dlprobe.rules.judging import Judgement, Selection, judge, matching, read_settings
from dlprobe.rules.outcome import SEVERITIES, Severity, in_order, worst
from dlprobe.rules.rule import Rule
from dlprobe.rules.untrained import Start
from dlprobe.runs import Run, Study, open_run
from dlprobe.runs.reading import reading

COMPARING = "R"  # codes of the rules that compare with a numbers baseline
BOUND = "M001"  # the rule that holds the bounds of --gate against the run
# codes of the rules that can tell whether a net works: gradients, activations, learning
TELLING = ("G", "A", "L")
# what repetitions of one configuration may differ in
SEED_KEYS = {
    ("training", "seed"),
    ("data", "data_seed"),
    ("training", "threads"),
    ("facts", "seed"),
}


@dataclass(frozen=True)
class Criteria:
    """By what runs are judged: which rules, thresholds by code, severities by code in place of the
    rules' own; and whether runs are laid beside the practical guidelines too.
    """

    selection: Selection = field(default_factory=Selection)
    settings: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    severities: Mapping[str, Severity] = field(default_factory=dict)
    advise: bool = False

    def advice(self, path: Path, run: Run) -> tuple[Advice, ...]:
        """The run beside the guidelines, where that is asked for."""
        return advise(run, path, self.settings) if self.advise else ()

    def judge(self, run: Run, comparison: BaselineComparison | None = None) -> Judgement:
        """Judge one run. Raises RunFileError where the file is damaged."""
        return self.graded(judge(run, self.selection, self.settings, comparison))

    def restricted(self, codes: Sequence[str]) -> Criteria:
        """The criteria, for those of the chosen rules only."""
        others = tuple(rule.code for rule in self.selection.rules if rule.code not in codes)
        return replace(
            self, selection=replace(self.selection, ignore=(*self.selection.ignore, *others))
        )

    def graded(self, judgement: Judgement) -> Judgement:
        """The judgement with the severities that were asked for."""
        findings = (
            replace(finding, severity=self.severities.get(finding.code, finding.severity))
            for finding in judgement.findings
        )
        return replace(judgement, findings=in_order(findings))

    @property
    def asked(self) -> tuple[str, ...]:
        """Codes of the rules that were selected one by one."""
        return tuple(
            code
            for text in self.selection.select
            if len(codes := matching(text)) == 1
            for code in codes
        )

    def severity(self, rule: Rule) -> Severity:
        """The severity of a rule's findings."""
        return self.severities.get(rule.code, rule.severity)


@dataclass(frozen=True)
class JudgedRun:
    """One run and what was said of it. path: the file as given, with `#id` for a run of a study;
    configuration: the same for repetitions of one configuration with other seeds; unreadable: why
    it could not be judged; known: findings that a baseline knows and that were left out;
    group: this is no run but the comparison of several with their baseline; advice: what guidelines
        say of it, where they were asked; against: whether a numbers baseline was given; seen: what
        the diagnosis takes of the run itself, None where there is no single run; named: the path is
        no file's;
    start: of a configuration that is judged before it is trained, what its first steps show; study,
        place: of a run of a study its file and coordinates.
    """

    path: str
    judgement: Judgement
    configuration: str = ""
    unreadable: str = ""
    known: int = 0
    group: bool = False
    advice: tuple[Advice, ...] = ()
    against: bool = False
    seen: Observed | None = None
    named: bool = False
    start: Start | None = None
    study: str = ""
    place: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def diagnosis(self) -> Diagnosis | None:
        """What is to be said of the run, known findings left out; None where there is no single
        run, or it could not be read.
        """
        if self.seen is None:
            return None
        return diagnosis_of(
            replace(self.seen, config=None) if self.named else self.seen, self.judgement, self.path
        )

    @property
    def evaluated(self) -> bool:
        """Whether a rule could look, and one about gradients, activations or learning where any of
        those was asked, or something was found that is more than a remark; a run of which nothing
        was asked has nothing to miss.
        """
        judgement = self.judgement
        if (
            self.known
            or worst(judgement.findings) in ("error", "warning")
            or not judgement.not_evaluated
        ):
            return True
        looked = {*judgement.passed, *(finding.code for finding in judgement.findings)}
        telling = {code for code in {*looked, *judgement.not_evaluated} if code[0] in TELLING}
        return bool(looked & telling if telling else looked)

    @property
    def not_compared(self) -> tuple[str, ...]:
        """Codes of the rules that a numbers baseline or a bound asked for in vain."""
        comparing = (COMPARING,) if self.against else ()
        if self.unreadable:
            return ()
        return tuple(
            code for code in self.judgement.not_evaluated if code[0] in comparing or code == BOUND
        )


def criteria(
    select: Sequence[str],
    ignore: Sequence[str],
    settings: Mapping[str, Mapping[str, Any]],
    gate: Sequence[str] = (),
) -> Criteria:
    """What texts mean: codes or prefixes, by code thresholds by name or `severity`, and bounds.
    Raises ConfigError.
    """
    bounded = gate or settings.get(BOUND, {}).get("bounds")
    if bounded:
        told = [*gate, *filter(None, [settings.get(BOUND, {}).get("bounds")])]
        bounds_of(told)  # what is no bound is said before any run is read
        settings = {**settings, BOUND: {**settings.get(BOUND, {}), "bounds": "; ".join(told)}}
        if any(BOUND in matching(text) for text in ignore):
            raise ConfigError(
                f"--gate is judged by {BOUND}, which --ignore takes away: leave one of the two out"
            )
    graded = {
        code: str(table["severity"]) for code, table in settings.items() if "severity" in table
    }
    thresholds = {
        code: {name: value for name, value in table.items() if name != "severity"}
        for code, table in settings.items()
    }
    severities = {
        code: severity
        for codes, text in graded.items()
        for code, severity in _severities(codes, text).items()
    }
    chosen = Criteria(
        Selection(tuple(select), tuple(ignore), (BOUND,) if bounded else ()),
        read_settings(
            {code: table for code, table in thresholds.items() if table or code not in graded}
        ),
        severities,
    )
    if not chosen.selection.rules:
        raise ConfigError("no rule is left: --ignore takes away everything that --select names")
    return chosen


def _severities(codes: str, text: str) -> dict[str, Severity]:
    named = next((severity for severity in SEVERITIES if severity == text), None)
    if named is None:
        raise ConfigError(unknown("severity", text[:60], SEVERITIES))
    return dict.fromkeys(matching(codes), named)


def judged_files(paths: Sequence[Path], criteria: Criteria) -> Iterator[JudgedRun]:
    """Every run of every file in order; a folder means the run files in it. What cannot be read
    comes as a run whose rules were not evaluated.
    """

    def look(path: str, run: Run) -> JudgedRun:
        return JudgedRun(
            path,
            criteria.judge(run),
            configuration_of(run),
            advice=criteria.advice(Path(path), run),
            seen=observed(run),
        )

    return walked(paths, criteria, look)


def walked(
    paths: Sequence[Path], criteria: Criteria, look: Callable[[str, Run], JudgedRun]
) -> Iterator[JudgedRun]:
    """What `look` says of every run of every file; what cannot be read, a file or one run of a
    study, comes as a run whose rules were not evaluated.
    """
    for path in paths:
        try:
            for where, opened in each_run(path):
                yield _looked(path, where, opened, criteria, look)
        except RunFileError as error:
            yield _unreadable(str(path), error, criteria)


def _looked(
    path: Path,
    where: str,
    opened: Callable[[], Run],
    criteria: Criteria,
    look: Callable[[str, Run], JudgedRun],
) -> JudgedRun:
    try:
        with reading(path):
            run = opened()
            return replace(
                look(where, run),
                study=str(path) if where != str(path) else "",
                place=run.coordinates,
            )
    except RunFileError as error:
        return _unreadable(where, error, criteria)


def _unreadable(where: str, error: RunFileError, criteria: Criteria) -> JudgedRun:
    return unjudged(where, str(error), criteria)


def unjudged(where: str, why: str, criteria: Criteria) -> JudgedRun:
    """What cannot be judged at all."""
    reasons = dict.fromkeys((rule.code for rule in criteria.selection.rules), why)
    return JudgedRun(where, Judgement(not_evaluated=reasons), unreadable=why)


def each_run(path: Path) -> Iterator[tuple[str, Callable[[], Run]]]:
    """What is called what, and how it is opened: the run of a file, or every run of a study as
    `file#id`.

    Raises RunFileError, as opening does too: also for a run without a recorded step, of which
    nothing can be said.
    """
    with reading(path), open_run(path) as opened:
        if isinstance(opened, Run):
            yield str(path), partial(begun, opened, str(path))
            return
        if not opened.runs:
            raise RunFileError(f"{path} is a study without a run: train one, or give another file")
        for id in opened.runs:
            yield f"{path}#{id}", partial(_opened, opened, id, f"{path}#{id}")


def _opened(study: Study, id: str, where: str) -> Run:
    return begun(study.member(id), where)


def begun(run: Run, where: str) -> Run:
    """The run. Raises RunFileError where it has no recorded step yet, or was stopped before its
    first.
    """
    if len(run.steps):
        return run
    then = "wait until it has one" if run.status == "running" else "train it again"
    raise RunFileError(
        f"{where} holds no recorded step (its status is {run.status}), so there is nothing to "
        f"judge or compare: {then}"
    )


def run_files(paths: Sequence[Path]) -> list[Path]:
    """The files that are meant: a folder stands for the run files in it, in the order of names.
    Raises RunFileError for a folder without any.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        inside = sorted(
            {
                *path.glob("*.h5"),
                *(journal.with_suffix("") for journal in path.glob("*.h5.journal")),
            }
        )
        if not inside:
            raise RunFileError(
                f"{path} is a folder without run files: expected files that end in .h5"
            )
        files += inside
    return files


def configuration_of(run: Run) -> str:
    """What two runs share that repeat one configuration with other seeds: the configuration
    without seeds, threads and recording, as a text.
    """
    tables = {
        table: values for table, values in whole_configuration(run).items() if table != "recording"
    }
    return json.dumps(
        {table: _without_seeds(table, values) for table, values in tables.items()}, sort_keys=True
    )


def whole_configuration(run: Run) -> dict[str, Any]:
    """The configuration with every default filled in, so that runs of older versions compare; as it
    stands where this dlprobe cannot read it.

    Of a run of another origin what is known in its place: origin, facts and layers.
    """
    if run.configuration is not None:
        return to_mapping(run.configuration)
    if run.origin == OWN:
        return run.config
    layers = {
        name: list(column)
        for name, column in layer_columns(run.layer_facts).items()
        if not name.endswith("_offset")
    }
    return {"origin": run.origin, "facts": known_facts(run.facts), "layers": layers}


def _without_seeds(table: str, values: Any) -> Any:
    if isinstance(values, Mapping):
        return {key: value for key, value in values.items() if (table, key) not in SEED_KEYS}
    return values
