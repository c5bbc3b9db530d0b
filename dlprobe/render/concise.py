"""Findings → one line each: `run.h5: G001 error vanishing-gradient: evidence (layers; steps)`, for
grep and editors.

Before those of a run stands its state, `run.h5: did not learn: …`, and before all what a
project file set; lines of another form at the end,
`run.h5: 3 rules not evaluated: …`, say what could not be looked at, and what a gate would have
    found.
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
from dlprobe.render.safe_text import encodable, visible


def render(
    document: Document, stream: TextIO, *, width: int | None = None, color: bool | None = None
) -> None:
    """Write the state of each run, one line per finding, and what was not evaluated."""
    runs = checked(document).runs
    lines = [
        text
        for run in runs
        for text in (run.sentence, *(line(run, finding) for finding in run.findings))
        if text
    ]
    lines += [f"{run.path}: {sentence}" for run in runs for _, sentence in asked_in_vain(run)]
    lines += [f"{run.path}: {note}" for run in runs for note in note_lines(run)]
    if told := unevaluated_text(runs):
        lines.append(f"{runs[0].path if len(runs) == 1 else f'{len(runs)} runs'}: {told}")
    encoding = getattr(stream, "encoding", None) or "utf-8"
    if project := checked(document).project:
        lines.insert(0, project.sentence)
    for text in lines:
        stream.write(encodable(visible(text), encoding) + "\n")


def line(run: CheckedRun, finding: FindingLine) -> str:
    """One finding; nothing in it can end the line or act on the terminal."""
    where = run.place_of(finding)
    place = f" ({where})" if where else ""
    return visible(
        f"{run.path}: {finding.code} {finding.severity} {finding.name}: {finding.evidence}{place}"
    )


formats.register("concise", "one line per finding", render, (SCHEMA,))
