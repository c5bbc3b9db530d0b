"""Tables and facts: cells in columns that are fitted into the page's width."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.table import Table as RichTable
from rich.text import Text

from dlprobe.dataclass import dataclass
from dlprobe.render import document as doc
from dlprobe.render.numbers import heights
from dlprobe.render.safe_text import visible
from dlprobe.render.terminal.columns import Group, Widths, breakable, fit, wrap_name
from dlprobe.render.terminal.page import TerminalPage, cell_text

GAP = 2


@dataclass(frozen=True)
class TextColumn:
    """A column ready to draw: header, alignment and cells. whole: its cells are never broken."""

    name: str
    align: doc.Alignment
    cells: Sequence[Text]
    whole: bool = False

    @property
    def widths(self) -> Widths:
        """Right-aligned and `whole` cells are never broken; left-aligned ones may wrap at
        words, long words at 24 characters.
        """
        header = max([1, *(cell_len(piece.rstrip()) for piece in breakable(self.name))])
        natural = max([header, *(cell.cell_len for cell in self.cells)])
        words = [cell_len(word) for cell in self.cells for word in cell.plain.split()]
        least = natural if self.align == "right" or self.whole else min(24, max([header, *words]))
        return Widths(least, natural, max(natural, cell_len(self.name)))


def table(page: TerminalPage, block: doc.Table) -> None:
    """A table in one piece, or in several where it is too wide."""
    page.caption(block.caption)
    names = [visible(column.title) for column in block.columns]
    rows = [
        [
            drawn_cell(page, cell, column.digits)
            for cell, column in zip(row, block.columns, strict=True)
        ]
        for row in block.rows
    ]
    columns = [
        TextColumn(name, column.align, [row[index] for row in rows])
        for index, (name, column) in enumerate(zip(names, block.columns, strict=True))
    ]
    draw_columns(page, columns)


def drawn_cell(page: TerminalPage, cell: doc.Cell, digits: int) -> Text:
    """A cell as text, a histogram as bars."""
    if isinstance(cell, doc.Heights):
        return Text(heights(cell.values, page.glyphs.blocks), "cyan")
    return cell_text(cell, digits)


def pieces(page: TerminalPage, columns: Sequence[TextColumn]) -> list[Group]:
    """The groups of columns that the page has room for beside each other."""
    return fit([column.widths for column in columns], page.width, GAP)


def draw_columns(page: TerminalPage, columns: Sequence[TextColumn]) -> None:
    """Draw columns as one table, or as several below each other that repeat the first column."""
    for number, group in enumerate(pieces(page, columns)):
        if number:
            page.line("")
        page.console.print(_rich_table(page, columns, group))


def _rich_table(page: TerminalPage, columns: Sequence[TextColumn], group: Group) -> RichTable:
    drawn = RichTable(
        box=page.glyphs.table,
        show_edge=False,
        pad_edge=False,
        padding=(0, GAP - 1, 0, 0),
        header_style="bold",
    )
    for index, width in group:
        column = columns[index]
        header = Text("\n".join(wrap_name(column.name, width)))
        drawn.add_column(header, justify=column.align, width=width, overflow="fold", vertical="top")
    for cells in zip(*(columns[index].cells for index, _ in group), strict=True):
        drawn.add_row(*cells)
    return drawn


def facts(page: TerminalPage, block: doc.Facts) -> None:
    """Keys in a column of at most two fifths of the page, values wrapped beside them."""
    if not block.pairs:
        return
    keys = [visible(key) for key, _ in block.pairs]
    room = min(max(map(cell_len, keys)), page.width * 2 // 5)
    for key, (_, value) in zip(keys, block.pairs, strict=True):
        *above, last = wrap_name(key, room)
        for line in above:
            page.line(line, "dim")
        first, *others = drawn_cell(page, value, digits=6).wrap(
            page.console, page.width - room - GAP
        ) or [Text("")]
        page.line(Text.assemble((last.ljust(room + GAP), "dim"), first))
        for other in others:
            page.line(Text(" " * (room + GAP)) + other)
