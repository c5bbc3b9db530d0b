"""What `explain` says of the manual: its topics, one page, one JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dlprobe.render.document import (
    Block,
    Document,
    Facts,
    Heading,
    Hint,
    Lines,
    Markdown,
    Paragraph,
)
from dlprobe.reports.concept import spoken
from dlprobe.reports.explanation import SCHEMA

TOPICS_SCHEMA = "dlprobe-topics/1"


def topics(
    pages: Mapping[str, Any], concepts: Mapping[str, Any], shelves: Mapping[str, Mapping[str, Any]]
) -> Document:
    """The words, the pages of the manual, then what is registered by kind."""
    data = {
        "schema": TOPICS_SCHEMA,
        "pages": [{"name": page.name, "summary": page.summary} for page in pages.values()],
        "kinds": {
            "concept": list(concepts),
            **{kind: list(shelf) for kind, shelf in shelves.items()},
        },
    }
    blocks: list[Block] = [Heading("Words", 2), Paragraph(", ".join(map(spoken, concepts)))]
    blocks += [Heading("Pages", 2), Facts([(page.name, page.summary) for page in pages.values()])]
    blocks += [
        Heading("What can be explained by name", 2),
        Facts([(f"{kind} ({len(shelf)})", _some(list(shelf))) for kind, shelf in shelves.items()]),
    ]
    return Document(
        "the manual",
        [
            *blocks,
            *(
                Hint(f"dlprobe explain {name}")
                for name in ("vanishing", "pytorch", "activation", "relu")
            ),
        ],
        data,
    )


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} …"


def page(record: Any) -> Document:
    """A page of the manual."""
    text = record.full_text
    return Document("", [Markdown(text)], {**_identity("page", record), "text": text})


def schema(record: Any) -> Document:
    """The keys of a schema with what they are; JSON has the schema itself."""
    blocks: list[Block] = [Paragraph(record.summary)]
    for form in record.content.get("anyOf", [record.content]):
        blocks += [Heading(form["description"], 2)] if form is not record.content else []
        blocks.append(Facts(list(_keys(form, record.content))))
    blocks += [Heading("As a file", 2), Lines([record.path])]
    return Document(
        record.name,
        blocks,
        {**_identity("schema", record), "path": record.path, "content": record.content},
    )


def _identity(kind: str, record: Any) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "kind": kind,
        "name": record.name,
        "summary": record.summary,
        "parameters": [],
    }


def _keys(
    node: Mapping[str, Any], whole: Mapping[str, Any], depth: int = 0
) -> Iterator[tuple[str, str]]:
    """(key, type and description) of every key below a node, those inside it indented."""
    node = _followed(node, whole)
    any_name = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
    inside = {
        **node.get("properties", {}),
        **{
            value.get("title", "(any name)"): value
            for value in any_name
            if isinstance(value, Mapping)
        },
    }
    for name, value in inside.items():
        key = _followed(value, whole)
        yield (
            "  " * depth + name,
            ". ".join(
                filter(
                    None, [_types(key, whole), value.get("description", key.get("description", ""))]
                )
            ),
        )
        yield from _keys(key, whole, depth + 1)
    if "items" in node:
        yield from _keys(node["items"], whole, depth)


def _followed(node: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    target: str | None = node.get("$ref")
    return whole["$defs"][target.rpartition("/")[2]] if target else node


def _types(node: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    """The types of a value in words: `number or null`, `list of text`."""
    if "enum" in node:
        return " | ".join("null" if value is None else str(value) for value in node["enum"])
    if "const" in node:
        return str(node["const"])
    forms = [_types(_followed(form, whole), whole) for form in node.get("anyOf", ())]
    names = node.get("type", [])
    forms += [_type(name, node, whole) for name in ([names] if isinstance(names, str) else names)]
    return " or ".join(dict.fromkeys(forms))


def _type(name: str, node: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    words = {
        "string": "text",
        "integer": "whole number",
        "boolean": "true or false",
        "object": "table",
        "array": "list",
    }
    inner = (
        _types(_followed(node["items"], whole), whole)
        if name == "array" and "items" in node
        else ""
    )
    return f"list of {inner}" if inner else words.get(name, name)
