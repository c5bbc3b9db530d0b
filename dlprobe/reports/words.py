"""The line under a screen that names the words on it which `explain` knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from dlprobe.render.document import Block, Document, Hint, Paragraph
from dlprobe.reports.concept import spoken

MOST = 5  # words that are named
# screens that explain already
OF_EXPLAIN = ("dlprobe-explain/", "dlprobe-topics/", "dlprobe-list/", "dlprobe-example/")


def with_words(document: Document, concepts: Iterable[Any]) -> Document:
    """The document with a line, before what is to be typed next, that names the concepts whose
    words it uses, in the order of their first use.
    """
    schema = str(document.data.get("schema", ""))
    if not schema or schema.startswith(OF_EXPLAIN):  # without a record it is a piece of a screen
        return document
    said = "\n".join(_texts(document.blocks))
    places = {
        record.name: place
        for record in concepts
        if (place := _first_use(record.words, said)) is not None
    }
    if not places:
        return document
    names = [spoken(name) for name in sorted(places, key=lambda name: places[name])[:MOST]]
    line = Paragraph(f"words: {', '.join(names)} (dlprobe explain {names[0]})")
    end = len(document.blocks)
    while end and isinstance(document.blocks[end - 1], Hint):
        end -= 1
    blocks: list[Block] = [*document.blocks[:end], line, *document.blocks[end:]]
    return replace(document, blocks=blocks)


def _first_use(words: Sequence[str], said: str) -> int | None:
    """Where one of the words stands first, as a word of its own; None where none does."""
    lowered = said.lower()
    use = (
        re.search(rf"(?<!\w){re.escape(word)}(?!\w)", said, re.IGNORECASE)
        for word in words
        if word.lower() in lowered  # most are not there, and making a pattern takes longer
    )
    return min((match.start() for match in use if match), default=None)


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif is_dataclass(node) and not isinstance(node, type):
        for field_ in fields(node):
            yield from _texts(getattr(node, field_.name))
    elif isinstance(node, Mapping):
        yield from _texts(list(node.values()))
    elif isinstance(node, list | tuple):
        for inner in node:
            yield from _texts(inner)
