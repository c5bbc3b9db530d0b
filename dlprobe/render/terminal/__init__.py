"""Document → terminal: one file per kind of drawing, on a `page` that rich colours, wraps and
aligns. Nothing else of render imports rich.

Plain text without escape codes where the stream is no terminal, NO_COLOR is set or colour is
switched off. Nothing is said by colour alone: without it verdicts are words, series have their own
marks and numbers stay. Text from data is made visible first and never parsed as markup.
`columns`, `sparkline` and `line_chart` work their pictures out as plain characters.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any, TextIO

from dlprobe.render import document as doc
from dlprobe.render import formats
from dlprobe.render.safe_text import encodable
from dlprobe.render.terminal import bars, chart, heat_table, profile, shaded, strips, table, text
from dlprobe.render.terminal.page import TerminalPage
from dlprobe.render.terminal.stream import glyphs_for, wants_color

_NARROWEST = 40
_DRAWINGS: dict[type, Callable[[TerminalPage, Any], None]] = {
    doc.Heading: text.heading,
    doc.Paragraph: text.paragraph,
    doc.Lines: text.lines,
    doc.Markdown: text.markdown,
    doc.Bullets: text.bullets,
    doc.Verdict: text.verdict,
    doc.Choices: text.choices,
    doc.Hint: text.hint,
    doc.Facts: table.facts,
    doc.Table: table.table,
    doc.Bars: bars.bars,
    doc.HeatTable: heat_table.heat_table,
    doc.Chart: chart.chart,
    doc.Density: shaded.density,
    doc.Profile: profile.profile,
    doc.StepMap: shaded.step_map,
    doc.Image: text.image,
    doc.Strips: strips.strips,
}


def render(
    document: doc.Document, stream: TextIO, *, width: int | None = None, color: bool | None = None
) -> None:
    """Draw the document on a stream.

    `width` is in characters (None: the terminal's, 80 where there is none; below 40 it is drawn as
    40). `color` None asks the stream: colour on a terminal unless NO_COLOR is set or TERM is dumb.
    """
    painted = wants_color(stream) if color is None else color
    encoding = getattr(stream, "encoding", None) or "utf-8"
    page = TerminalPage(
        max(_NARROWEST, width or shutil.get_terminal_size((80, 24)).columns),
        painted,
        glyphs_for(encoding),
    )
    _draw(page, document)
    stream.write(encodable(page.text(), encoding))


def _draw(page: TerminalPage, document: doc.Document) -> None:
    page.title(document.title, page.glyphs.double)
    previous: doc.Block | None = None
    for block in document.blocks:
        if previous is not None and not _belong(previous, block):
            page.line("")
        _DRAWINGS[type(block)](page, block)
        previous = block


def _belong(previous: doc.Block, block: doc.Block) -> bool:
    alike = (
        isinstance(block, doc.Verdict | doc.Hint)
        and type(block) is type(previous)
        and not getattr(block, "apart", False)
    )
    tried = isinstance(block, doc.Choices) and isinstance(previous, doc.Verdict)
    return (
        isinstance(previous, doc.Heading)
        or tried
        or alike
        or (isinstance(block, doc.Paragraph) and block.below)
    )


formats.register("table", "tables and pictures for people, as wide as the terminal", render)
