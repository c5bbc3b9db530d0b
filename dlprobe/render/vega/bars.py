"""Bars: how large each of a few things is beside the largest."""

from __future__ import annotations

import math
from typing import Any

from dlprobe.render.document import Bars
from dlprobe.render.safe_text import visible
from dlprobe.render.vega.frame import PictureFrame
from dlprobe.render.vega.themes import LINES

ROW = 28  # pixels


def bars(block: Bars, frame: PictureFrame) -> dict[str, Any]:
    """A bar for each row, its text behind it."""
    values = [
        {
            "place": index,
            "name": visible(name),
            "value": float(value) if math.isfinite(value) else None,
            "text": visible(text),
        }
        for index, (name, value, text) in enumerate(
            zip(block.names, block.values, block.texts, strict=True)
        )
    ]
    both: dict[str, Any] = {
        "y": {
            "field": "name",
            "type": "nominal",
            "sort": None,
            "axis": {"title": None, "labelLimit": 300, "ticks": False},
        },
        "x": {"field": "value", "type": "quantitative", "axis": {"title": None, "tickCount": 5}},
    }
    return {
        **frame.head(block.caption),
        "width": frame.width,
        "height": {"step": ROW},
        "data": {"values": values},
        "layer": [
            {"mark": {"type": "bar", "color": LINES[0]}, "encoding": both},
            {
                "mark": {"type": "text", "align": "left", "dx": 5},
                "encoding": {**both, "text": {"field": "text", "type": "nominal"}},
            },
        ],
    }
