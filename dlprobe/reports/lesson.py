"""What `explain` says of a rule: its lesson under the fixed headings, and its thresholds with
where they come from.
"""

from __future__ import annotations

from typing import Any

from dlprobe.registry import format_value
from dlprobe.render.document import Block, Column, Document, Facts, Heading, Paragraph, Table
from dlprobe.reports.explanation import SCHEMA
from dlprobe.reports.listing import parameter_data


def lesson(rule: Any) -> Document:
    """The document of a rule's record."""
    blocks: list[Block] = [
        Facts(
            [
                ("what it is", rule.summary),
                ("severity", rule.severity),
                ("needs", ", ".join(rule.needs)),
            ]
        )
    ]
    for heading, text in rule.sections.items():
        blocks += [Heading(heading, 2), Paragraph(text)]
    if rule.parameters:
        blocks += [Heading("Thresholds", 2), _thresholds(rule)]
    data = {
        "schema": SCHEMA,
        "kind": "rule",
        "name": rule.name,
        "summary": rule.summary,
        "code": rule.code,
        "severity": rule.severity,
    }
    data |= {"needs": list(rule.needs), "sections": rule.sections}
    data["parameters"] = [
        {**parameter_data(parameter), "origin": parameter.origin} for parameter in rule.parameters
    ]
    return Document(f"{rule.code} {rule.title}", blocks, data)


def _thresholds(rule: Any) -> Table:
    columns = [
        Column("set it with"),
        Column("default", align="right"),
        Column("what it is"),
        Column("where the default comes from"),
    ]
    rows = [
        [
            f"{rule.code}.{parameter.name}=…",
            format_value(parameter.default),
            parameter.help,
            parameter.origin,
        ]
        for parameter in rule.parameters
    ]
    return Table(columns, rows)
