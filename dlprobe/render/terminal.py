"""Document → terminal, drawn with rich; plain text without escape codes where the stream is no terminal, NO_COLOR is set or colour is switched off.

Nothing is said by colour alone: without it verdicts are words, series have their own marks and numbers stay. Streams whose encoding carries no block
characters get ASCII. Text from data is made visible first and never parsed as markup.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from dlprobe.render import density, formats, heat, line_chart, sparkline
from dlprobe.render import document as doc
from dlprobe.render.columns import Group, Widths, breakable, fit, wrap_name
from dlprobe.render.numbers import value_text
from dlprobe.render.safe_text import encodable, visible

_NARROWEST = 40
_GAP = 2
_SERIES = ("cyan", "yellow", "magenta", "green", "blue", "red")
_TONES = {"good": "bold green", "bad": "bold red", "warning": "bold yellow", "neutral": ""}


@dataclass(frozen=True)
class Glyphs:
    """The characters that a stream can carry."""

    marks: dict[str, str]
    line: str
    double: str
    corner: str
    upright: str
    bullet: str
    swatch: str
    blocks: str
    chart: str
    shades: str
    table: box.Box


_UNICODE = Glyphs(
    marks={"good": "✓ ", "bad": "✗ ", "warning": "! ", "neutral": ""},
    line="─",
    double="═",
    corner="└",
    upright="│",
    bullet="• ",
    swatch="━",
    blocks=sparkline.BLOCKS,
    chart=line_chart.MARKS,
    shades=density.SHADES,
    table=box.SIMPLE_HEAD,
)
_ASCII = Glyphs(
    marks={"good": "ok: ", "bad": "BAD: ", "warning": "! ", "neutral": ""},
    line="-",
    double="=",
    corner="+",
    upright="|",
    bullet="* ",
    swatch="-",
    blocks=sparkline.ASCII_BLOCKS,
    chart=line_chart.ASCII_MARKS,
    shades=density.ASCII_SHADES,
    table=box.Box(str(box.SIMPLE_HEAD).replace("─", "-"), ascii=True),
)


def render(document: doc.Document, stream: TextIO, *, width: int | None = None, color: bool | None = None) -> None:
    """Draw the document on a stream.

    `width` is in characters (None: the terminal's, 80 where there is none; below 40 it is drawn as 40). `color` None asks the stream: colour on a terminal
    unless NO_COLOR is set or TERM is dumb.
    """
    painted = wants_color(stream) if color is None else color
    encoding = getattr(stream, "encoding", None) or "utf-8"
    page = _Page(max(_NARROWEST, width or shutil.get_terminal_size((80, 24)).columns), painted, _glyphs(encoding))
    page.draw(document)
    stream.write(encodable(page.text(), encoding))


def wants_color(stream: TextIO) -> bool:
    """Whether a stream should be coloured when nobody said so: a terminal, no NO_COLOR (https://no-color.org), not a dumb one."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _glyphs(encoding: str) -> Glyphs:
    try:
        "⠿█▁░▒▓•×○─═└│✓✗━".encode(encoding)
    except UnicodeEncodeError:
        return _ASCII
    return _UNICODE


def _color_system() -> Literal["standard", "256", "truecolor"]:
    if os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "truecolor"
    return "standard" if os.environ.get("TERM", "") in ("linux", "vt100", "ansi") else "256"


class _Page:
    """Collects the drawn document as text: a rich console that writes to memory, with every choice made here and none by its environment."""

    def __init__(self, width: int, color: bool, glyphs: Glyphs) -> None:
        self.width, self.color, self.glyphs = width, color, glyphs
        self.console = Console(
            file=io.StringIO(),
            width=width,
            height=1000,
            color_system=_color_system() if color else None,
            force_terminal=color,
            no_color=not color,
            force_jupyter=False,
            force_interactive=False,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def text(self) -> str:
        """Everything drawn so far, without blanks at line ends."""
        file = self.console.file
        assert isinstance(file, io.StringIO)
        return "".join(line.rstrip() + "\n" for line in file.getvalue().removesuffix("\n").split("\n"))

    def draw(self, document: doc.Document) -> None:
        """Title and blocks, a blank line between those that do not belong together."""
        self.title(document.title, self.glyphs.double)
        previous: doc.Block | None = None
        for block in document.blocks:
            if previous is not None and not _belong(previous, block):
                self.line("")
            _DRAWINGS[type(block)](self, block)
            previous = block

    def title(self, title: str, rule: str) -> None:
        """A title with a rule below, so that it stands out without colour too."""
        if title:
            text = visible(title)
            self.wrapped(Text(text, "bold"))
            self.line(rule * min(self.width, cell_len(text)), "dim")

    def line(self, text: str | Text, style: str = "") -> None:
        """One line as it is, however long."""
        self.console.print(text if isinstance(text, Text) else Text(text, style), no_wrap=True, overflow="ignore", crop=False)

    def wrapped(self, text: Text, indent: str = "") -> None:
        """Text in lines of the page's width, all but the first indented."""
        first, *others = text.wrap(self.console, self.width - len(indent)) or [Text("")]
        self.line(first)
        for other in others:
            self.line(Text(indent) + other)

    def caption(self, caption: str) -> None:
        """What a table or picture shows."""
        if caption:
            self.wrapped(Text(visible(caption), "bold"))

    def note(self, note: str) -> None:
        """Small print below a picture."""
        self.wrapped(Text(visible(note), "dim"))


def _belong(previous: doc.Block, block: doc.Block) -> bool:
    return isinstance(previous, doc.Heading) or (isinstance(block, doc.Verdict | doc.Hint) and type(block) is type(previous))


def _heading(page: _Page, block: doc.Heading) -> None:
    if block.level == 1:
        page.title(block.text, page.glyphs.line)
    else:
        page.wrapped(Text(visible(block.text), "bold"))


def _paragraph(page: _Page, block: doc.Paragraph) -> None:
    page.wrapped(Text(visible(block.text), _TONES[block.tone]))


def _lines(page: _Page, block: doc.Lines) -> None:
    for line in block.lines:
        page.line(visible(line.expandtabs(4)))


def _bullets(page: _Page, block: doc.Bullets) -> None:
    for item in block.items:
        page.wrapped(Text(page.glyphs.bullet + visible(item)), indent="  ")


def _verdict(page: _Page, block: doc.Verdict) -> None:
    page.wrapped(Text(page.glyphs.marks[block.tone] + visible(block.line), _TONES[block.tone]), indent="  ")


def _hint(page: _Page, block: doc.Hint) -> None:
    page.line(Text.assemble(("next: ", "dim"), (visible(block.command), "bold")))


def _facts(page: _Page, block: doc.Facts) -> None:
    if not block.pairs:
        return
    keys = [visible(key) for key, _ in block.pairs]
    room = min(max(map(cell_len, keys)), page.width * 2 // 5)
    for key, (_, value) in zip(keys, block.pairs, strict=True):
        *above, last = wrap_name(key, room)
        for line in above:
            page.line(line, "dim")
        first, *others = _cell(value, digits=6).wrap(page.console, page.width - room - _GAP) or [Text("")]
        page.line(Text.assemble((last.ljust(room + _GAP), "dim"), first))
        for other in others:
            page.line(Text(" " * (room + _GAP)) + other)


def _cell(value: doc.Cell, digits: int) -> Text:
    return Text(visible(value_text(value, digits)), _TONES[value.tone] if isinstance(value, doc.Toned) else "")


def _table(page: _Page, block: doc.Table) -> None:
    page.caption(block.caption)
    names = [visible(f"{column.name} [{column.unit}]" if column.unit else column.name) for column in block.columns]
    rows = [[_cell(cell, column.digits) for cell, column in zip(row, block.columns, strict=True)] for row in block.rows]
    columns = [_Column(name, column.align, [row[index] for row in rows]) for index, (name, column) in enumerate(zip(names, block.columns, strict=True))]
    _draw_columns(page, columns)


@dataclass(frozen=True)
class _Column:
    """A column ready to draw: header, alignment and cells."""

    name: str
    align: doc.Alignment
    cells: Sequence[Text]
    whole: bool = False

    @property
    def widths(self) -> Widths:
        """Right-aligned and `whole` cells are never broken; left-aligned ones may wrap at words, long words at 24 characters."""
        header = max([1, *(cell_len(piece.rstrip()) for piece in breakable(self.name))])
        natural = max([header, *(cell.cell_len for cell in self.cells)])
        words = [cell_len(word) for cell in self.cells for word in cell.plain.split()]
        least = natural if self.align == "right" or self.whole else min(24, max([header, *words]))
        return Widths(least, natural, max(natural, cell_len(self.name)))


def _draw_columns(page: _Page, columns: Sequence[_Column]) -> None:
    """Draw columns as one table, or as several below each other that repeat the first column."""
    for number, group in enumerate(fit([column.widths for column in columns], page.width, _GAP)):
        if number:
            page.line("")
        page.console.print(_rich_table(page, columns, group))


def _rich_table(page: _Page, columns: Sequence[_Column], group: Group) -> RichTable:
    table = RichTable(box=page.glyphs.table, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0), header_style="bold")
    for index, width in group:
        column = columns[index]
        header = Text("\n".join(wrap_name(column.name, width)))
        table.add_column(header, justify=column.align, width=width, overflow="fold", vertical="top")
    for cells in zip(*(columns[index].cells for index, _ in group), strict=True):
        table.add_row(*cells)
    return table


def _heat_table(page: _Page, block: doc.HeatTable) -> None:
    page.caption(block.caption)
    ways = heat.shortenings(cell.verdict for row in block.cells for cell in row)
    words, columns = _heat_columns_that_fit(page, block, ways)
    _draw_columns(page, columns)
    _heat_legend(page, block, words)


def _heat_columns_that_fit(page: _Page, block: doc.HeatTable, ways: Sequence[dict[str, str]]) -> tuple[dict[str, str], list[_Column]]:
    """The table in one piece with the longest words for which there is room: rather shorter verdicts than broken row names, rather broken row names than
    single letters. If nothing fits, the table comes in several pieces with words of three letters.
    """
    readable = [way for way in ways if max(map(len, way.values()), default=0) >= 3] or list(ways)
    for words, whole in [*((way, True) for way in readable), *((way, False) for way in ways)]:
        columns = _heat_columns(page, block, words, whole)
        if len(fit([column.widths for column in columns], page.width, _GAP)) == 1:
            return words, columns
    return readable[-1], _heat_columns(page, block, readable[-1], whole=False)


def _heat_columns(page: _Page, block: doc.HeatTable, words: dict[str, str], whole: bool) -> list[_Column]:
    texts = heat.cell_texts(block.cells, words)
    columns = [_Column(visible(block.stub), "left", [Text(visible(name)) for name in block.rows], whole)]
    for index, name in enumerate(block.columns):
        cells = [Text(visible(row[index])) for row in texts]
        room = max([cell.cell_len for cell in cells], default=0)
        for cell, row in zip(cells, block.cells, strict=True):
            _paint(page, cell, row[index], room, block)
        columns.append(_Column(visible(f"{block.across} {name}".strip()), "left", cells, whole=True))
    return columns


def _paint(page: _Page, text: Text, cell: doc.HeatCell, room: int, block: doc.HeatTable) -> None:
    """Give a cell its background over the whole width of its column."""
    if page.color:
        text.pad_right(room - text.cell_len)
        text.stylize(_shade_style(cell.value, block))


def _shade_style(value: float, block: doc.HeatTable) -> str:
    background = heat.shade(value, block.low, block.high)
    return f"rgb({_rgb(heat.ink(background))}) on rgb({_rgb(background)})"


def _rgb(color: heat.Rgb) -> str:
    return ",".join(map(str, color))


def _heat_legend(page: _Page, block: doc.HeatTable, words: dict[str, str]) -> None:
    low, high = block.low_means or "smaller", block.high_means or "larger"
    page.note(f"number: {block.meaning}; below 0 {low}, above 0 {high}")
    if page.color:
        scale = [(f" {value:+g} " if value else " 0 ", _shade_style(value, block)) for value in _steps(block.low, block.high)]
        page.line(Text.assemble(("colour: ", "dim"), *scale))
    shortened = [f"{short}={word}" for word, short in words.items() if short != word]
    if shortened:
        page.note("verdict: " + ", ".join(shortened))


def _steps(low: float, high: float) -> Iterable[float]:
    """Seven numbers from low over 0 to high."""
    return [low, low * 2 / 3, low / 3, 0.0, high / 3, high * 2 / 3, high]


def _chart(page: _Page, block: doc.Chart) -> None:
    page.caption(block.caption)
    marks = page.glyphs.chart if page.glyphs is _ASCII or (len(block.series) > 1 and not page.color) else None
    plot = line_chart.draw(block, min(page.width, 110), 12, marks)
    if not plot.rows:
        page.note("no finite value to draw")
        return
    axes = f"{block.y_label}{' (log scale)' if block.log_y else ''} over {block.x_label}".removesuffix(" over ").strip()
    axes += " (log scale)" if block.log_x else ""
    if axes:
        page.note(axes)
    for number, characters in plot.rows:
        head = Text(f"{number:>{plot.margin}} {page.glyphs.upright}", "dim")
        page.line(head.append_text(Text.assemble(*((one, "" if owner is None else "not dim " + _series_style(owner)) for one, owner in characters))))
    page.line(" " * (plot.margin + 1) + page.glyphs.corner + page.glyphs.line * len(plot.rows[0][1]), "dim")
    page.line(" " * (plot.margin + 2) + plot.x_numbers, "dim")
    _chart_legend(page, block, marks, plot.left_out)


def _chart_legend(page: _Page, block: doc.Chart, marks: str | None, left_out: int) -> None:
    line = Text()
    for owner, series in enumerate(block.series):
        mark = marks[owner % len(marks)] if marks else page.glyphs.swatch * 2
        entry = Text.assemble((f"{mark} ", _series_style(owner)), visible(series.name))
        if line and line.cell_len + 3 + entry.cell_len > page.width:  # a mark and its name stay together
            page.wrapped(line)
            line = Text()
        line.append("   " if line else "").append_text(entry)
    page.wrapped(line)
    if left_out:
        page.note(f"{left_out} values cannot be drawn (not finite{', or not above 0 on a log scale' if block.log_x or block.log_y else ''})")


def _series_style(owner: int) -> str:
    return _SERIES[owner % len(_SERIES)]


def _density(page: _Page, block: doc.Density) -> None:
    page.caption(block.caption)
    picture = density.draw(block, min(page.width, 110), page.glyphs.shades)
    if not picture.rows:
        page.note("no finite value to draw")
        return
    page.note(f"{block.y_label} over {block.x_label}".removesuffix(" over ").strip())
    for number, characters in picture.rows:
        page.line(Text.assemble((f"{number:>{picture.margin}} {page.glyphs.upright}", "dim"), (characters, "cyan")))
    page.line(" " * (picture.margin + 2) + picture.steps, "dim")


def _profile(page: _Page, block: doc.Profile) -> None:
    page.caption(block.caption)
    if not block.series:
        return
    ends = [[value_text(float(series.values[index]), 3) if series.values else "-" for index in (0, -1)] for series in block.series]
    heads = [_short(block.layers[index]) if block.layers else "" for index in (0, -1)]
    first, last = (max([len(heads[end]), *(len(pair[end]) for pair in ends)]) for end in (0, 1))
    room, length = _profile_room(page, block, first + last + 2 * _GAP)
    bars = [sparkline.sparkline(series.values, _scale(block, series), length, page.glyphs.blocks) for series in block.series]
    longest = max(map(len, bars))
    if any(heads):
        page.line(f"{'':{room}}{heads[0]:>{first}}  {'':{longest}}  {heads[1]}", "dim")
    for series, (start, end), bar in zip(block.series, ends, bars, strict=True):
        name, verdict, style = _short(series.name, _LONGEST_NAME), _short(series.verdict), _TONES[series.tone]
        if not room:
            page.line(Text.assemble(name, "  ", (verdict, style)))
        line = Text.assemble(f"{name:{room}}" if room else "", f"{start:>{first}}  ", (f"{bar:{longest}}", style or "cyan"), f"  {end:{last}}")
        page.line(line.append(f"  {verdict}", style) if room else line)
    _profile_legend(page, block, "".join(bars))


_LONGEST_NAME = 24


def _profile_room(page: _Page, block: doc.Profile, taken: int) -> tuple[int, int]:
    """Width of the name column and of the bars; names go on a line of their own (0) where they would leave fewer than 16 characters to the bars."""
    names = max(len(_short(series.name, _LONGEST_NAME)) for series in block.series) + _GAP
    verdicts = max(len(_short(series.verdict)) for series in block.series) + _GAP
    beside = page.width - taken - names - verdicts
    return (names, min(80, beside)) if beside >= 16 else (0, max(4, page.width - taken))


def _short(name: str, most: int = 16) -> str:
    """A name that must stay on its line; names longer than any of ours lose their middle."""
    text = visible(name)
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-(most // 2 - 1) :]}"


def _scale(block: doc.Profile, series: doc.LayerSeries) -> tuple[float, float]:
    values = [value for one in block.series for value in one.values] if block.shared_scale else series.values
    return sparkline.log_scale(values)


def _profile_legend(page: _Page, block: doc.Profile, bars: str) -> None:
    if block.shared_scale:
        low, high = _scale(block, block.series[0])
        page.note(f"bars: log scale from {10**low:.2g} to {10**high:.2g}")
    else:
        page.note("bars: log scale, each line on its own")
    marks = sparkline.specials(bars, page.glyphs.blocks)
    if marks:
        page.note("in the bars: " + ", ".join(f"{mark} = {sparkline.SPECIAL[mark]}" for mark in marks))


_DRAWINGS: dict[type, Callable[[_Page, Any], None]] = {
    doc.Heading: _heading,
    doc.Paragraph: _paragraph,
    doc.Lines: _lines,
    doc.Bullets: _bullets,
    doc.Facts: _facts,
    doc.Table: _table,
    doc.HeatTable: _heat_table,
    doc.Chart: _chart,
    doc.Density: _density,
    doc.Profile: _profile,
    doc.Verdict: _verdict,
    doc.Hint: _hint,
}

formats.register("table", "tables and pictures for people, as wide as the terminal", render)
