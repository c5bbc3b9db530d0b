"""Heat maps: numbers on a diverging log10 scale, a row per layer, as time goes on."""

from __future__ import annotations

import math
from typing import Any

from dlprobe.render.document import HeatMap
from dlprobe.render.safe_text import visible
from dlprobe.render.vega.frame import Frame, scale_and_axis
from dlprobe.render.vega.heat_table import diverging
from dlprobe.render.vega.step_map import step_ends


def heat_map(block: HeatMap, frame: Frame) -> dict[str, Any]:
    """Rectangles, the first row below: layers run upwards from the input to the output."""
    chosen = frame.spread(len(block.x))
    starts = [float(block.x[index]) for index in chosen]
    ends = step_ends(starts)
    rows = [visible(name) for name in block.rows]
    values = [
        {"x": start, "x2": end, "row": name, "value": max(block.low, min(block.high, float(numbers[index])))}
        for name, numbers in zip(rows, block.values, strict=True)
        for index, start, end in zip(chosen, starts, ends, strict=True)
        if not math.isnan(numbers[index])
    ]
    x = scale_and_axis([*starts, *ends], False, block.x_label, ends=True)
    return {
        **frame.head(block.caption or block.meaning),
        "width": frame.width,
        "height": min(frame.height, max(120, 22 * len(rows))),
        "data": {"values": values},
        "mark": {"type": "rect"},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", **x, "axis": {**x["axis"], "grid": False}},
            "x2": {"field": "x2"},
            "y": {"field": "row", "type": "nominal", "scale": {"domain": rows[::-1]}, "axis": {"title": None, "grid": False, "ticks": False}},
            "color": {"field": "value", "type": "quantitative", "scale": diverging(block.low, block.high), "legend": {"title": "log10"}},
        },
    }
