"""Heat tables as tables: a cell with its number and verdict on the number's colour, and a link to
the run behind it. Read aloud, copied and followed by keyboard, which a drawing is not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from dlprobe.render import heat
from dlprobe.render.document import HeatCell, HeatTable
from dlprobe.render.html.text import escaped
from dlprobe.render.vega.heat_table import cell_text, notes

SHADES = 16  # between the middle and each end: every shade is a rule of the page's style


def heat_table(block: HeatTable, headings: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The table, and the rules of style that it needs by their class. headings: ids on the page."""
    rules: dict[str, str] = {}

    def cell(of: HeatCell) -> str:
        back = heat.shade(_rounded(of.value, block), block.low, block.high)
        name, ink = f"heat{_hex(back)}", _hex(heat.ink(back))
        rules[name] = f".{name} {{ background: #{_hex(back)}; color: #{ink}; }}"
        text, place = escaped(cell_text(of)), next(filter(None, map(headings.get, of.runs)), "")
        linked = f'<a href="#{place}">{text}</a>' if place else text
        return f'<td class="{name}">{linked}</td>'

    heads = "".join(f'<th scope="col">{escaped(name)}</th>' for name in block.columns)
    rows = "".join(
        f'<tr><th scope="row">{escaped(name)}</th>{"".join(map(cell, cells))}</tr>'
        for name, cells in zip(block.rows, block.cells, strict=True)
    )
    corner = " \\ ".join(filter(None, [block.stub, block.across]))
    lead = "a cell leads to its run that has come to least" if "<a " in rows else ""
    below = escaped("; ".join(filter(None, [*notes(block), lead])))
    caption = escaped(block.caption)
    return (
        f'<p class="caption">{caption}</p><p><small>{below}</small></p><div class="scroll" '
        f'tabindex="0"><table class="heat" aria-label="{caption}"><thead><tr>'
        f"<th>{escaped(corner)}</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    ), rules


def _rounded(value: float, block: HeatTable) -> float:
    """The value of the nearest shade; NaN stays."""
    end = block.high if value >= 0 else block.low
    return math.nan if math.isnan(value) else end * round(SHADES * min(1.0, value / end)) / SHADES


def _hex(color: heat.Rgb) -> str:
    return "{:02x}{:02x}{:02x}".format(*color)
