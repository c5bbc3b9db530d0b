"""A step map as data for the page's script: every value in two characters, so that 25
statistics of 20 layers stay below 300 kB.
"""

from __future__ import annotations

import math
from typing import Any

from dlprobe.render.document import LayerValues, StepMap
from dlprobe.render.safe_text import visible
from dlprobe.render.steps import ColorScale, color_scale

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# codes: not finite; 0 or less on a log scale; the two ends of the scale
NOTHING, BELOW, FIRST, LAST = 0, 1, 2, 64 * 64 - 1


def map_data(block: StepMap) -> dict[str, Any]:
    """Steps, layers and quantities; a quantity's `codes` has two digits to base 64 a value, step
    after step, the layers of a step in order.
    """
    return {
        "steps": list(block.steps),
        "layers": [visible(name) for name in block.layers],
        "quantities": [_quantity(quantity) for quantity in block.quantities],
    }


def _quantity(quantity: LayerValues) -> dict[str, Any]:
    scale = color_scale(quantity)
    codes = "".join(_code(value, scale) for column in quantity.values for value in column)
    return {
        "name": visible(quantity.name),
        "meaning": visible(quantity.meaning),
        "low": scale.low,
        "high": scale.high,
        "log": scale.log,
        "codes": codes,
    }


def _code(value: float, scale: ColorScale) -> str:
    """Two digits to base 64.

    >>> _code(math.nan, ColorScale(0.0, 1.0, False)), _code(1.0, ColorScale(0.0, 1.0, False))
    ('AA', '__')
    """
    place = scale.position(value)
    code = (
        NOTHING
        if math.isnan(place)
        else BELOW
        if scale.log and value <= 0
        else FIRST + round(place * (LAST - FIRST))
    )
    return DIGITS[code // 64] + DIGITS[code % 64]
