"""The formats for CI: valid by their schemas, and nothing that stands in a run file becomes
markup, a command or a control character.
"""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
import xmlschema

from dlprobe.render.checked import (
    SCHEMA,
    CheckDocument,
    CheckedRun,
    FindingLine,
    RuleLine,
    unevaluated_text,
)
from dlprobe.render.document import Column, Document, Facts, Paragraph, Table, Toned, Verdict
from dlprobe.render.formats import formats_for
from dlprobe.render.markdown import escaped, fenced

SCHEMAS = Path(__file__).parent / "schemas"
HOSTILE = "x\x1b[2J\r\n::error::%0A,:<b>]]>&\"'`|*_ @you #3 \ufffe\u202e\ud800"
for_ci = pytest.mark.parametrize(
    "name", [name for name, each in formats_for(SCHEMA).items() if each.schemas]
)


def finding(
    severity: str = "error",
    evidence: str = "it vanishes",
    layers: tuple[str, ...] = ("hidden_1",),
    **changes: object,
) -> FindingLine:
    remedy = {"patch": {"model.activation": "relu"}, "why": "its slope is 1"}
    given = {
        "code": "G001",
        "name": "vanishing-gradient",
        "measured": 1e-7,
        "threshold": 0.1,
        "steps": (0, 9),
        "remedies": (remedy,),
        **changes,
    }
    return FindingLine(severity=severity, evidence=evidence, layers=layers, **given)  # type: ignore[arg-type]


def document(*runs: CheckedRun, exit_code: int = 1) -> CheckDocument:
    findings = [
        {
            "path": run.path,
            "findings": [{"code": each.code, "evidence": each.evidence} for each in run.findings],
        }
        for run in runs
    ]
    rules = {
        "G001": RuleLine(
            "G001", "vanishing-gradient", "error", "the gradient vanishes", "Why it hurts: …"
        )
    }
    return CheckDocument(
        "check",
        [],
        {"schema": SCHEMA, "runs": findings, "exit_code": exit_code},
        runs=runs,
        rules=rules,
    )


ILL = CheckedRun(
    "runs/a b.h5",
    (finding(), finding("warning", code="A001"), finding("info", code="B001")),
    ("N001",),
    {"A007": "no batch norm"},
)
CLEAN = CheckedRun("clean.h5", (), ("G001", "N001"))
SILENT = CheckedRun(
    "gone.h5",
    not_evaluated={"G001": "cannot be read"},
    unreadable="cannot be read",
    evaluated=False,
)
WILD = CheckedRun(
    f"{HOSTILE}.h5",
    (
        finding(
            evidence=HOSTILE,
            layers=(HOSTILE,),
            remedies=({"patch": {HOSTILE: HOSTILE}, "why": HOSTILE},),
        ),
    ),
    (),
    {"A": HOSTILE},
)


def text_of(name: str, *runs: CheckedRun) -> str:
    stream = io.StringIO()
    formats_for(SCHEMA)[name].render(document(*runs), stream)
    return stream.getvalue()


@for_ci
@pytest.mark.parametrize("runs", [(), (CLEAN,), (ILL, CLEAN, SILENT), (WILD,)])
def test_nothing_acts_on_a_terminal_and_every_stream_can_carry_it(
    name: str, runs: tuple[CheckedRun, ...]
) -> None:
    text = text_of(name, *runs)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", text)


@pytest.mark.parametrize("runs", [(), (CLEAN,), (ILL, CLEAN, SILENT), (WILD,)])
def test_sarif_keeps_to_the_standard(runs: tuple[CheckedRun, ...]) -> None:
    schema = json.loads((SCHEMAS / "sarif-2.1.0-parts.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    log = json.loads(text_of("sarif", *runs))
    jsonschema.validate(log, schema)
    assert [result["ruleId"] for result in log["runs"][0]["results"]] == [
        each.code for run in runs for each in run.findings
    ]


def test_the_sarif_schema_of_the_tests_can_refuse() -> None:
    schema = json.loads((SCHEMAS / "sarif-2.1.0-parts.json").read_text(encoding="utf-8"))
    log = json.loads(text_of("sarif", ILL))
    log["runs"][0]["results"][0]["level"] = "info"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(log, schema)


def test_sarif_levels_uris_and_layers() -> None:
    run = json.loads(text_of("sarif", ILL, SILENT))["runs"][0]
    first = run["results"][0]
    assert [result["level"] for result in run["results"]] == ["error", "warning", "note"]
    assert first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "runs/a%20b.h5"
    assert first["locations"][0]["logicalLocations"][0]["name"] == "hidden_1"
    assert run["tool"]["driver"]["rules"][first["ruleIndex"]]["id"] == "G001"
    assert run["invocations"][0]["executionSuccessful"] is False


@pytest.mark.parametrize("runs", [(), (CLEAN,), (ILL, CLEAN, SILENT), (WILD,)])
def test_junit_keeps_to_its_schema(runs: tuple[CheckedRun, ...]) -> None:
    assert [
        error.reason
        for error in xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd")).iter_errors(
            text_of("junit", *runs)
        )
    ] == []


def test_the_junit_schema_of_the_tests_can_refuse() -> None:
    wrong = (
        text_of("junit", ILL).replace("<testcase", "<testing").replace("</testcase", "</testing")
    )
    assert not xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd")).is_valid(wrong)


def test_junit_counts_what_it_holds() -> None:
    root = ElementTree.fromstring(text_of("junit", ILL, CLEAN, SILENT))
    counts = {
        suite.get("name"): tuple(
            int(suite.get(key, -1)) for key in ("tests", "failures", "errors", "skipped")
        )
        for suite in root
    }
    assert counts == {
        "runs/a b.h5": (5, 1, 0, 1),
        "clean.h5": (2, 0, 0, 0),
        "gone.h5": (2, 0, 1, 1),
    }
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("9", "1", "1")


def test_junit_fails_on_what_the_command_fails_on() -> None:
    stream = io.StringIO()
    strict = CheckDocument(
        "check", [], {"schema": SCHEMA, "runs": []}, runs=(ILL,), fails_on=("error", "warning")
    )
    formats_for(SCHEMA)["junit"].render(strict, stream)
    failed = [
        case.get("name")
        for case in ElementTree.fromstring(stream.getvalue()).iter("testcase")
        if case.find("failure") is not None
    ]
    assert failed == ["A001", "G001"]


def test_github_annotations_are_escaped_as_the_runner_reads_them() -> None:
    """The runner's own unescaping (actions/runner, ActionCommand.cs) gives back the text, and
    each line is one command.
    """
    for line in text_of("github", ILL, SILENT, WILD).splitlines():
        found = re.fullmatch(r"::(error|warning|notice) file=([^:,]*),title=([^:,]*)::(.*)", line)
        assert found, line
        assert not re.search("%(?!25|0D|0A|3A|2C)", found[2] + found[3] + found[4])


def test_github_severities_and_text() -> None:
    lines = text_of("github", ILL).splitlines()
    assert [line.split(" ")[0] for line in lines] == [
        "::error",
        "::warning",
        "::notice",
        "::notice",
    ]
    assert lines[0] == (
        "::error file=runs/a b.h5,title=G001 vanishing-gradient::runs/a b.h5: it vanishes "
        "(hidden_1; steps 0 to 9)"
        "%0Atry: model.activation = relu: its slope is 1"
    )
    assert lines[3] == (
        "::notice file=runs/a b.h5,title=not evaluated::runs/a b.h5: 1 rule not evaluated: no "
        "batch norm (1)"
    )


def test_reasons_are_grouped_over_runs_by_what_is_missing() -> None:
    first = CheckedRun(
        "a.h5",
        (),
        ("N001",),
        {
            "L001": "too short: 8, 100 are needed",
            "L002": "too short: 8, 100 are needed",
            "A007": "no batch norm",
        },
    )
    second = CheckedRun("b.h5", (), ("N001", "A007"), {"L001": "too short: 9, 100 are needed"})
    assert (
        unevaluated_text([first])
        == "3 rules not evaluated: too short: 8, 100 are needed (2); no batch norm (1)"
    )
    assert unevaluated_text([first, second]) == (
        "3 rules not evaluated: the run is too short, e.g. 8, 100 are needed (2); no batch "
        "norm (1, in 1 of 2 runs)"
    )
    assert unevaluated_text([CLEAN, SILENT]) == ""


def test_a_rule_asked_for_in_vain_is_a_warning_on_github_and_an_error_where_it_fails_the_command() -> (  # noqa: E501
    None
):
    run = CheckedRun(
        "a.h5",
        (),
        ("N001",),
        {"R002": "too few", "W006": "no sharpness"},
        not_compared=("R002",),
        asked=("W006", "R002"),
    )
    lines = text_of("github", run).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::warning", "::warning"]
    root = ElementTree.fromstring(text_of("junit", run))
    assert [(case.get("name"), child.tag) for case in root.iter("testcase") for child in case] == [
        ("R002", "error"),
        ("W006", "skipped"),
    ]
    notes = json.loads(text_of("sarif", run))["runs"][0]["invocations"][0][
        "toolExecutionNotifications"
    ]
    assert [note["level"] for note in notes] == ["error", "warning"]


def test_concise_is_one_line_per_finding() -> None:
    assert (
        text_of("concise", ILL, CLEAN).splitlines()[0]
        == "runs/a b.h5: G001 error vanishing-gradient: it vanishes (hidden_1; steps 0 to 9)"
    )
    assert [len(text_of("concise", run).splitlines()) for run in (ILL, CLEAN, WILD)] == [4, 0, 2]
    assert (
        text_of("concise", ILL).splitlines()[3]
        == "runs/a b.h5: 1 rule not evaluated: no batch norm (1)"
    )


def test_json_lines_are_records_with_their_path() -> None:
    records = [json.loads(line) for line in text_of("json-lines", ILL, WILD).splitlines()]
    assert [(record["path"], record["code"]) for record in records[:3]] == [
        ("runs/a b.h5", code) for code in ("G001", "A001", "B001")
    ]
    assert records[3]["evidence"] == HOSTILE


def markdown_of(*blocks: object) -> str:
    stream = io.StringIO()
    formats_for()["markdown"].render(Document("a_b", blocks), stream)  # type: ignore[arg-type]
    return stream.getvalue()


def test_markdown_table_keeps_its_cells_whatever_they_hold() -> None:
    text = markdown_of(
        Table(
            [Column("na|me"), Column("x", align="right")],
            [[HOSTILE, 1.5], [Toned("bad", "bad"), None]],
        )
    )
    rows = text.splitlines()[2:]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [3, 3, 3, 3]
    assert rows[1] == "| --- | ---: |"
    assert "<b>" not in text


def test_markdown_mentions_nobody_and_links_nothing() -> None:
    text = markdown_of(
        Paragraph("ask @octocat about #12, [x](http://evil) ![y](z)"),
        Verdict("- no list", "bad"),
        Facts([("k", "<script>")]),
    )
    assert not re.search(r"@\w|(?<!&)#\d|(?<!\\)\[|http:|<script", text)
    assert "❌ \\- no list" in text


def test_markdown_fence_is_longer_than_any_inside() -> None:
    assert fenced(["a", "```` b"]).splitlines() == ["`````", "a", "```` b", "`````"]
    assert escaped("&#64;") == "&amp;#&#8203;64;"
