"""Heat tables: number and verdict in every cell, the number's size as colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dlprobe.render import heat
from dlprobe.render.document import HeatCell, HeatTable
from dlprobe.render.safe_text import visible
from dlprobe.render.vega.frame import PictureFrame

ROW = 34  # pixels


def heat_table(block: HeatTable, frame: PictureFrame) -> dict[str, Any]:
    """Cells in the order of the table; blue below 0, red above, the sign and the word say the
    same without colour.
    """
    rows = [visible(name) for name in block.rows]
    columns = [visible(name) for name in block.columns]
    down, _, across = block.stub.partition(" \\ ")
    both = {
        "y": _axis("row", rows, down, labelLimit=400),
        "x": _axis("column", columns, block.across or across, orient="top", labelAngle=0),
    }
    color = {
        "field": "value",
        "type": "quantitative",
        "scale": _diverging(block.low, block.high),
        "legend": {
            "title": None,
            "orient": "bottom",
            "direction": "horizontal",
            "gradientLength": round(frame.width * 0.6),
            "tickCount": 7,
            **(
                {"labelExpr": f"format(datum.value + {block.shift}, '.3~g')"} if block.shift else {}
            ),
        },
    }
    text_color = {"field": "ink", "type": "nominal", "scale": None, "legend": None}
    return {
        **frame.head(block.caption, notes(block)),
        "width": frame.width,
        "height": {"step": ROW},
        "data": {"values": _cells(block, rows, columns)},
        "layer": [
            {
                "transform": [{"filter": "!isValid(datum.value)"}],
                "mark": {"type": "rect", "color": _hex(heat.MISSING_COLOR)},
                "encoding": both,
            },
            {
                "mark": {"type": "rect", "stroke": frame.theme.grid},
                "encoding": {**both, "color": color},
            },
            {
                "mark": {"type": "text"},
                "encoding": {
                    **both,
                    "text": {"field": "text", "type": "nominal"},
                    "color": text_color,
                },
            },
        ],
        "resolve": {"scale": {"color": "independent"}},
    }


def _axis(field: str, names: Sequence[str], title: str, **own: Any) -> dict[str, Any]:
    axis = {"title": visible(title) or None, **own, "grid": False, "ticks": False}
    return {"field": field, "type": "nominal", "scale": {"domain": names}, "axis": axis}


def _cells(block: HeatTable, rows: Sequence[str], columns: Sequence[str]) -> list[dict[str, Any]]:
    """A record per cell, its value within the scale, null where it is NaN."""
    values = []
    for name, cells in zip(rows, block.cells, strict=True):
        for column, cell in zip(columns, cells, strict=True):
            ink = heat.ink(heat.shade(cell.value, block.low, block.high))
            value = None if math.isnan(cell.value) else max(block.low, min(block.high, cell.value))
            texts = {"row": name, "column": column, "text": cell_text(cell)}
            values.append({**texts, "value": value, "ink": _hex(ink)})
    return values


def notes(block: HeatTable) -> list[str]:
    """What number, colour and brackets mean."""
    low, high = block.low_means or "smaller", block.high_means or "larger"
    beside = f"in brackets: {block.beside_meaning}" if block.beside_meaning else ""
    zero = f"{block.shift:.3g}"
    meaning = f"number and colour: {block.meaning}; below {zero} {low}, above {zero} {high}"
    return [meaning, beside]


def cell_text(cell: HeatCell) -> str:
    """Number, verdict, and what else the cell says, in brackets."""
    beside = f"({visible(cell.beside).strip()})" if cell.beside.strip() else ""
    text = " ".join(filter(None, [heat.number_of(cell), visible(cell.verdict), beside]))
    return text.replace("-", "−", 1 if cell.value < 0 else 0)


def _diverging(low: float, high: float) -> dict[str, Any]:
    return {
        "domain": [low, 0, high],
        "range": [_hex(color) for color in (heat.LOW_COLOR, heat.MIDDLE_COLOR, heat.HIGH_COLOR)],
    }


def _hex(color: heat.Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
