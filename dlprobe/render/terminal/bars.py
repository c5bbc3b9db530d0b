"""Bars: how large each of a few things is beside the largest."""

from __future__ import annotations

import math

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from dlprobe.render import document as doc
from dlprobe.render.safe_text import visible
from dlprobe.render.terminal.page import TerminalPage

LONGEST_BAR = 50
LONGEST_NAME = 24


def bars(page: TerminalPage, block: doc.Bars) -> None:
    """Name, bar and text of each row."""
    page.caption(block.caption)
    names = [visible(name) for name in block.names]
    room = min(max(map(cell_len, names), default=0), LONGEST_NAME)
    longest = max(
        8, min(LONGEST_BAR, page.width - room - 4 - max(map(cell_len, block.texts), default=0))
    )
    largest = max((value for value in block.values if math.isfinite(value)), default=0.0)
    for name, value, text in zip(names, block.values, block.texts, strict=True):
        bar = page.glyphs.bar * (
            math.ceil(longest * value / largest) if 0 < value < math.inf else 0
        )
        page.line(
            Text.assemble(
                f"{shortened(name, room)}  ", (bar, "cyan"), f"{' ' if bar else ''}{visible(text)}"
            )
        )


def shortened(name: str, room: int) -> str:
    """The name in exactly so many characters."""
    return (
        set_cell_size(name, room) if cell_len(name) <= room else set_cell_size(name, room - 1) + "…"
    )
