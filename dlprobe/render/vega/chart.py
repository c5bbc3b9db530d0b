"""Line charts: a line per series, areas between series that are edges of another one, points
where they are few.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dlprobe.registry import counted
from dlprobe.render.document import Chart, Series
from dlprobe.render.safe_text import visible
from dlprobe.render.vega.frame import PictureFrame, scale_and_axis
from dlprobe.render.vega.lines import FEW, THIN, can_be_drawn, line_layers, rows_of, runs_of


def chart(block: Chart, frame: PictureFrame) -> dict[str, Any]:
    """One plot. Values that cannot be drawn leave a gap, and their number is told."""
    logs = block.log_x, block.log_y
    lines = [series for series in block.series if not series.bounds]
    rows = [
        row
        for number, series in enumerate(lines)
        for row in rows_of(series.name, number, series.x, series.y, *logs)
    ]
    runs = [row for series in lines for row in runs_of(frame, series, series.x, *logs)]
    areas = _areas(block)
    known = [row for row in [*rows, *runs, *areas] if row.get("y") is not None]
    if not known:
        return frame.empty(block.caption)
    x = scale_and_axis(
        [row["x"] for row in known], block.log_x, block.x_label, block.x_names, ends=True
    )
    y = scale_and_axis(
        [
            *(row[end] for row in known for end in ("y", "y2") if row.get(end) is not None),
            *block.y_reach,
        ],
        block.log_y,
        block.y_label,
        ends=bool(block.y_reach),
    )
    lost = sum(row["y"] is None for row in rows)
    above = ", or not above 0" if block.log_x or block.log_y else ""
    note = f"{counted(lost, 'value')} cannot be drawn (not finite{above})" if lost else ""
    axes = {
        "x": {"field": "x", "type": "quantitative", **x},
        "y": {"field": "y", "type": "quantitative", **y},
    }
    points = all(len(series.x) <= FEW for series in lines)
    layers = line_layers(frame, axes, lines, rows, areas=areas, runs=runs, points=points)
    return {
        **frame.head(block.caption, [*_told(block.series), THIN if runs else "", note]),
        "width": frame.width,
        "height": frame.height,
        "layer": layers,
    }


def _areas(block: Chart) -> list[dict[str, Any]]:
    """Rows between the edges of the series that have some: y on one, y2 on the other edge,
    `pair` numbers the areas.
    """
    areas: list[dict[str, Any]] = []
    for index, (name, low, high) in enumerate(_pairs(block.series)):
        others = dict(zip(high.x, high.y, strict=True))
        for x, y in zip(low.x, low.y, strict=True):
            other = others.get(x, math.nan)
            if (
                can_be_drawn(x, block.log_x)
                and can_be_drawn(y, block.log_y)
                and can_be_drawn(other, block.log_y)
            ):
                areas.append(
                    {
                        "series": visible(name),
                        "pair": index,
                        "x": float(x),
                        "y": float(y),
                        "y2": float(other),
                    }
                )
    return areas


def _told(series: Sequence[Series]) -> list[str]:
    """What is shaded around which line."""
    edges: dict[str, list[str]] = {}
    for name, low, high in _pairs(series):
        edges.setdefault(name, []).append(f"{low.name} to {high.name}")
    return [f"line: {name}, shaded: {' and '.join(texts)}" for name, texts in edges.items()]


def _pairs(series: Sequence[Series]) -> list[tuple[str, Series, Series]]:
    """(name of the series that is bounded, one edge, the other)."""
    pairs = []
    for name in dict.fromkeys(curve.bounds for curve in series if curve.bounds):
        edges = [curve for curve in series if curve.bounds == name]
        pairs += [(name, edges[index], edges[-1 - index]) for index in range(len(edges) // 2)]
    return pairs
