"""Tables with small histograms in their cells: each histogram with the name of its row and the
ends of its axis.
"""

from __future__ import annotations

from typing import Any

from dlprobe.render.document import Heights, Table
from dlprobe.render.safe_text import visible
from dlprobe.render.vega.frame import PictureFrame, named_ticks
from dlprobe.render.vega.themes import LINES

ROW = 34  # pixels
HIGHEST = 0.8  # share of a row


def drawn_cells(block: Table) -> list[tuple[str, Heights]]:
    """Name and histogram of each row that has one; the first text of a row is its name."""
    return [
        (next((cell for cell in row if isinstance(cell, str)), ""), cell)
        for row in block.rows
        for cell in row
        if isinstance(cell, Heights) and any(value > 0 for value in cell.values)
    ]


def histograms(block: Table, frame: PictureFrame) -> dict[str, Any]:
    """One plot, row below row; every histogram is as wide as the plot and has its own scale."""
    cells = drawn_cells(block)
    bars = [
        {
            "x": place / len(cell.values),
            "x2": (place + 1) / len(cell.values),
            "y": row + 1 - HIGHEST * value / max(cell.values),
            "y2": row + 1,
        }
        for row, (_, cell) in enumerate(cells)
        for place, value in enumerate(cell.values)
        if value > 0
    ]
    ends = [
        {"x": 1, "y": row + 1 - HIGHEST / 2, "text": visible(cell.ends)}
        for row, (_, cell) in enumerate(cells)
    ]
    ticks = named_ticks({row + 0.6: name for row, (name, _) in enumerate(cells)})
    axis = {"title": None, "labelLimit": 300, "ticks": False, "grid": False, **ticks}
    axes: dict[str, Any] = {
        "x": {"field": "x", "type": "quantitative", "scale": {"domain": [0, 1]}, "axis": None},
        "y": {
            "field": "y",
            "type": "quantitative",
            "scale": {"domain": [len(cells), 0], "nice": False},
            "axis": {**axis, "domain": False, "labelOverlap": False},
        },
    }
    to = {"x2": {"field": "x2"}, "y2": {"field": "y2"}}
    rect = {"type": "rect", "color": LINES[0], "stroke": None}
    text = {"type": "text", "align": "left", "dx": 10}
    return {
        **frame.head(block.caption),
        "width": frame.width,
        "height": ROW * len(cells),
        "layer": [
            {"data": {"values": bars}, "mark": rect, "encoding": {**axes, **to}},
            {
                "data": {"values": ends},
                "mark": text,
                "encoding": {**axes, "text": {"field": "text", "type": "nominal"}},
            },
        ],
    }
