"""Heat tables: a number and its verdict in every cell, the number's size as background where there is colour."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from dlprobe.render import document as doc
from dlprobe.render import heat
from dlprobe.render.safe_text import visible
from dlprobe.render.terminal.page import Page
from dlprobe.render.terminal.table import Column, draw_columns, pieces


def heat_table(page: Page, block: doc.HeatTable) -> None:
    """The table, and below it what its numbers, colours and shortened words mean."""
    page.caption(block.caption)
    words, columns = _columns_that_fit(page, block)
    draw_columns(page, columns)
    _legend(page, block, words)


def _columns_that_fit(page: Page, block: doc.HeatTable) -> tuple[dict[str, str], list[Column]]:
    """The table in one piece with the longest words for which there is room: rather shorter verdicts than broken row names, rather broken row names than
    single letters. If nothing fits, the table comes in several pieces with words of three letters.
    """
    ways = heat.shortenings(cell.verdict for row in block.cells for cell in row)
    readable = [way for way in ways if max(map(len, way.values()), default=0) >= 3] or ways
    for words, whole in [*((way, True) for way in readable), *((way, False) for way in ways)]:
        columns = _columns(page, block, words, whole)
        if len(pieces(page, columns)) == 1:
            return words, columns
    return readable[-1], _columns(page, block, readable[-1], whole=False)


def _columns(page: Page, block: doc.HeatTable, words: dict[str, str], whole: bool) -> list[Column]:
    texts = heat.cell_texts(block.cells, words)
    columns = [Column(visible(block.stub), "left", [Text(visible(name)) for name in block.rows], whole)]
    for index, name in enumerate(block.columns):
        cells = [Text(visible(row[index])) for row in texts]
        room = max([cell.cell_len for cell in cells], default=0)
        for cell, row in zip(cells, block.cells, strict=True):
            _paint(page, cell, row[index], room, block)
        columns.append(Column(visible(f"{block.across} {name}".strip()), "left", cells, whole=True))
    return columns


def _paint(page: Page, text: Text, cell: doc.HeatCell, room: int, block: doc.HeatTable) -> None:
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


def _legend(page: Page, block: doc.HeatTable, words: dict[str, str]) -> None:
    low, high = block.low_means or "smaller", block.high_means or "larger"
    page.note(f"number: {block.meaning}; below 0 {low}, above 0 {high}")
    if page.color:
        scale = [(f" {value:+g} " if value else " 0 ", shade_style(value, block.low, block.high)) for value in _steps(block.low, block.high)]
        page.line(Text.assemble(("colour: ", "dim"), *scale))
    shortened = [f"{short}={word}" for word, short in words.items() if short != word]
    if shortened:
        page.note("verdict: " + ", ".join(shortened))


def _steps(low: float, high: float) -> Iterable[float]:
    """Seven numbers from low over 0 to high."""
    return [low, low * 2 / 3, low / 3, 0.0, high / 3, high * 2 / 3, high]
