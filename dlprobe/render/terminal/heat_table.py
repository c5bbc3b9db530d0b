"""Heat tables: a number and its verdict in every cell, the number's size as background where
there is colour.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from dlprobe.render import document as doc
from dlprobe.render import heat
from dlprobe.render.safe_text import visible
from dlprobe.render.terminal.page import TerminalPage
from dlprobe.render.terminal.table import TextColumn, draw_columns, pieces


def heat_table(page: TerminalPage, block: doc.HeatTable) -> None:
    """The table, its row names broken where there is no other room, and below it what numbers,
    marks and colours mean.
    """
    page.caption(block.caption)
    columns = _columns(page, block, whole=True)
    draw_columns(
        page, columns if len(pieces(page, columns)) == 1 else _columns(page, block, whole=False)
    )
    _legend(page, block)


def _columns(page: TerminalPage, block: doc.HeatTable, whole: bool) -> list[TextColumn]:
    texts = heat.cell_texts(block.cells, page.glyphs.verdicts)
    columns = [
        TextColumn(visible(block.stub), "left", [Text(visible(name)) for name in block.rows], whole)
    ]
    for index, name in enumerate(block.columns):
        cells = [Text(visible(row[index])) for row in texts]
        room = max([cell.cell_len for cell in cells], default=0)
        for cell, row in zip(cells, block.cells, strict=True):
            _paint(page, cell, row[index], room, block)
        columns.append(
            TextColumn(visible(f"{block.across} {name}".strip()), "left", cells, whole=True)
        )
    return columns


def _paint(
    page: TerminalPage, text: Text, cell: doc.HeatCell, room: int, block: doc.HeatTable
) -> None:
    """Give a cell its background over the whole width of its column."""
    if page.color:
        text.pad_right(room - text.cell_len)
        text.stylize(shade_style(cell.value, block.low, block.high))


def shade_style(value: float, low: float, high: float) -> str:
    """The colours of a number on a scale."""
    background = heat.shade(value, low, high)
    return f"rgb({_rgb(heat.ink(background))}) on rgb({_rgb(background)})"


def _rgb(color: heat.Rgb) -> str:
    return ",".join(map(str, color))


def _legend(page: TerminalPage, block: doc.HeatTable) -> None:
    low, high = block.low_means or "smaller", block.high_means or "larger"
    page.note(
        f"number: {block.meaning}; below {block.shift:.3g} {low}, above {block.shift:.3g} "
        f"{high}{f'; behind the mark: {block.beside_meaning}' if block.beside_meaning else ''}"
    )
    if page.color:
        scale = [
            (
                f" {value + block.shift:.3g} " if block.shift or not value else f" {value:+g} ",
                shade_style(value, block.low, block.high),
            )
            for value in _steps(block.low, block.high)
        ]
        page.line(Text.assemble(("colour: ", "dim"), *scale))
    if marks := heat.legend(
        (cell.verdict for row in block.cells for cell in row), page.glyphs.verdicts
    ):
        page.note(marks)


def _steps(low: float, high: float) -> Iterable[float]:
    return [low, low * 2 / 3, low / 3, 0.0, high / 3, high * 2 / 3, high]
