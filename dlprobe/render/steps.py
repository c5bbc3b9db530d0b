"""The colour scale of a step map, the same for every drawing of one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dlprobe.dataclass import dataclass
from dlprobe.render.document import LayerValues

# the largest value over the smallest from which on a scale is logarithmic, where nothing is below 0
SPANS = 30.0


@dataclass(frozen=True)
class ColorScale:
    """From `low` to `high`, as log10 where `log`. A single value stands in the middle."""

    low: float
    high: float
    log: bool

    def position(self, value: float) -> float:
        """0 at the low end, 1 at the high end, 0.5 where both are the same; 0 for what has no
        logarithm, NaN for what is not finite.
        """
        if not math.isfinite(value):
            return math.nan
        if self.log and value <= 0:
            return 0.0
        if self.span:
            return (math.log10(value) if self.log else value) / self.span - self.low / self.span
        return 0.5

    @property
    def span(self) -> float:
        """high − low, in decades on a log scale."""
        return self.high - self.low


def color_scale(quantity: LayerValues) -> ColorScale:
    """Logarithmic where the values say so; (0, 1) where none is finite."""
    values = finite([value for column in quantity.values for value in column])
    positive = [value for value in values if value > 0]
    if not values:
        return ColorScale(0.0, 1.0, False)
    if positive and min(values) >= 0 and max(positive) > SPANS * min(positive):
        return ColorScale(math.log10(min(positive)), math.log10(max(positive)), True)
    return ColorScale(min(values), max(values), False)


def finite(values: Sequence[float]) -> list[float]:
    """The values that are neither NaN nor infinite."""
    return [float(value) for value in values if math.isfinite(value)]
