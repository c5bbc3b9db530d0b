"""Depth profiles: a quantity through the layers on a log axis, the input on the left, with the
band that theory gives.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dlprobe.registry import counted
from dlprobe.render.document import LayerSeries, Profile
from dlprobe.render.safe_text import visible
from dlprobe.render.terminal.line_chart import nice_step
from dlprobe.render.vega.frame import PictureFrame, named_ticks, scale_and_axis
from dlprobe.render.vega.lines import FEW, THIN, Rows, line_layers, rows_of, runs_of

MOST_NAMES = 12  # layers whose names stand below the axis
LABEL = 24  # characters of a caption that fits along the axis
LEAST_SPAN = 1.0  # decades: a profile that hardly moves must look flat


def profile(block: Profile, frame: PictureFrame) -> dict[str, Any]:
    """One plot with a line per series. What has no logarithm is told below the title: how many
    values of which series are 0, or not finite.
    """
    lines, expected = (
        [series for series in block.series if bool(series.like) is of_theory]
        for of_theory in (False, True)
    )
    rows = [row for number, series in enumerate(lines) for row in _rows(series, number)]
    runs = [
        row
        for series in lines
        for row in runs_of(frame, series, _places(series.values), False, True)
    ]
    theory = [
        {**row, "color": frame.marks.color(series)}
        for series in expected
        for row in _rows(series, 0)
    ]
    bands = [row for series in block.series for row in _band(series)]
    values = [row["y"] for row in [*rows, *runs, *theory] if row["y"] is not None]
    values += [row[end] for row in bands for end in ("y", "y2")]
    if not values:
        return frame.empty(block.caption)
    depth = max((len(series.values) for series in block.series), default=0)
    y = scale_and_axis(_widened(values), True, block.caption if len(block.caption) <= LABEL else "")
    x: dict[str, Any] = {
        "field": "x",
        "type": "quantitative",
        "scale": {"zero": False, "nice": False},
    }
    x |= {
        "axis": {
            "title": "layer, from the input to the output",
            "grid": False,
            **_layer_ticks(block.layers, depth),
        }
    }
    axes = {"x": x, "y": {"field": "y", "type": "quantitative", **y}}
    layers = line_layers(
        frame, axes, lines, rows, areas=bands, runs=runs, theory=theory, points=depth <= FEW
    )
    notes = (
        [_missing(series) for series in lines]
        + ([THIN] if runs else [])
        + (["dotted: theory"] if theory else [])
        + (["shaded: where theory expects a random net of these widths"] if bands else [])
    )
    return {
        **frame.head(block.caption, [*_verdicts(block.series), *notes]),
        "width": frame.width,
        "height": frame.height,
        "layer": layers,
    }


def _places(values: Sequence[float]) -> list[float]:
    return [float(index + 1) for index in range(len(values))]


def _rows(series: LayerSeries, number: int) -> Rows:
    return rows_of(series.name, number, _places(series.values), series.values, False, True)


def _band(series: LayerSeries) -> Rows:
    name = visible(series.name)
    return [
        {"series": name, "pair": 0, "x": index + 1, "y": float(low), "y2": float(high)}
        for index, (low, high) in enumerate(series.band)
        if 0 < low <= high < math.inf
    ]


def _widened(values: Sequence[float]) -> list[float]:
    low, high = math.log10(min(values)), math.log10(max(values))
    room = max(0.0, LEAST_SPAN - (high - low)) / 2
    return [10 ** (low - room), 10 ** (high + room)]


def _layer_ticks(layers: Sequence[str], depth: int) -> dict[str, Any]:
    """Ticks at whole layers, with their names where there are few."""
    every = max(1, round(nice_step(max(depth, 1), MOST_NAMES)))
    places = sorted({1, *range(every, depth + 1, every)})
    texts = {
        float(place): layers[place - 1] if layers and depth <= MOST_NAMES // 2 else str(place)
        for place in places
    }
    return named_ticks(texts)


def _verdicts(series: Sequence[LayerSeries]) -> list[str]:
    told = [f"{one.name}: {one.verdict}" for one in series if one.verdict]
    return [" · ".join(told)] if told else []


def _missing(series: LayerSeries) -> str:
    zero = sum(value == 0 for value in series.values)
    lost = sum(not (0 < value < math.inf or math.isnan(value)) for value in series.values) - zero
    told = [
        f"{counted(count, 'layer')} {word}"
        for count, word in ((zero, "exactly zero"), (lost, "below 0 or infinite"))
        if count
    ]
    return f"not drawn of {series.name}: {', '.join(told)}" if told else ""
