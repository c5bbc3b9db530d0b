"""Findings → GitHub Actions workflow commands (`::error file=…,title=…::message`), which become
annotations.

Escaping as in actions/toolkit (command.ts): `%`, CR and LF in messages; `:` and `,` too in
properties.
"""

from __future__ import annotations

from typing import TextIO

from dlprobe.render import formats
from dlprobe.render.checked import (
    SCHEMA,
    CheckedRun,
    FindingLine,
    asked_in_vain,
    checked,
    note_lines,
    unevaluated_text,
)
from dlprobe.render.document import Document
from dlprobe.render.safe_text import visible

COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}
_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def render(
    document: Document, stream: TextIO, *, width: int | None = None, color: bool | None = None
) -> None:
    """Write one command per finding, a notice of the state of each run, a notice of what a
    project file set, a warning for each rule that was asked for in vain, an error for each run that
    nothing could be said of, and one notice of all that was not evaluated.
    """
    if project := checked(document).project:
        stream.write(command("notice", project.path, "dlprobe settings", project.sentence) + "\n")
    runs = checked(document).runs
    for run in runs:
        for finding in run.findings:
            stream.write(annotation(run, finding) + "\n")
        for code, sentence in asked_in_vain(run):
            stream.write(
                command("warning", run.file, f"{code} not evaluated", f"{run.path}: {sentence}")
                + "\n"
            )
        if run.diagnosis is not None:
            stream.write(
                command(
                    "notice",
                    run.file,
                    run.diagnosis.state,
                    "\n".join(filter(None, [run.sentence, run.diagnosis.unknown])),
                )
                + "\n"
            )
        for note in note_lines(run):
            stream.write(
                command("notice", run.file, "what the gate sees", f"{run.path}: {note}") + "\n"
            )
        if not run.evaluated:
            stream.write(
                command(
                    "error",
                    run.file,
                    "nothing could be evaluated",
                    f"{run.path}: {run.unreadable or f'{run.blind}: {unevaluated_text([run])}'}",
                )
                + "\n"
            )
    if told := unevaluated_text(runs):
        where = runs[0].path if len(runs) == 1 else f"{len(runs)} runs"
        stream.write(command("notice", runs[0].file, "not evaluated", f"{where}: {told}") + "\n")


def annotation(run: CheckedRun, finding: FindingLine) -> str:
    """The workflow command of one finding."""
    where = run.place_of(finding)
    place = f" ({where})" if where else ""
    lines = [
        f"{run.path}: {finding.evidence}{place}",
        *(text.replace("try ", "try: ", 1) for text in run.tries_of(finding)[:1]),
    ]
    return command(
        COMMANDS[finding.severity], run.file, f"{finding.code} {finding.name}", "\n".join(lines)
    )


def command(name: str, file: str, title: str, message: str) -> str:
    """One workflow command in ASCII with every text escaped; lines of the message stay lines.

    >>> command("error", "a:b.h5", "50%", "no\\nmore")
    '::error file=a%3Ab.h5,title=50%25::no%0Amore'
    """
    lines = "\n".join(visible(part) for part in message.split("\n"))
    return (
        f"::{name} "
        f"file={visible(file).translate(_PROPERTY)},title={visible(title).translate(_PROPERTY)}::{lines.translate(_MESSAGE)}"
    )


formats.register("github", "GitHub Actions annotations", render, (SCHEMA,))
