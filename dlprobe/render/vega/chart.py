"""Line charts: a line per series, areas between series that are edges of another one, points
where they are few.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dlprobe.render.document import Chart, Series
from dlprobe.render.safe_text import visible
from dlprobe.render.vega.frame import Frame, named_scales, scale_and_axis
from dlprobe.render.vega.marks import shape

FEW = 30  # points of a series that are marked one by one


def chart(block: Chart, frame: Frame) -> dict[str, Any]:
    """One plot. Values that cannot be drawn leave a gap, and their number is told."""
    lines = [series for series in block.series if not series.bounds]
    rows = [row for index, series in enumerate(lines) for row in _rows(series, block, index)]
    areas = _areas(block)
    known = [row for row in [*rows, *areas] if row.get("y") is not None]
    if not known:
        return frame.empty(block.caption)
    points = all(len(series.x) <= FEW for series in lines)
    x = scale_and_axis(
        [row["x"] for row in known], block.log_x, block.x_label, block.x_names, ends=True
    )
    y = scale_and_axis(
        [row[end] for row in known for end in ("y", "y2") if row.get(end) is not None],
        block.log_y,
        block.y_label,
    )
    lost = sum(row["y"] is None for row in rows)
    note = (
        (
            f"{lost} value{'s' * (lost != 1)} cannot be drawn (not "
            f"finite{', or not above 0' if block.log_x or block.log_y else ''})"
        )
        if lost
        else ""
    )
    both = {
        "x": {"field": "x", "type": "quantitative", **x},
        "y": {"field": "y", "type": "quantitative", **y},
    }
    layers: list[dict[str, Any]] = []
    apart = named_scales(frame, lines)
    if areas:
        of_area = {
            **both,
            "y2": {"field": "y2"},
            "detail": {"field": "pair", "type": "nominal"},
            "color": apart["color"],
        }
        layers.append(
            {
                "data": {"values": areas},
                "mark": {"type": "area", "opacity": 0.22},
                "encoding": of_area,
            }
        )
    mark: dict[str, Any] = {
        "type": "line",
        "strokeWidth": 2.5,
        "interpolate": "linear",
        "invalid": "break-paths-show-domains",
    }
    layers.append(
        {
            "data": {"values": rows},
            "mark": mark,
            "encoding": {**both, **{key: apart[key] for key in ("color", "strokeDash")}},
        }
    )
    if points:
        seen = {
            "data": {"values": [row for row in rows if row["y"] is not None]},
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
        }
        layers.append(
            {**seen, "encoding": {**both, "color": apart["color"], "shape": apart["shape"]}}
        )
    return {
        **frame.head(block.caption, [*_told(block.series), note]),
        "width": frame.width,
        "height": frame.height,
        "layer": layers,
    }


def _rows(series: Series, block: Chart, index: int) -> list[dict[str, Any]]:
    """A row per point, y None for a gap; a point without a place on the x axis is left out."""
    seen = {"series": visible(series.name), "shape": shape(index)}
    rows = []
    for x, y in zip(series.x, series.y, strict=True):
        if _can_be_drawn(x, block.log_x):
            rows.append(
                {**seen, "x": float(x), "y": float(y) if _can_be_drawn(y, block.log_y) else None}
            )
    return rows


def _can_be_drawn(value: float, log: bool) -> bool:
    return math.isfinite(value) and (value > 0 or not log)


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
                _can_be_drawn(x, block.log_x)
                and _can_be_drawn(y, block.log_y)
                and _can_be_drawn(other, block.log_y)
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
    for name in dict.fromkeys(each.bounds for each in series if each.bounds):
        edges = [each for each in series if each.bounds == name]
        pairs += [(name, edges[index], edges[-1 - index]) for index in range(len(edges) // 2)]
    return pairs
