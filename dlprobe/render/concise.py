"""Findings → one line each: `run.h5: G001 error vanishing-gradient: evidence (layers; steps)`, for grep and editors.

What a project file set stands before them.
"""

from __future__ import annotations

from typing import TextIO

from dlprobe.render import formats
from dlprobe.render.checked import SCHEMA, CheckedRun, FindingLine, checked
from dlprobe.render.document import Document
from dlprobe.render.safe_text import encodable, visible


def render(document: Document, stream: TextIO, *, width: int | None = None, color: bool | None = None) -> None:
    """Write one line per finding; nothing where there is none."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    if project := checked(document).project:
        stream.write(encodable(visible(project.sentence), encoding) + "\n")
    for run in checked(document).runs:
        for finding in run.findings:
            stream.write(encodable(line(run, finding), encoding) + "\n")


def line(run: CheckedRun, finding: FindingLine) -> str:
    """One finding; nothing in it can end the line or act on the terminal."""
    place = f" ({finding.place})" if finding.place else ""
    return visible(f"{run.path}: {finding.code} {finding.severity} {finding.name}: {finding.evidence}{place}")


formats.register("concise", "one line per finding", render, (SCHEMA,))
