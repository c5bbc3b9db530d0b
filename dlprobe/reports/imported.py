"""What `import` says of the run file that it has made of a log."""

from __future__ import annotations

from collections.abc import Sequence

from dlprobe.render.document import Document, Facts

SCHEMA = "dlprobe-import/1"


def document(
    path: str, kind: str, rows: Sequence[int], evaluations: Sequence[int], notes: Sequence[str]
) -> Document:
    """rows: the steps that were logged; evaluations: updates before each."""
    facts = [
        ("run file", path),
        ("log", kind),
        ("steps", _told(rows)),
        ("evaluations", _told(evaluations)),
        *(("note", note) for note in notes),
    ]
    data = {
        "schema": SCHEMA,
        "run": path,
        "kind": kind,
        "rows": len(rows),
        "evaluations": len(evaluations),
        "notes": list(notes),
    }
    return Document("import", [Facts([*facts, ("next", f"dlprobe check {path}")])], data)


def _told(steps: Sequence[int]) -> str:
    return f"{len(steps)}, from {steps[0]} to {steps[-1]}" if steps else "none"
