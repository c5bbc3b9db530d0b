"""Step maps: steps across, layers upwards from the input to the output, the lighter the larger."""

from __future__ import annotations

import math
from typing import Any

from dlprobe.render.document import StepMap
from dlprobe.render.numbers import value_text
from dlprobe.render.safe_text import visible
from dlprobe.render.steps import color_scale
from dlprobe.render.vega.frame import PictureFrame, power_text, scale_and_axis
from dlprobe.render.vega.themes import MAP

MOST_NAMES = 24


def step_map(block: StepMap, frame: PictureFrame) -> dict[str, Any]:
    """The first quantity as rectangles; what is not finite is left out, 0 on a log scale has
    the colour of the low end.
    """
    quantity, scale = block.quantities[0], color_scale(block.quantities[0])
    count = len(block.steps)
    chosen = frame.spread(count)
    starts = [float(block.steps[index]) for index in chosen]
    ends = step_ends(starts)
    low, high = (10**end if scale.log else end for end in (scale.low, scale.high))
    values = [
        {"x": start, "x2": end, "layer": visible(name), "value": max(float(value), low)}
        for index, start, end in zip(chosen, starts, ends, strict=True)
        for name, value in zip(block.layers, quantity.values[index], strict=True)
        if math.isfinite(value)
    ]
    x = scale_and_axis([*starts, *ends], False, "step", ends=True)
    names = [visible(name) for name in block.layers]
    every = max(1, -(-len(names) // MOST_NAMES))
    ticks = (
        {
            "values": [low, high],
            "labelExpr": (
                f"datum.value < {math.sqrt(low * high)!r} ? {power(low)!r} : {power(high)!r}"
            ),
        }
        if scale.log
        else {}
    )
    color = {
        "type": "log" if scale.log else "linear",
        "scheme": MAP,
        "domain": [low, high],
        "clamp": True,
    }
    return {
        **frame.head(block.caption, [quantity.meaning]),
        "width": frame.width,
        "height": min(frame.height, max(120, 22 * len(names))),
        "data": {"values": values},
        "mark": {"type": "rect"},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", **x, "axis": {**x["axis"], "grid": False}},
            "x2": {"field": "x2"},
            "y": {
                "field": "layer",
                "type": "nominal",
                "scale": {"domain": names[::-1]},
                "axis": {"title": None, "values": names[::every], "grid": False, "ticks": False},
            },
            "color": {
                "field": "value",
                "type": "quantitative",
                "scale": color,
                "legend": {"title": visible(quantity.name).split("_"), **ticks},
            },
        },
    }


def step_ends(starts: list[float]) -> list[float]:
    """The end of each column: the next start; for the last one its start plus the mean width of the
    others, or 1 where it is the only one.
    """
    if not starts:
        return []
    return [
        *starts[1:],
        starts[-1] + ((starts[-1] - starts[0]) / (len(starts) - 1) if len(starts) > 1 else 1.0),
    ]


def power(value: float) -> str:
    """The end of a legend: a power of ten with one digit before it."""
    exponent = math.floor(math.log10(value) + 1e-9)
    digit = f"{value / 10.0**exponent:.1g}"
    if digit == "1":
        return power_text(10.0**exponent)
    if abs(exponent) > 2:
        return f"{digit}·{power_text(10.0**exponent)}"
    return value_text(float(f"{value:.1g}"))
