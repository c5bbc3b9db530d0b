"""What `explain` says of a concept: one sentence, a picture, a formula, where dlprobe shows it,
where it comes from.
"""

from __future__ import annotations

from typing import Any

from dlprobe.render.document import Block, Document, Facts, Heading, Lines, Paragraph
from dlprobe.reports.explanation import SCHEMA


def concept(record: Any) -> Document:
    """The document of a concept's record."""
    told = [
        ("formula", record.formula),
        ("elsewhere called", ", ".join(map(spoken, record.also_called))),
        ("source", record.source),
    ]
    blocks: list[Block] = [
        Paragraph(f"{record.summary[:1].upper()}{record.summary[1:]}."),
        Lines(record.picture.strip("\n").splitlines()),
    ]
    blocks += [
        Paragraph(" ".join(record.text.split())),
        Facts([(name, text) for name, text in told if text]),
    ]
    blocks += [Heading("Where dlprobe shows it", 2), Lines([f"  {line}" for line in record.shown])]
    blocks += [Facts([("see also", ", ".join(map(spoken, record.see)))])] if record.see else []
    data = {
        "schema": SCHEMA,
        "kind": "concept",
        "name": record.name,
        "summary": record.summary,
        "parameters": [],
        "text": record.text.strip(),
    }
    data |= {
        "picture": record.picture.strip("\n"),
        "formula": record.formula,
        "shown": list(record.shown),
        "source": record.source,
    }
    data |= {"also_called": list(record.also_called), "see": list(record.see)}
    return Document(spoken(record.name), blocks, data)


def spoken(name: str) -> str:
    """A name of a concept as people write it; other names stay as they are typed.

    >>> spoken("error_signal")
    'error signal'
    """
    return name.replace("_", " ")
