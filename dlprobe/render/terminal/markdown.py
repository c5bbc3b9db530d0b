"""Markdown of the manual: drawn by rich where there is colour; elsewhere its source, which
reads well and can be searched.
"""

from __future__ import annotations

from dlprobe.render import document as doc
from dlprobe.render.safe_text import visible
from dlprobe.render.terminal.page import WIDEST_PROSE, TerminalPage


def markdown(page: TerminalPage, block: doc.Markdown) -> None:
    """Running text, lists, tables and code, at most 100 columns wide."""
    lines = [visible(line) for line in block.text.rstrip("\n").split("\n")]
    if page.color:
        from rich.markdown import Markdown

        page.console.print(
            Markdown("\n".join(lines), hyperlinks=False, code_theme="ansi_dark"),
            width=min(page.width, WIDEST_PROSE),
        )
        return
    for line in lines:
        page.line(line)
