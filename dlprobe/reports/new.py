"""What `new` says: which file was written, and what a preset decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlprobe.render.document import Block, Bullets, Document, Hint, Verdict


def new_document(
    path: str, preset: str, reasons: Mapping[str, str], config: Mapping[str, Any]
) -> Document:
    """The file, and by key why it has its value."""
    values = {
        f"{table}.{key}": value for table, values in config.items() for key, value in values.items()
    }
    blocks: list[Block] = [Verdict(f"{path}: written; every option has its help above it", "good")]
    if reasons:
        blocks.append(
            Bullets([f"{key} = {values[key]}: {reason}" for key, reason in reasons.items()])
        )
    data = {
        "schema": "dlprobe-new/1",
        "path": path,
        "preset": preset,
        "reasons": dict(reasons),
        "config": config,
    }
    return Document("new configuration", [*blocks, Hint(f"dlprobe train {path}")], data)
