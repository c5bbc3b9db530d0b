"""What `data` says: what would be trained on, what to look at before, the target's picture, one
table of columns, the line to paste.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlprobe.registry import counted
from dlprobe.render.document import (
    Bars,
    Block,
    Bullets,
    Cell,
    Column,
    Document,
    Heights,
    Hint,
    Paragraph,
    Table,
    Verdict,
)

if TYPE_CHECKING:
    from dlprobe.data.survey import ColumnSummary, Foretelling, Survey
    from dlprobe.rules.judging import Judgement
    from dlprobe.rules.outcome import Finding

SCHEMA = "dlprobe-data/1"
SHOWN_COLUMNS = 20
SHOWN_CLASSES = 10
SHOWN_CAUTIONS = 2
SHOWN_NOTES = 6
SHOWN_VALUES, LONGEST_VALUE = 2, 9  # of the texts of a column
# by the rule that passed
LOOKED_FOR = {
    "D003": "no row in two parts",
    "D001": "features in one scale",
    "D005": "classes alike in all parts",
}
# of the commonest class: rarer than that (ten to one) a class is easily missed, as rule D002 has it
RARE = 0.1


def document(survey: Survey, judgement: Judgement, command: str, *, details: bool) -> Document:
    """The whole answer."""
    warned = [
        *cautions(survey),
        *(told(finding) for finding in judgement.findings if finding.severity != "info"),
    ]
    remarks = [told(finding) for finding in judgement.findings if finding.severity == "info"]
    blocks: list[Block] = [
        Verdict(what(survey)),
        *conclusion(warned, judgement.passed, details),
        picture(survey, details),
        columns_table(survey, details),
    ]
    rest = [*warned[SHOWN_CAUTIONS:], *remarks] if details else remarks[:1]
    silent = [note for note in survey.data.notes if note not in advisory(survey.data.notes)]
    notes = silent if details else silent[:SHOWN_NOTES]
    more = len(silent) - len(notes)
    if items := [*rest, *notes, *([f"{more} more notes: --details"] if more else [])]:
        blocks.append(Bullets(items))
    if details and judgement.not_evaluated:
        blocks.append(
            Paragraph(
                "; ".join(
                    f"{code} not evaluated: {reason}"
                    for code, reason in judgement.not_evaluated.items()
                )
            )
        )
    return Document(
        f"data {survey.data.name}",
        [*blocks, Hint(command)],
        record(survey, judgement, warned, command),
    )


def what(survey: Survey) -> str:
    """What would be trained on, in one sentence."""
    data = survey.data
    parts = ", ".join(f"{len(rows)} {part}" for part, rows in data.indices.items() if len(rows))
    names = [column.name for column in survey.columns if column.role == "target"]
    of = ", ".join(f"'{name}'" for name in names[:4]) + (" …" if len(names) > 4 else "")
    read = sum(len(rows) for rows in data.indices.values())
    rows = (
        counted(read, "row") if read == survey.rows else f"{read} of {counted(survey.rows, 'row')}"
    )
    goal = (
        f"{counted(data.outputs, 'class', 'classes')} in {of}"
        if data.task == "classification"
        else f"a regression of {of}"
    )
    return (
        f"{rows} × {len(data.feature_names)} feature{'s' * (len(data.feature_names) != 1)}, "
        f"{goal}; {parts}"
    )


def conclusion(warned: Sequence[str], passed: Sequence[str], details: bool) -> list[Block]:
    """What to look at before training, in two lines at most; what was looked at where nothing
    was found.
    """
    if not warned:
        looked = ", ".join(words for code, words in LOOKED_FOR.items() if code in passed)
        return [Verdict(f"nothing stands in the way{f': {looked}' if looked else ''}", "good")]
    more = len(warned) - SHOWN_CAUTIONS
    shown = [*warned[:SHOWN_CAUTIONS]]
    if more > 0 and not details:
        shown[-1] += f" (and {more} more: --details)"
    return [Verdict(line, "warning") for line in shown]


def cautions(survey: Survey) -> list[str]:
    """What may spoil a training and is seen without one, the worst first."""
    sentences = [
        (
            f"{of_column(column)} alone gives the target ({strength(survey, column)}): is it known "
            f"before the target is? --drop {column.drop} leaves it out"
        )
        for column in survey.foretelling
    ]
    sentences += [
        f"{of_column(column)} numbers the rows: --drop {column.drop} leaves it out"
        for column in survey.numbering
    ]
    return sentences + advisory(survey.data.notes) + rare_classes(survey)


def advisory(notes: Sequence[str]) -> list[str]:
    """The notes that leave a choice to the user: they name an option."""
    return [note for note in notes if " --" in note]


def of_column(column: ColumnSummary | Foretelling) -> str:
    name = column.name if hasattr(column, "name") else column.column
    return f"column {column.number} '{name}'"


def strength(survey: Survey, foretelling: Foretelling) -> str:
    """How well a column gives the target, each row by the others."""
    if survey.data.task == "regression":
        return f"R² {foretelling.skill:.4f}"
    guessing = 1 - max(survey.class_rows) / sum(survey.class_rows)
    return f"right for {100 * (1 - (1 - foretelling.skill) * guessing):.3g} % of the rows"


def rare_classes(survey: Survey) -> list[str]:
    """A caution where classes are rarer than one in ten of the commonest."""
    rows = survey.class_rows
    rare = [
        (count, name)
        for count, name in zip(rows, survey.data.class_names, strict=True)
        if count < RARE * max(rows, default=0)
    ]
    if not rare:
        return []
    count, name = min(rare)
    others = f" and {len(rare) - 1} more are" if len(rare) > 1 else " is"
    share = 100 * (1 - max(rows) / sum(rows))
    return [
        f"class '{name}' ({count} of {counted(sum(rows), 'row')}){others} rare: always naming "
        f"the commonest has {share:.3g} % error, so look at each class"
    ]


def told(finding: Finding) -> str:
    """A finding of a rule in one line, with what to type."""
    options = options_of(finding)
    cure = f": {' '.join(options)}" if options else ""
    return f"{finding.name} ({finding.code}): {finding.evidence}{cure}"


def picture(survey: Survey, details: bool) -> Block:
    """How the target is spread: rows of each class, or a histogram."""
    data = survey.data
    if survey.target is not None:
        column = survey.target
        names = list(column.values) or [
            f"{low:.4g} … {high:.4g}"
            for low, high in zip(column.edges, column.edges[1:], strict=False)
        ]
        of = (
            ""
            if survey.looked_at == survey.rows
            else f" in {survey.looked_at} of the rows, evenly spaced"
        )
        return Bars(
            names,
            [float(count) for count in column.counts],
            [str(count) for count in column.counts],
            f"Rows by '{column.name}'{of}",
        )
    pairs = sorted(zip(data.class_names, survey.class_rows, strict=True), key=lambda pair: -pair[1])
    hidden = 0 if details or len(pairs) <= SHOWN_CLASSES else len(pairs) - SHOWN_CLASSES
    if hidden:  # the commonest and the rarest
        pairs = [*pairs[: SHOWN_CLASSES // 2], *pairs[-(SHOWN_CLASSES - SHOWN_CLASSES // 2) :]]
    total = sum(survey.class_rows)
    between = f"; {counted(hidden, 'class', 'classes')} between them: --details" if hidden else ""
    texts = [f"{count} ({100 * count / total:.3g} %)" for _, count in pairs]
    return Bars(
        [name for name, _ in pairs],
        [float(count) for _, count in pairs],
        texts,
        f"Rows of each class{between}",
    )


def columns_table(survey: Survey, details: bool) -> Table:
    """Every column, or the first ones and those that cautions name."""
    named = {field_.number for field_ in survey.numbering} | {
        field_.number for field_ in survey.foretelling
    }
    ranked = sorted(
        survey.columns,
        key=lambda column: (column.role == "feature", column.number not in named, column.number),
    )
    shown = sorted(ranked if details else ranked[:SHOWN_COLUMNS], key=lambda column: column.number)
    caption = (
        "Columns"
        if len(shown) == len(survey.columns)
        else f"{len(shown)} of {counted(len(survey.columns), 'column')} (--details: all)"
    )
    if survey.looked_at < survey.rows:
        caption += (
            f"; distinct values and histograms of {counted(survey.looked_at, 'row')}, evenly spaced"
        )
    head = [
        Column("#", align="right"),
        Column("column"),
        Column("kind"),
        Column("range", align="right"),
        Column("missing", align="right"),
        Column("distinct", align="right"),
    ]
    return Table([*head, Column("histogram")], [row(column) for column in shown], caption)


def row(column: ColumnSummary) -> list[Cell]:
    name = column.name if column.role == "feature" else f"{column.name} ({column.role})"
    return [
        column.number,
        name,
        column.kind,
        span(column),
        column.missing,
        column.distinct,
        Heights(column.counts, span(column)),
    ]


def span(column: ColumnSummary) -> str:
    """The range of a column as a text: lowest and highest value, or the commonest texts."""
    if column.kind == "text":
        shown = ", ".join(
            value if len(value) <= LONGEST_VALUE else value[: LONGEST_VALUE - 1] + "…"
            for value in column.values[:SHOWN_VALUES]
        )
        return shown + (", …" if column.distinct > SHOWN_VALUES else "")
    if column.kind == "empty":
        return ""
    if column.low == column.high:
        return f"{column.low:.4g}"
    return f"{column.low:.4g} … {column.high:.4g}"


def record(
    survey: Survey, judgement: Judgement, warned: Sequence[str], command: str
) -> dict[str, Any]:
    """The answer as data."""
    data = survey.data
    return {
        "schema": SCHEMA,
        "data": data.name,
        "command": command,
        "task": data.task,
        "rows_read": survey.rows,
        "rows": sum(len(rows) for rows in data.indices.values()),
        "features": list(data.feature_names),
        "parts": {part: len(rows) for part, rows in data.indices.items()},
        "targets": [column.name for column in survey.columns if column.role == "target"],
        "classes": [
            {"name": name, **{part: int(data.class_counts[part][k]) for part in data.class_counts}}
            for k, name in enumerate(data.class_names)
        ],
        "columns": [column_record(column) for column in survey.columns],
        "rows_looked_at": survey.looked_at,
        "cautions": list(warned),
        "leaks": {
            "duplicates": dict(data.repeats.duplicates),
            "numbering": [field_.name for field_ in survey.numbering],
            "foretelling": [
                {"column": field_.column, "skill": field_.skill} for field_ in survey.foretelling
            ],
        },
        "findings": [finding_record(finding) for finding in judgement.findings],
        "passed": list(judgement.passed),
        "not_evaluated": [
            {"code": code, "reason": reason} for code, reason in judgement.not_evaluated.items()
        ],
        "notes": list(data.notes),
        "fingerprint": data.fingerprint,
    }


def finding_record(finding: Finding) -> dict[str, Any]:
    numbers = {"measured": finding.measured, "threshold": finding.threshold}
    named = {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        "evidence": finding.evidence,
    }
    return {**named, **numbers, "options": options_of(finding)}


def options_of(finding: Finding) -> list[str]:
    """The first remedy as options of train."""
    return [
        f"--{key.rpartition('.')[2].replace('_', '-')} {value}"
        for remedy in finding.remedies[:1]
        for key, value in remedy.patch.items()
    ]


def column_record(column: ColumnSummary) -> dict[str, Any]:
    shape = {
        "values": list(column.values) or None,
        "edges": list(column.edges) or None,
        "counts": list(column.counts),
    }
    numbers = {"low": column.low, "high": column.high, "mean": column.mean}
    named = {"number": column.number, "name": column.name, "role": column.role, "kind": column.kind}
    return {
        **named,
        **numbers,
        "missing": column.missing,
        "distinct": column.distinct,
        "histogram": shape,
    }
