"""What `check` says: findings run by run, what several runs of one configuration have in
common, counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any

from dlprobe.errors import ExitCode
from dlprobe.registry import counted, first_of
from dlprobe.render.checked import (
    SCHEMA,
    SEVERITIES,
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
from dlprobe.render.document import (
    Block,
    Bullets,
    Cell,
    Column,
    Heading,
    Hint,
    Paragraph,
    Table,
    Tone,
    Toned,
    Verdict,
)
from dlprobe.reports.check_counts import (
    COUNTS_SCHEMA,
    FEW_RUNS,
    ConfigurationCount,
    RuleCount,
    _by_configuration,
    _count_data,
    _count_table,
)
from dlprobe.reports.diagnosis import SEVERITY_TONES as TONES
from dlprobe.reports.diagnosis import (
    brings_about,
    choices,
    diagnosis_blocks,
    diagnosis_line,
    head,
    opening,
    remarks,
    unknown_cause,
)
from dlprobe.reports.proof import proof_blocks, proof_line

if TYPE_CHECKING:
    from dlprobe.experiments.proof_record import Proof
    from dlprobe.rules import Diagnosis, Finding
    from dlprobe.rules.files import Criteria, JudgedRun

NAMED = 4  # rules that the exit code goes by


def check_document(
    judged: Sequence[JudgedRun],
    criteria: Criteria,
    counts: Sequence[RuleCount],
    *,
    exit_code: int,
    fails_on: Sequence[Severity],
    counted: bool = False,
    details: bool = False,
    version: str = "",
    project: ProjectSettings | None = None,
    proofs: Mapping[str, Proof] | None = None,
    configurations: Sequence[ConfigurationCount] = (),
) -> CheckDocument:
    """The whole answer. counts: of the configurations with several runs; with `counted`, of all
    runs, and then they are all that is shown; with `details` every finding is shown whole. proofs:
    of causes, by the path of the run. configurations: those of studies, which stand for their runs
    but for `details`.
    """
    proofs = proofs or {}
    runs = [
        checked_run(judgement, criteria.asked, proofs.get(judgement.path)) for judgement in judged
    ]
    silent = unevaluated(runs)
    if counted:
        data: dict[str, Any] = {
            "schema": COUNTS_SCHEMA,
            "runs": len(judged),
            "counts": [_count_data(count) for count in counts],
        }
        blocks = [_count_table(counts, ""), *_silence(runs)]
    else:
        data = {
            "schema": SCHEMA,
            "runs": [
                _run_data(judgement, criteria, proofs.get(judgement.path)) for judgement in judged
            ],
            "configurations": [configuration.to_json() for configuration in configurations],
        }
        blocks = _blocks(judged, runs, counts, details, proofs, configurations)
    data |= {
        "not_evaluated": [group.to_json() for group in silent],
        "exit_code": exit_code,
        "project_file": None,
    }
    codes = [Bullets([f"{group.kind}: {', '.join(group.codes)}" for group in silent])]
    end = next((i for i, block in enumerate(blocks) if isinstance(block, Hint)), len(blocks))
    blocks[end:end] = [
        *(codes if details and silent else []),
        Paragraph(_exit(exit_code, fails_on, judged)),
    ]
    if project is not None:
        data["project_file"] = {"path": project.path, "settings": project.settings}
        blocks.insert(0, Paragraph(project.sentence))
    rules = {
        rule.code: RuleLine(
            rule.code, rule.title, criteria.severity(rule), rule.summary, rule.lesson.strip()
        )
        for rule in criteria.selection.rules
    }
    title = "" if len(judged) == 1 and not counted else f"check {_runs(judged)}"
    return CheckDocument(
        title,
        blocks,
        data,
        runs=runs,
        rules=rules,
        fails_on=fails_on,
        version=version,
        project=project,
    )


def _exit(code: int, fails_on: Sequence[Severity], judged: Sequence[JudgedRun]) -> str:
    """The exit code, by which rules, and which findings make it 1."""
    found = [finding for run in judged for finding in run.judgement.findings]
    codes = list(dict.fromkeys(each.code for each in found if each.severity in fails_on))
    by = f" for {first_of(codes, NAMED)}" if code == ExitCode.FINDINGS else ""
    return f"exit code {code}{by}; " + (
        f"findings of severity {' or '.join(fails_on)} make it 1"
        if fails_on
        else "no finding makes it 1"
    )


def _run_data(judged: JudgedRun, criteria: Criteria, proof: Proof | None) -> dict[str, Any]:
    diagnosis = None if judged.diagnosis is None else judged.diagnosis.to_json()
    data = {
        "path": judged.path,
        "diagnosis": diagnosis,
        **judged.judgement.to_json(),
        "not_compared": list(judged.not_compared),
    }
    data["proof"] = None if proof is None else proof.to_json()
    if judged.start is not None:
        data["before_training"] = judged.start.to_json()
    return (
        {**data, "advice": [line.to_json() for line in judged.advice]} if criteria.advise else data
    )


def checked_run(
    judged: JudgedRun, asked: Sequence[str] = (), proof: Proof | None = None
) -> CheckedRun:
    """A judged run as formats draw it. asked: codes that were selected by name; proof: of its
    cause.
    """
    judgement = judged.judgement
    lines = [finding_line(finding) for finding in judgement.findings]
    line = None if judged.diagnosis is None else diagnosis_line(judged.diagnosis)
    silent = judgement.not_evaluated
    return CheckedRun(
        judged.path,
        lines,
        judgement.passed,
        silent,
        judged.unreadable,
        judged.evaluated,
        judged.not_compared,
        asked,
        line,
        "" if proof is None else proof_line(proof),
        judgement.notes,
    )


def finding_line(finding: Finding) -> FindingLine:
    """A finding as formats draw it."""
    data = finding.to_json()
    remedies = tuple(data.pop("remedies"))
    return FindingLine(**data, remedies=remedies)


def unevaluated_lines(judged: JudgedRun, asked: Sequence[str]) -> list[str]:
    """What could not be looked at of one run, line by line; asked: codes that were selected by
    name.
    """
    run = checked_run(judged, asked)
    return [
        text
        for text in (*(sentence for _, sentence in asked_in_vain(run)), unevaluated_text([run]))
        if text
    ]


def _silence(runs: Sequence[CheckedRun]) -> list[Block]:
    asked = [line for run in runs for line in _asked(run, f"{run.path}: " if len(runs) > 1 else "")]
    told = unevaluated_text(runs)
    return [*asked, *([Paragraph(told)] if told else [])]


def _asked(run: CheckedRun, before: str = "") -> list[Block]:
    return [
        Verdict(f"{before}{sentence}", "bad" if code in run.not_compared else "warning")
        for code, sentence in asked_in_vain(run)
    ]


def _blocks(
    judged: Sequence[JudgedRun],
    runs: Sequence[CheckedRun],
    counts: Sequence[RuleCount],
    details: bool,
    proofs: Mapping[str, Proof],
    configurations: Sequence[ConfigurationCount],
) -> list[Block]:
    blocks: list[Block] = _by_configuration(configurations, details)
    together = {
        path for configuration in configurations for path in configuration.runs
    } - proofs.keys()
    counts = () if together else counts
    for judgement, run in zip(judged, runs, strict=True):
        if judgement.path in together and not (details or judgement.advice or run.blind):
            continue
        proof = proof_blocks(proofs[run.path]) if run.path in proofs else []
        blocks += (
            [*proof, *_one_run(judgement, run)]
            if len(judged) == 1
            else [*_one_of_several(judgement, run), *proof]
        )
        blocks += [
            Paragraph(f"{run.path}: {note}" if len(judged) > 1 else note)
            for note in note_lines(run)
        ]
        blocks += (
            [block for finding in run.findings for block in finding_blocks(finding)]
            if details
            else []
        )
        blocks += [_advice_table(judgement)] if judgement.advice else []
    blocks += _silence(runs) if len(judged) > 1 else []
    if counts:
        blocks.append(
            _count_table(
                counts,
                "Runs of one configuration with other seeds: in how many each rule fired, "
                "with a 95 % interval.",
            )
        )
    if len(judged) > 1 or judged[0].known or judged[0].unreadable:
        blocks.append(_total(judged))
    return blocks + _hints(judged, details, configurations)


def _hints(
    judged: Sequence[JudgedRun], details: bool, configurations: Sequence[ConfigurationCount]
) -> list[Block]:
    codes = Counter(
        finding.code for judgement in judged for finding in judgement.judgement.findings
    )
    if not codes:
        return []
    diagnosis = judged[0].diagnosis
    first = (
        diagnosis.cause.code
        if len(judged) == 1 and diagnosis is not None and diagnosis.cause is not None
        else _first_code(judged, codes)
    )
    typed = " ".join(
        dict.fromkeys(
            quoted(judgement.path)
            for judgement in judged
            if not (judgement.group or judgement.unreadable or judgement.named)
        )
    )
    whole = (
        [Hint(f"dlprobe check {typed} --details")]
        if typed and not details and len(judged) <= FEW_RUNS
        else []
    )
    members = [
        judgement
        for judgement in judged
        if judgement.study
        and any(finding.code == first for finding in judgement.judgement.findings)
    ]
    one = (
        [Hint(f"dlprobe check {quoted(members[0].path)}")]
        if members and configurations and len(judged) > 1
        else []
    )
    return [*one, *whole, Hint(f"dlprobe explain {first}")]


def _one_run(judged: JudgedRun, run: CheckedRun) -> list[Block]:
    """The diagnosis of the only run, and what else there is in one line."""
    blocks = [] if judged.diagnosis is None else diagnosis_blocks(judged.diagnosis)
    if run.blind or run.unreadable:
        return [
            *blocks,
            Verdict(run.blind or f"{run.path}: cannot be judged", "bad"),
            *_silence([run]),
        ]
    infos = [] if judged.diagnosis is None else remarks(judged.diagnosis)
    names = ", ".join(f"{info.name} ({info.code}, {info.severity})" for info in infos)
    more = [f"{len(infos)} more: {names}"] if infos else []
    rest = " · ".join(
        filter(None, [*more, unevaluated_text([run]), f"{counted(len(run.passed), 'rule')} passed"])
    )
    return [*blocks, *_asked(run), Paragraph(rest)]


def _one_of_several(judged: JudgedRun, run: CheckedRun) -> list[Block]:
    diagnosis = judged.diagnosis
    if run.unreadable or diagnosis is None:
        return [*_findings_of_group(run), _summary_of(run)]
    lines = opening(diagnosis)
    lines += [Paragraph(f"{mark}{text}", below=True) for mark, text in _short(diagnosis)]
    lines += choices(diagnosis, diagnosis.actions, 1, prescribe=False)
    return [*lines, *([_summary_of(run)] if run.blind else [])]


def _short(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """A line for the cause and what follows, and one for each other fault; infos are counted."""
    heads = [
        finding
        for finding in (diagnosis.cause, *diagnosis.symptoms, *diagnosis.others)
        if finding is not None and finding.severity != "info"
    ]
    lines = [("", unknown_cause(diagnosis))] if diagnosis.cause_unknown else []
    lines += [("", f"{head(fault)}: {fault.evidence}.") for fault in heads]
    return [*lines, *([("", told)] if (told := brings_about(diagnosis)) else [])]


def _findings_of_group(run: CheckedRun) -> list[Block]:
    """The findings of several runs together against their baseline."""
    if not run.findings:
        return []
    return [
        Heading(run.path, 2),
        *(block for finding in run.findings for block in finding_blocks(finding)),
    ]


def _advice_table(judged: JudgedRun) -> Table:
    """A run beside the practical guidelines, line by line."""
    columns = [
        Column("guideline"),
        Column("this run has"),
        Column("what the run shows"),
        Column("worth changing?"),
    ]
    tones: dict[str, Tone] = {"yes": "warning", "no": "good", "no evidence": "neutral"}
    rows: list[list[Cell]] = [
        [
            f"{line.guideline}",
            f"{line.has}{' ✓' if line.followed else ''}",
            line.shows,
            Toned(line.worth_changing, tones[line.worth_changing]),
        ]
        for line in judged.advice
    ]
    return Table(
        columns,
        rows,
        f"{judged.path} beside the practical guidelines (dlprobe new --preset guidelines "
        "writes them; ✓: followed).",
    )


def _first_code(judged: Sequence[JudgedRun], codes: Mapping[str, int]) -> str:
    """The code to read about first: of the worst severity, the most frequent."""
    severities = {
        finding.code: SEVERITIES.index(finding.severity or "info")
        for judgement in judged
        for finding in judgement.judgement.findings
    }
    return min(codes, key=lambda code: (severities[code], -codes[code], code))


def finding_blocks(finding: FindingLine) -> list[Block]:
    """A finding: what, where, and what to try."""
    details = "; ".join(filter(None, [finding.place, finding.numbers]))
    line = Verdict(
        f"{finding.code} {finding.name} ({finding.severity}): {finding.evidence}",
        TONES[finding.severity],
    )
    return [line, Bullets([*filter(None, [details]), *finding.tries])]


def _summary_of(run: CheckedRun) -> Verdict:
    if run.unreadable:
        return Verdict(f"{run.path}: cannot be judged", "bad")
    missing = f"; {len(run.not_evaluated)} not evaluated" if run.not_evaluated else ""
    if run.blind:
        return Verdict(f"{run.path}: {run.blind}{missing}", "bad")
    return Verdict(f"{run.path}: {counted(len(run.passed), 'rule')} passed{missing}", "neutral")


def _total(judged: Sequence[JudgedRun]) -> Paragraph:
    counter = Counter(
        finding.severity for judgement in judged for finding in judgement.judgement.findings
    )
    told = ", ".join(
        f"{counter[severity]} {severity}"
        f"{'' if counter[severity] == 1 or severity == 'info' else 's'}"
        for severity in SEVERITIES
        if counter[severity]
    )
    known = sum(judgement.known for judgement in judged)
    left_out = f"; {known} known from the baseline left out" if known else ""
    could = [judgement for judgement in judged if not judgement.unreadable]
    lost = (
        f"; {len(judged) - len(could)} of {_runs(judged)} could not be judged"
        if len(could) < len(judged)
        else ""
    )
    if not could:
        return Paragraph(
            f"none of {_runs(judged)} could be judged"
            if len(judged) > 1
            else "the run could not be judged"
        )
    return Paragraph(
        f"{told or ('no new finding' if known else 'no finding')} in {_runs(could)}{left_out}{lost}"
    )


def _runs(judged: Sequence[JudgedRun]) -> str:
    return counted(sum(not judgement.group for judgement in judged), "run")
