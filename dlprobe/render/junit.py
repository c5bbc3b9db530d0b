"""Findings → JUnit XML, as Jenkins, GitLab and most CI systems read it: a test suite per run, a
test case per rule.

A finding of a severity that fails the command is a failure, a milder one a passed case with the
text in `system-out`; a rule that could not look is skipped with its reason, or an error where
--against asked for it; the state of the run and what a project file set are properties of each
suite; a run that nothing could be said of has a case with an error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TextIO

from dlprobe.render import formats
from dlprobe.render.checked import (
    SCHEMA,
    CheckDocument,
    CheckedRun,
    FindingLine,
    ProjectSettings,
    Severity,
    checked,
    vain_text,
)
from dlprobe.render.document import Document
from dlprobe.render.safe_text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element


def render(
    document: Document, stream: TextIO, *, width: int | None = None, color: bool | None = None
) -> None:
    """Write the XML in ASCII, so that it suits every stream."""
    from xml.etree import ElementTree

    root = suites(checked(document))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="us-ascii").decode("ascii")
    # U+FFFE and U+FFFF are no XML characters, whichever way they are written
    text = re.sub("&#6553[45];", "?", text)
    stream.write(f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n')


def suites(document: CheckDocument) -> Element:
    """The whole report."""
    from xml.etree.ElementTree import Element

    root = Element("testsuites", name="dlprobe check")
    for run in document.runs:
        root.append(_suite(run, document.fails_on, document.project))
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, 0)) for suite in root)))
    return root


def _suite(
    run: CheckedRun, fails_on: Sequence[Severity], project: ProjectSettings | None
) -> Element:
    from xml.etree.ElementTree import Element, SubElement

    suite = Element("testsuite", name=visible(run.path))
    told = {"project_file": "" if project is None else project.sentence, "diagnosis": run.sentence}
    if any(told.values()):
        properties = SubElement(suite, "properties")
        for name, value in told.items():
            if value:
                SubElement(properties, "property", name=name, value=visible(value))
    codes = dict.fromkeys(
        [*(finding.code for finding in run.findings), *run.passed, *run.not_evaluated]
    )
    for code in sorted(codes):
        suite.append(_case(run, code, fails_on))
    if not run.evaluated:
        _add(
            _added_case(suite, run, "evaluation"),
            "error",
            run.unreadable or run.blind,
            "nothing-evaluated",
        )
    counts = {
        "tests": len(suite.findall("testcase")),
        "failures": _having(suite, "failure"),
        "errors": _having(suite, "error"),
        "skipped": _having(suite, "skipped"),
    }
    for name, count in counts.items():
        suite.set(name, str(count))
    return suite


def _having(suite: Element, tag: str) -> int:
    return sum(case.find(tag) is not None for case in suite)


def _added_case(suite: Element, run: CheckedRun, name: str) -> Element:
    from xml.etree.ElementTree import SubElement

    return SubElement(suite, "testcase", classname=visible(run.path), name=name)


def _case(run: CheckedRun, code: str, fails_on: Sequence[Severity]) -> Element:
    from xml.etree.ElementTree import Element, SubElement

    case = Element("testcase", classname=visible(run.path), name=code)
    findings = [finding for finding in run.findings if finding.code == code]
    failing = [finding for finding in findings if finding.severity in fails_on]
    if code in run.not_evaluated and code in run.not_compared:
        _add(case, "error", vain_text(code, run.not_evaluated[code]), "not-compared")
    elif code in run.not_evaluated:
        SubElement(case, "skipped", message=visible(run.not_evaluated[code]))
    if failing:
        _add(
            case,
            "failure",
            failing[0].evidence,
            failing[0].name,
            "\n".join(text(finding, run) for finding in failing),
        )
    mild = [
        *(text(finding, run) for finding in findings if finding not in failing),
        *(visible(note) for note in [run.notes.get(code)] if note),
    ]
    if mild:
        SubElement(case, "system-out").text = "\n".join(mild)
    return case


def _add(case: Element, tag: str, message: str, type: str, body: str = "") -> None:
    from xml.etree.ElementTree import SubElement

    SubElement(case, tag, message=visible(message), type=visible(type)).text = body or None


def text(finding: FindingLine, run: CheckedRun) -> str:
    """One finding as a paragraph of lines."""
    lines = [
        f"{finding.code} {finding.severity} {finding.name}: {finding.evidence}",
        run.place_of(finding),
        finding.numbers,
        *run.tries_of(finding),
    ]
    return "\n".join(visible(line) for line in lines if line)


formats.register("junit", "JUnit XML: a suite per run, a case per rule", render, (SCHEMA,))
