"""What `check` says: findings run by run, what several runs of one configuration have in common, counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dlprobe.render.checked import (
    SCHEMA,
    SEVERITIES,
    TOO_SHORT,
    CheckDocument,
    CheckedRun,
    FindingLine,
    ProjectSettings,
    RuleLine,
    Severity,
    asked_in_vain,
    note_lines,
    unevaluated,
    unevaluated_text,
)
from dlprobe.render.document import Block, Bullets, Cell, Column, Heading, Hint, Paragraph, Table, Tone, Toned, Verdict

if TYPE_CHECKING:
    from dlprobe.rules import Finding
    from dlprobe.rules.files import Criteria, JudgedRun

COUNTS_SCHEMA = "dlprobe-check-counts/1"
TONES: dict[str, Tone] = {"error": "bad", "warning": "warning", "info": "neutral"}


@dataclass(frozen=True)
class RuleCount:
    """How often a rule fired among the runs that it could be evaluated on. low, high: 95 % interval of the share. configuration: 0 for all runs.

    of: whether runs are counted, or comparisons of several runs with their baseline.
    """

    code: str
    name: str
    severity: Severity
    fired: int
    evaluated: int
    low: float
    high: float
    configuration: int = 0
    of: Literal["runs", "comparisons"] = "runs"


def check_document(
    judged: Sequence[JudgedRun],
    criteria: Criteria,
    counts: Sequence[RuleCount],
    *,
    exit_code: int,
    fails_on: Sequence[Severity],
    counted: bool = False,
    version: str = "",
    project: ProjectSettings | None = None,
) -> CheckDocument:
    """The whole answer. counts: of the configurations with several runs; with `counted`, of all runs, and then they are all that is shown."""
    runs = [checked_run(each, criteria.asked) for each in judged]
    silent = [group.to_json() for group in unevaluated(runs)]
    data: dict[str, Any] = {"schema": SCHEMA, "runs": [_run_data(each, criteria) for each in judged], "not_evaluated": silent, "exit_code": exit_code}
    blocks = [_count_table(counts, ""), *_silence(runs)] if counted else _blocks(judged, runs, counts)
    if counted:
        listed = [_count_data(each) for each in counts]
        data = {"schema": COUNTS_SCHEMA, "runs": len(judged), "counts": listed, "not_evaluated": silent, "exit_code": exit_code}
    rules = {rule.code: RuleLine(rule.code, rule.title, criteria.severity(rule), rule.summary, rule.lesson.strip()) for rule in criteria.selection.rules}
    data |= {"project_file": None if project is None else {"path": project.path, "settings": project.settings}}
    blocks = [*([] if project is None else [Paragraph(project.sentence)]), *blocks]
    title = judged[0].path if len(judged) == 1 else _runs(judged)
    return CheckDocument(f"check {title}", blocks, data, runs=runs, rules=rules, fails_on=fails_on, version=version, project=project)


def _run_data(judged: JudgedRun, criteria: Criteria) -> dict[str, Any]:
    data = {"path": judged.path, **judged.judgement.to_json(), "not_compared": list(judged.not_compared)}
    return {**data, "advice": [line.to_json() for line in judged.advice]} if criteria.advise else data


def checked_run(judged: JudgedRun, asked: Sequence[str] = ()) -> CheckedRun:
    """A judged run as formats draw it. asked: codes that were selected by name."""
    judgement = judged.judgement
    lines = [finding_line(finding) for finding in judgement.findings]
    return CheckedRun(
        judged.path, lines, judgement.passed, judgement.not_evaluated, judged.unreadable, judged.evaluated, judged.not_compared, asked, judgement.notes
    )


def finding_line(finding: Finding) -> FindingLine:
    """A finding as formats draw it."""
    found = finding.to_json()
    remedies = tuple(found.pop("remedies"))
    return FindingLine(**found, remedies=remedies)


def unevaluated_lines(judged: JudgedRun, asked: Sequence[str]) -> list[str]:
    """What could not be looked at of one run, line by line; asked: codes that were selected by name."""
    run = checked_run(judged, asked)
    return [text for text in (*(sentence for _, sentence in asked_in_vain(run)), unevaluated_text([run])) if text]


def _silence(runs: Sequence[CheckedRun]) -> list[Block]:
    """What could not be looked at: what was asked for in vain line by line, all of it in one sentence."""
    several = len(runs) > 1
    asked: list[Block] = [
        Verdict(f"{run.path}: {sentence}" if several else sentence, "bad" if code in run.not_compared else "warning")
        for run in runs
        for code, sentence in asked_in_vain(run)
    ]
    told = unevaluated_text(runs)
    return [*asked, *([Paragraph(told)] if told else [])]


def _blocks(judged: Sequence[JudgedRun], runs: Sequence[CheckedRun], counts: Sequence[RuleCount]) -> list[Block]:
    several = len(judged) > 1
    blocks: list[Block] = []
    for each, run in zip(judged, runs, strict=True):
        if several and run.findings:
            blocks.append(Heading(run.path, 2))
        blocks += [block for finding in run.findings for block in finding_blocks(finding)]
        asked = run.passed or run.not_evaluated  # of repetitions, some rules judge the group only
        if asked and (not run.findings or (run.passed and not several)):
            blocks.append(_summary_of(run, several))
        blocks += [Paragraph(f"{run.path}: {note}" if several else note) for note in note_lines(run)]
        blocks += [_advice_table(each)] if each.advice else []
    blocks += _silence(runs)
    if counts:
        blocks.append(_count_table(counts, "Runs of one configuration with other seeds: in how many each rule fired, with a 95 % interval."))
    blocks.append(_total(judged))
    codes = Counter(finding.code for each in judged for finding in each.judgement.findings)
    return blocks + ([Hint(f"dlprobe explain {_first_code(judged, codes)}")] if codes else [])


def _advice_table(judged: JudgedRun) -> Table:
    """A run beside the practical guidelines, line by line."""
    columns = [Column("guideline"), Column("this run has"), Column("what the run shows"), Column("worth changing?")]
    tones: dict[str, Tone] = {"yes": "warning", "no": "good", "no evidence": "neutral"}
    rows: list[list[Cell]] = [
        [f"{line.guideline}", f"{line.has}{' ✓' if line.followed else ''}", line.shows, Toned(line.worth_changing, tones[line.worth_changing])]
        for line in judged.advice
    ]
    return Table(columns, rows, f"{judged.path} beside the practical guidelines (dlprobe new --preset guidelines writes them; ✓: followed).")


def _first_code(judged: Sequence[JudgedRun], codes: Mapping[str, int]) -> str:
    """The code to read about first: of the worst severity, the most frequent."""
    severities = {finding.code: SEVERITIES.index(finding.severity or "info") for each in judged for finding in each.judgement.findings}
    return min(codes, key=lambda code: (severities[code], -codes[code], code))


def finding_blocks(finding: FindingLine) -> list[Block]:
    """A finding: what, where, and what to try."""
    details = "; ".join(filter(None, [finding.place, finding.numbers]))
    line = Verdict(f"{finding.code} {finding.name} ({finding.severity}): {finding.evidence}", TONES[finding.severity])
    return [line, Bullets([*filter(None, [details]), *finding.tries])]


def _summary_of(run: CheckedRun, named: bool) -> Verdict:
    """One line on what a run passed and what could not be asked of it."""
    where = f"{run.path}: " if named else ""
    if run.unreadable:
        return Verdict(f"{where}cannot be judged", "bad")
    missing = f"; {len(run.not_evaluated)} not evaluated" if named and run.not_evaluated else ""  # of one run, the sentence behind it says so
    if run.blind:
        return Verdict(f"{where}{run.blind}{missing}", "bad")
    short = any(reason.startswith(TOO_SHORT) for reason in run.not_evaluated.values())
    return Verdict(f"{where}{_rules(len(run.passed))} passed{missing}", "neutral" if run.findings or short or run.not_compared else "good")


def _rules(count: int) -> str:
    return f"{count} rule{'' if count == 1 else 's'}"


def _total(judged: Sequence[JudgedRun]) -> Paragraph:
    """How much was found, in one line."""
    found = Counter(finding.severity for each in judged for finding in each.judgement.findings)
    told = ", ".join(f"{found[severity]} {severity}{'' if found[severity] == 1 or severity == 'info' else 's'}" for severity in SEVERITIES if found[severity])
    known = sum(each.known for each in judged)
    left_out = f"; {known} known from the baseline left out" if known else ""
    could = [each for each in judged if not each.unreadable]
    lost = f"; {len(judged) - len(could)} of {_runs(judged)} could not be judged" if len(could) < len(judged) else ""
    if not could:
        return Paragraph(f"none of {_runs(judged)} could be judged" if len(judged) > 1 else "the run could not be judged")
    return Paragraph(f"{told or ('no new finding' if known else 'no finding')} in {_runs(could)}{left_out}{lost}")


def _runs(judged: Sequence[JudgedRun]) -> str:
    count = sum(not each.group for each in judged)
    return f"{count} run{'' if count == 1 else 's'}"


def _count_table(counts: Sequence[RuleCount], caption: str) -> Block:
    if not counts:
        return Paragraph("no rule fired")
    several = len({each.configuration for each in counts}) > 1
    columns = [Column("code"), Column("rule"), Column("severity"), Column("fired", align="right"), Column("95 %", align="right")]
    rows: list[list[Any]] = [
        [each.code, each.name, Toned(each.severity, TONES[each.severity]), _fired(each), f"{each.low:.0%} to {each.high:.0%}"] for each in counts
    ]
    if several:
        columns.append(Column("configuration", align="right"))
        rows = [[*row, each.configuration] for row, each in zip(rows, counts, strict=True)]
    return Table(columns, rows, caption)


def _fired(count: RuleCount) -> str:
    unit = "" if count.of == "runs" else f" comparison{'' if count.evaluated == 1 else 's'}"
    return f"{count.fired} of {count.evaluated}{unit}"


def _count_data(count: RuleCount) -> dict[str, Any]:
    named = {"code": count.code, "name": count.name, "severity": count.severity}
    return {**named, "fired": count.fired, "evaluated": count.evaluated, "low": count.low, "high": count.high, "of": count.of}
