"""Line charts: braille where there is colour or one series, a mark of its own per series where
there is not.
"""

from __future__ import annotations

from rich.text import Text

from dlprobe.registry import counted
from dlprobe.render import document as doc
from dlprobe.render.safe_text import visible
from dlprobe.render.terminal import line_chart
from dlprobe.render.terminal.page import WIDEST_PICTURE, TerminalPage

_HEIGHT = 12
_COLORS = ("cyan", "yellow", "magenta", "green", "blue", "red")


def chart(page: TerminalPage, block: doc.Chart) -> None:
    """Curves between two axes, and below them which is which."""
    page.caption(block.caption)
    marks = (
        page.glyphs.chart
        if not page.glyphs.braille or (len(block.series) > 1 and not page.color)
        else None
    )
    plot = line_chart.draw(block, min(page.width, WIDEST_PICTURE), _HEIGHT, marks)
    if not plot.rows:
        page.note("no finite value to draw")
        return
    axes = (
        f"{block.y_label}{' (log scale)' if block.log_y else ''} over {block.x_label}".removesuffix(
            " over "
        ).strip()
    )
    axes += " (log scale)" if block.log_x else ""
    if axes:
        page.note(axes)
    for number, characters in plot.rows:
        head = Text(f"{number:>{plot.margin}} {page.glyphs.upright}", "dim")
        page.line(
            head.append_text(
                Text.assemble(
                    *(
                        (one, "" if owner is None else "not dim " + _color(owner))
                        for one, owner in characters
                    )
                )
            )
        )
    page.line(
        " " * (plot.margin + 1) + page.glyphs.corner + page.glyphs.line * len(plot.rows[0][1]),
        "dim",
    )
    page.line(" " * (plot.margin + 2) + plot.x_numbers, "dim")
    _legend(page, block, marks, plot.left_out)


def _legend(page: TerminalPage, block: doc.Chart, marks: str | None, left_out: int) -> None:
    line = Text()
    for owner, series in enumerate(block.series):
        mark = marks[owner % len(marks)] if marks else page.glyphs.swatch * 2
        entry = Text.assemble((f"{mark} ", _color(owner)), visible(series.name))
        # a mark and its name stay together
        if line and line.cell_len + 3 + entry.cell_len > page.width:
            page.wrapped(line)
            line = Text()
        line.append("   " if line else "").append_text(entry)
    page.wrapped(line)
    if left_out:
        page.note(
            f"{counted(left_out, 'value')} cannot be drawn (not "
            f"finite{', or not above 0 on a log scale' if block.log_x or block.log_y else ''})"
        )


def _color(owner: int) -> str:
    return _COLORS[owner % len(_COLORS)]
