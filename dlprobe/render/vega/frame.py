"""What drawings share: the size of a picture, its title, axes, and lines over them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from dlprobe.dataclass import dataclass
from dlprobe.render.document import LayerSeries, Series
from dlprobe.render.numbers import spread, value_text
from dlprobe.render.safe_text import visible
from dlprobe.render.terminal.line_chart import Scale, axis_ticks
from dlprobe.render.vega.marks import Marks, dash
from dlprobe.render.vega.themes import Theme

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
SHAPE = 0.5  # height of a plot beside its width: with title and axes it fills a slide of 16 to 9
MOST_TICKS = 8
LEAST_SPAN = 0.1  # of the larger end: what a linear y axis shows at least
LETTERS_OF_TITLE = 9  # pixels of the plot's width that a letter of the title takes
_POWERS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class PictureFrame:
    """How large and in which colours the pictures of a document are drawn. width: of the plot,
    pixels; columns: of maps and densities, at most.
    """

    theme: Theme
    width: int
    marks: Marks
    columns: int

    @property
    def height(self) -> int:
        """Height of the plot in pixels: `width` · SHAPE, rounded."""
        return round(self.width * SHAPE)

    def spread(self, count: int, most: int = 0) -> list[int]:
        """`numbers.spread`; most 0: as many as a map has columns."""
        return spread(count, most or self.columns)

    def empty(self, caption: str) -> dict[str, Any]:
        """In place of a plot that has nothing to draw."""
        head = self.head(caption, ["no finite value to draw"])
        return {
            **head,
            "width": self.width,
            "height": 30,
            "data": {"values": []},
            "mark": "rule",
            "encoding": {"x": {"value": 0}},
        }

    def head(self, caption: str, notes: Sequence[str] = ()) -> dict[str, Any]:
        """The title, in lines that fit, with notes in small print below; nothing where there is
        neither.
        """
        lines = self._wrapped(visible(caption).rstrip("."), 1.0)
        below = self._wrapped("; ".join(map(visible, filter(None, notes))), 1.25)
        if not lines and not below:
            return {}
        return {"title": {"text": lines or [""], **({"subtitle": below} if below else {})}}

    def _wrapped(self, text: str, smaller: float) -> list[str]:
        import textwrap

        return textwrap.wrap(text, max(20, int(self.width * smaller / LETTERS_OF_TITLE)))


def named_ticks(names: Mapping[float, str], log: bool = False) -> dict[str, Any]:
    """Part of an axis: ticks at these values, with these texts. The texts stand in an expression of
    Vega as JSON texts, which cannot leave their quotes.

    On a log scale values are found by their millionths of a decade: there Vega's own ticks differ
    from ours in the last bit.
    """
    texts = json.dumps([visible(text) for text in names.values()])
    keys = [round(math.log10(value) * 1e6) for value in names] if log else list(names)
    value = "round(log(datum.value) / LN10 * 1000000)" if log else "datum.value"
    return {
        "values": list(names),
        "labelExpr": f"{texts}[indexof({json.dumps(keys)}, {value})] || ''",
    }


def scale_and_axis(
    values: Sequence[float],
    log: bool,
    title: str,
    names: Mapping[float, str] | None = None,
    ends: bool = False,
) -> dict[str, Any]:
    """Scale and axis of numbers: round numbers, powers of ten on a log scale that spans
    decades, or the given names. ends: a linear axis ends with them.
    """
    axis: dict[str, Any] = {"title": visible(title) or None}
    if names:
        return {
            "scale": {"type": "log" if log else "linear", "zero": False, "nice": False},
            "axis": {**axis, **named_ticks(names, log)},
        }
    if not log or not values:
        fixed = _linear_domain(values, ends) if values else {}
        return {
            "scale": {"type": "linear", "zero": False, **fixed},
            "axis": {**axis, "tickCount": MOST_TICKS, **_whole_ticks(values)},
        }
    low, high = math.log10(min(values)), math.log10(max(values))
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    ticks = axis_ticks(Scale(low - 1e-9, high + 1e-9, True), MOST_TICKS)
    texts = {tick: power_text(tick) for tick in ticks}
    return {
        "scale": {"type": "log", "domain": [10**low, 10**high], "nice": False},
        "axis": {**axis, **named_ticks(texts, True)},
    }


def _linear_domain(values: Sequence[float], ends: bool) -> dict[str, Any]:
    """From the smallest to the largest value, or where they hardly differ, a wider one: what
    stays as it is must look flat.
    """
    low, high = min(values), max(values)
    short = LEAST_SPAN * max(abs(low), abs(high)) - (high - low)
    if ends:
        return {"domain": [low, high], "nice": False} if high > low else {}
    return {"domain": [low - short / 2, high + short / 2]} if short > 0 else {}


def _whole_ticks(values: Sequence[float]) -> dict[str, Any]:
    """Ticks for steps, epochs and layers, which have no fractions; few of them get no tick
    between two.
    """
    if (
        not values
        or max(values) - min(values) >= MOST_TICKS
        or not all(float(value).is_integer() for value in values)
    ):
        return {}
    return {"values": list(range(int(min(values)), int(max(values)) + 1)), "format": "d"}


def power_text(value: float) -> str:
    """A number of a log axis: powers of ten far from 1 as such.

    >>> power_text(1e-12), power_text(0.01), power_text(20.0)
    ('10⁻¹²', '0.01', '20')
    """
    exponent = round(math.log10(value))
    is_power = math.isclose(value, 10.0**exponent)
    if is_power and abs(exponent) > 2:
        return f"10{str(exponent).translate(_POWERS)}"
    return value_text(float(value))


def named_scales(frame: PictureFrame, series: Sequence[Series | LayerSeries]) -> dict[str, Any]:
    """The encodings `color`, `strokeDash` and `shape`, which tell series apart; with several
    series a legend on top.
    """
    shown = [visible(curve.name) for curve in series]
    legend = {
        "orient": "top",
        "title": None,
        "columns": _columns(frame, shown),
        "symbolType": "stroke",
        "symbolSize": 700,
        "symbolStrokeWidth": 3,
        "symbolOpacity": 1,
    }
    colors = {"domain": shown, "range": [frame.marks.color(curve) for curve in series]}
    dashes = {"domain": shown, "range": [dash(index) for index in range(len(series))]}
    field: dict[str, Any] = {
        "field": "series",
        "type": "nominal",
        "sort": None,
        "legend": legend if len(series) > 1 else None,
    }
    return {
        "color": {**field, "scale": colors},
        "strokeDash": {**field, "scale": dashes},
        "shape": {"field": "shape", "type": "nominal", "scale": None},
    }


def _columns(frame: PictureFrame, names: Sequence[str]) -> int:
    """How many entries of a legend stand beside each other."""
    longest = max(map(len, names), default=1)
    return max(1, min(len(names), int(frame.width / (longest * 8.0 + 55))))
