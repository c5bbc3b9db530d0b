"""Densities over time: time across, value upwards, the lighter the more of the values stand
there.
"""

from __future__ import annotations

import math
from typing import Any

from dlprobe.render.document import Density
from dlprobe.render.safe_text import visible
from dlprobe.render.vega.frame import PictureFrame, scale_and_axis
from dlprobe.render.vega.step_map import step_ends
from dlprobe.render.vega.themes import MAP


def density(block: Density, frame: PictureFrame) -> dict[str, Any]:
    """One plot of rectangles; colour grows with the root of the share, so that a tail is seen
    beside the peak.
    """
    count = len(block.shares)
    chosen = frame.spread(count)
    rows = len(block.shares[0]) if count else 0
    size = (block.high - block.low) / max(rows, 1)
    starts = [float(block.x[index]) for index in chosen]
    ends = step_ends(starts)
    values = [
        {
            "x": start,
            "x2": end,
            "y": block.low + size * row,
            "y2": block.low + size * (row + 1),
            "share": 100 * float(share),
        }
        for index, start, end in zip(chosen, starts, ends, strict=True)
        for row, share in enumerate(block.shares[index])
        if math.isfinite(share) and share > 0
    ]
    x = scale_and_axis([*starts, *ends], False, block.x_label, ends=True)
    scale = {"type": "sqrt", "scheme": MAP, "domainMin": 0}
    legend = {"title": "% of values", "gradientLength": frame.height * 0.8}
    return {
        **frame.head(block.caption),
        "width": frame.width,
        "height": round(frame.height * 0.75),
        "data": {"values": values},
        "mark": {"type": "rect", "clip": True},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", **x, "axis": {**x["axis"], "grid": False}},
            "x2": {"field": "x2"},
            "y": {
                "field": "y",
                "type": "quantitative",
                "scale": {"domain": [block.low, block.high], "nice": False},
                "axis": {"title": visible(block.y_label) or None, "grid": False},
            },
            "y2": {"field": "y2"},
            "color": {"field": "share", "type": "quantitative", "scale": scale, "legend": legend},
        },
    }
