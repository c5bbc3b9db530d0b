"""What charts and profiles draw alike: areas, single runs as thin lines, the lines themselves,
theory's dotted ones, and points where they are few.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from dlprobe.render.document import LayerSeries, Series
from dlprobe.render.safe_text import visible
from dlprobe.render.vega.frame import PictureFrame, named_scales
from dlprobe.render.vega.marks import shape

FEW = 30  # points of a series that are marked one by one
MOST_RUNS = 30  # single runs behind a median; more make an area of them
THIN = "thick: median, thin: single runs"
Rows = list[dict[str, Any]]


def can_be_drawn(value: float, log: bool) -> bool:
    """Whether a value is finite and, on a log axis, above 0."""
    return math.isfinite(value) and (value > 0 or not log)


def rows_of(
    name: str, number: int, x: Iterable[float], y: Iterable[float], log_x: bool, log_y: bool
) -> Rows:
    """A row per point of the line of that number, y None for a gap; a point without a place on
    the x axis is left out.
    """
    of_line = {"series": visible(name), "shape": shape(number)}
    return [
        {**of_line, "x": float(at), "y": float(value) if can_be_drawn(value, log_y) else None}
        for at, value in zip(x, y, strict=False)
        if can_be_drawn(at, log_x)
    ]


def runs_of(
    frame: PictureFrame, series: Series | LayerSeries, x: Sequence[float], log_x: bool, log_y: bool
) -> Rows:
    """Rows of the runs that the series is the median of, `run` numbers them."""
    chosen = [series.runs[index] for index in frame.spread(len(series.runs), MOST_RUNS)]
    return [
        {**row, "run": run}
        for run, values in enumerate(chosen)
        for places in [frame.spread(min(len(x), len(values)))]
        for row in rows_of(
            series.name,
            0,
            [x[place] for place in places],
            [values[place] for place in places],
            log_x,
            log_y,
        )
    ]


def line_layers(
    frame: PictureFrame,
    axes: dict[str, Any],
    series: Sequence[Series | LayerSeries],
    rows: Rows,
    *,
    areas: Rows,
    runs: Rows,
    theory: Sequence[dict[str, Any]] = (),
    points: bool,
) -> list[dict[str, Any]]:
    """The layers of a plot, the lowest first. axes: encodings of x and y; areas: with a second end
    `y2`, `pair` numbers them; theory: rows with their own `color`.
    """
    apart = named_scales(frame, series)
    line = {"type": "line", "strokeWidth": 2.5, "invalid": "break-paths-show-domains"}

    def layer(
        values: Sequence[dict[str, Any]], mark: dict[str, Any], **encoding: Any
    ) -> dict[str, Any]:
        return {"data": {"values": values}, "mark": mark, "encoding": {**axes, **encoding}}

    def of(field: str) -> dict[str, str]:
        return {"field": field, "type": "nominal"}

    color, dashed = apart["color"], apart["strokeDash"]
    layers = []
    if areas:
        area = {"type": "area", "opacity": 0.22}
        layers.append(layer(areas, area, y2={"field": "y2"}, detail=of("pair"), color=color))
    if runs:
        thin = {**line, "strokeWidth": 0.8, "opacity": 0.5}
        layers.append(layer(runs, thin, color=color, detail=of("run")))
    layers.append(layer(rows, line, color=color, strokeDash=dashed))
    if theory:
        dotted = {**line, "strokeWidth": 2, "strokeDash": [1, 3]}
        own = {**of("color"), "scale": None}
        layers.append(layer(theory, dotted, color=own, detail=of("series")))
    if points:
        known = [row for row in rows if row["y"] is not None]
        point = {"type": "point", "filled": True, "size": 70, "opacity": 1}
        layers.append(layer(known, point, color=color, shape=apart["shape"]))
    return layers
