"""Findings → SARIF 2.1.0 (OASIS standard), which GitHub code scanning and editors read.

One SARIF run for the whole command. A finding's layers are logical locations; its file has a region
of one line because GitHub shows no result without.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, TextIO
from urllib.parse import quote

from dlprobe.render import formats
from dlprobe.render.checked import (
    SCHEMA,
    CheckDocument,
    CheckedRun,
    FindingLine,
    RuleLine,
    asked_in_vain,
    checked,
    note_lines,
    unevaluated_text,
)
from dlprobe.render.document import Document
from dlprobe.render.json import jsonable
from dlprobe.render.safe_text import visible

VERSION = "2.1.0"
SCHEMA_URI = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def render(
    document: Document, stream: TextIO, *, width: int | None = None, color: bool | None = None
) -> None:
    """Write the SARIF log as JSON."""
    stream.write(json.dumps(jsonable(log(checked(document))), indent=2, allow_nan=False) + "\n")


def log(document: CheckDocument) -> dict[str, Any]:
    """The whole log as data."""
    codes = list(document.rules)
    driver = {
        "name": "dlprobe",
        **({"version": document.version} if document.version else {}),
        "rules": [_rule(rule) for rule in document.rules.values()],
    }
    results = [_result(run, finding, codes) for run in document.runs for finding in run.findings]
    project = (
        {"project_file": {"path": document.project.path, "settings": document.project.settings}}
        if document.project
        else {}
    )
    told = {"properties": project} if project else {}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": results,
        "invocations": [_invocation(document)],
        **told,
    }
    return {"$schema": SCHEMA_URI, "version": VERSION, "runs": [run]}


def _rule(rule: RuleLine) -> dict[str, Any]:
    lesson = {"help": {"text": rule.lesson}} if rule.lesson else {}
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary or rule.name},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        **lesson,
    }


def _result(run: CheckedRun, finding: FindingLine, codes: Sequence[str]) -> dict[str, Any]:
    where = run.place_of(finding)
    place = f" ({where})" if where else ""
    index = {"ruleIndex": codes.index(finding.code)} if finding.code in codes else {}
    numbers: dict[str, Any] = {
        "measured": finding.measured,
        "threshold": finding.threshold,
        "steps": list(finding.steps),
        "remedies": list(finding.remedies),
    }
    if run.diagnosis is not None:
        numbers |= {"diagnosis": run.sentence, "role": run.diagnosis.role_of(finding.code)}
    return {
        "ruleId": finding.code,
        **index,
        "level": LEVELS[finding.severity],
        "message": {"text": visible(f"{run.path}: {finding.evidence}{place}")},
        "locations": [_location(run, finding.layers)],
        "partialFingerprints": {
            "finding/v1": hashlib.sha256(
                f"{run.path}\n{finding.code}".encode("utf-8", "replace")
            ).hexdigest()
        },
        "properties": numbers,
    }


def _location(run: CheckedRun, layers: Sequence[str]) -> dict[str, Any]:
    physical = {"artifactLocation": {"uri": uri(run.file)}, "region": {"startLine": 1}}
    logical = [
        {
            "name": visible(layer),
            "fullyQualifiedName": visible(f"{run.path}/{layer}"),
            "kind": "member",
        }
        for layer in layers
    ]
    return {"physicalLocation": physical, **({"logicalLocations": logical} if logical else {})}


def uri(path: str) -> str:
    """A path as a URI reference: relative ones stay relative, as GitHub wants them.

    >>> uri("my runs/a:b.h5"), uri("/tmp/a.h5")
    ('my%20runs/a%3Ab.h5', 'file:///tmp/a.h5')
    """
    plain = quote(path.replace("\\", "/").encode("utf-8", "surrogateescape"))
    return f"file://{plain}" if plain.startswith("/") else plain


def _invocation(document: CheckDocument) -> dict[str, Any]:
    silent = [run for run in document.runs if not run.evaluated]
    notes = [("error", f"{run.path}: {run.unreadable or run.blind}") for run in silent]
    notes += [
        ("error" if code in run.not_compared else "warning", f"{run.path}: {sentence}")
        for run in document.runs
        for code, sentence in asked_in_vain(run)
    ]
    notes += [("note", run.sentence) for run in document.runs if run.sentence]
    notes += [("note", f"{run.path}: {note}") for run in document.runs for note in note_lines(run)]
    if told := unevaluated_text(document.runs):
        notes.append(("note", told))
    told_of = [{"level": level, "message": {"text": visible(text)}} for level, text in notes]
    exit_code = int(document.data.get("exit_code", 0))
    return {
        "executionSuccessful": not silent and exit_code != 2,
        "exitCode": exit_code,
        "toolExecutionNotifications": told_of,
    }


formats.register("sarif", "SARIF 2.1.0 for code scanning", render, (SCHEMA,))
