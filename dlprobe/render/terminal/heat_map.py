"""Heat maps: a number in a character for each layer and step, its size as background where there is colour."""

from __future__ import annotations

import math

from rich.text import Text

from dlprobe.render import document as doc
from dlprobe.render import heat_map as heat_maps
from dlprobe.render.terminal.heat_table import shade_style
from dlprobe.render.terminal.page import WIDEST_PICTURE, Page


def heat_map(page: Page, block: doc.HeatMap) -> None:
    """Time across, the layer nearest the input on top."""
    page.caption(block.caption)
    picture = heat_maps.drawn_map(block, min(page.width, WIDEST_PICTURE))
    for name, marks, values in picture.rows:
        line = Text.assemble((f"{name} ", "dim"))
        for mark, value in zip(marks, values, strict=True):
            painted = page.color and not math.isnan(value)
            line.append(mark, shade_style(value, block.low, block.high) if painted else "")
        page.line(line)
    page.line(picture.steps, "dim")
    page.note(f"{block.meaning}: {heat_maps.MARKS}")
