"""A line chart in characters: braille dots (2 × 4 to a character) or one mark per character,
with numbers at both axes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import field

from dlprobe.dataclass import dataclass
from dlprobe.render.document import Chart, Series
from dlprobe.render.numbers import value_text
from dlprobe.render.safe_text import visible

Point = tuple[float, float]
MARKS = "•×+○*#□△"
ASCII_MARKS = "*x+o@#"
# Unicode braille: the bit of the dot in column x (0, 1) and row y (0 … 3, from the top) of a
# character.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))


@dataclass
class Plot:
    """A drawn chart. `rows` from the top: (axis number or "", characters with the series that
    owns each, None where empty).
    """

    rows: list[tuple[str, list[tuple[str, int | None]]]] = field(default_factory=list)
    x_numbers: str = ""
    left_out: int = 0

    @property
    def margin(self) -> int:
        """Width of the widest axis number."""
        return max((len(number) for number, _ in self.rows), default=0)


@dataclass(frozen=True)
class Scale:
    """Maps a value between low and high (already a log10 where `log`) to a position between 0
    and 1.
    """

    low: float
    high: float
    log: bool = False

    def position(self, value: float) -> float:
        """Position of a value: 0 at the low end, 1 at the high end, below 0 or above 1 outside.
        Raises ValueError for a value that has no logarithm on a log scale.
        """
        return ((math.log10(value) if self.log else value) - self.low) / (self.high - self.low)


def draw(chart: Chart, width: int, height: int, marks: str | None) -> Plot:
    """The chart in at most `width` characters (numbers of the y axis included) and `height` rows;
    empty where no value can be drawn.

    `marks` None draws braille; else each series takes its own character of `marks`, which tells
    series apart without colour.
    """
    curves = [_unbroken(series, chart.log_x, chart.log_y) for series in chart.series]
    every = [point for curve in curves for line in curve for point in line]
    plot = Plot(left_out=sum(len(series.y) for series in chart.series) - len(every))
    if not every:
        return plot
    x_scale = scale_of([x for x, _ in every], log=chart.log_x, margin=0.0)
    y_scale = scale_of([*(y for _, y in every), *chart.y_reach], log=chart.log_y, margin=0.5)
    numbers = _row_numbers(y_scale, height)
    columns = max(8, width - max(map(len, numbers)) - 2)
    canvas = _Canvas(columns, height, marks)
    for owner, curve in enumerate(curves):
        for line in curve:
            canvas.line([(x_scale.position(x), y_scale.position(y)) for x, y in line], owner)
    plot.rows = list(zip(numbers, canvas.characters(), strict=True))
    whole = all(float(x).is_integer() and abs(x) < 1e12 for x, _ in every)
    plot.x_numbers = (
        _axis_line(chart.x_names, x_scale, columns)
        if chart.x_names
        else _axis_line(_x_numbers(x_scale, columns, whole), x_scale, columns)
    )
    return plot


def _unbroken(series: Series, log_x: bool, log_y: bool) -> list[list[Point]]:
    """The stretches of a series between the values that cannot be drawn."""
    lines: list[list[Point]] = [[]]
    for x, y in zip(series.x, series.y, strict=True):
        if math.isfinite(x) and math.isfinite(y) and (x > 0 or not log_x) and (y > 0 or not log_y):
            lines[-1].append((_tame(x), _tame(y)))
        elif lines[-1]:
            lines.append([])
    return [line for line in lines if line]


def _tame(value: float) -> float:
    """Float64 near its limit would make differences overflow: everything beyond 1e300 is drawn
    at 1e300.
    """
    return max(-1e300, min(1e300, float(value)))


def scale_of(values: Sequence[float], log: bool, margin: float) -> Scale:
    """The scale from the smallest to the largest value, on a log scale their log10. Equal values
    get a margin on both sides: `margin` times their size (1 for 0), or `margin` decades.
    """
    ends = min(values), max(values)
    low, high = (math.log10(end) for end in ends) if log else ends
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-200):
        size = 1.0 if log or abs(low) < 1e-200 else abs(low)
        low, high = low - size * margin, high + size * max(margin, 0.001)
    return Scale(low, high, log)


def nice_step(span: float, most: int) -> float:
    """The smallest of 1, 2, 5 × 10^k that cuts `span` into at most `most` steps."""
    rough = span / most
    unit = 10.0 ** math.floor(math.log10(rough))
    return next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * (1 - 1e-9))


def ticks(low: float, high: float, most: int) -> list[float]:
    """The multiples of `nice_step` from low to high, at most `most` + 1 of them."""
    step = nice_step(high - low, most)
    first = math.ceil(low / step - 1e-9)
    return [
        round((first + index) * step, 12 - math.floor(math.log10(step)))
        for index in range(int((high - first * step) / step + 1e-9) + 1)
    ]


def _row_numbers(scale: Scale, height: int) -> list[str]:
    """The axis number of every row, "" on most."""
    numbers = [""] * height
    for value in axis_ticks(scale, max(2, height // 2)):
        row = height - 1 - max(0, min(height - 1, int(scale.position(value) * height)))
        numbers[row] = numbers[row] or value_text(value, 6)
    return numbers


def axis_ticks(scale: Scale, most: int) -> list[float]:
    """Values of the ticks of a scale: `ticks`; on a log scale powers of ten from two decades on,
    else 1, 2 and 5 times powers of ten.
    """
    if not scale.log:
        return ticks(scale.low, scale.high, most)
    if scale.high - scale.low >= 2:
        return [
            10.0**exponent
            for exponent in ticks(scale.low, scale.high, most)
            if exponent == int(exponent)
        ]
    decades = range(math.floor(scale.low), math.ceil(scale.high) + 1)
    usual = [
        value
        for decade in decades
        for value in (10.0**decade, 2 * 10.0**decade, 5 * 10.0**decade)
        if scale.low <= math.log10(value) <= scale.high
    ]
    return usual if len(usual) > 1 else ticks(10**scale.low, 10**scale.high, most)


def _x_numbers(scale: Scale, columns: int, whole: bool) -> dict[float, str]:
    """Round numbers for the x axis; steps and epochs (`whole`) get no fractions."""
    values = [
        value
        for value in axis_ticks(scale, max(1, columns // 12))
        if not whole or value == int(value)
    ]
    return {value: value_text(int(value) if whole else value, 6) for value in values}


def _axis_line(names: Mapping[float, str], scale: Scale, columns: int) -> str:
    """The line under the x axis: each name in the middle below its place; one that would touch
    its neighbour is left out.
    """
    line = ""
    for place, name in sorted(
        (scale.position(value), name)
        for value, name in names.items()
        if math.isfinite(value) and (value > 0 or not scale.log)
    ):
        if not -1e-9 <= place <= 1 + 1e-9:
            continue
        text, column = visible(name), min(columns - 1, int(place * columns))
        start = max(0, min(columns - len(text), column - len(text) // 2))
        if not line or start > len(line):
            line = line.ljust(start) + text
    return line


class _Canvas:
    """Dots on a grid of characters, each with the series that set it last."""

    def __init__(self, columns: int, rows: int, marks: str | None) -> None:
        self.columns, self.rows, self.marks = columns, rows, marks
        self.fine = (1, 1) if marks else (2, 4)
        self.bits = [[0] * columns for _ in range(rows)]
        self.owners: list[list[int | None]] = [[None] * columns for _ in range(rows)]

    def line(self, points: Sequence[Point], owner: int) -> None:
        """Join points given as positions between 0 and 1 by straight lines."""
        dots = _thinned([self._dot(x, y) for x, y in points])
        for start, end in zip(dots, [*dots[1:], dots[-1]] if dots else [], strict=True):
            for x, y in _between(start, end):
                self._set(x, y, owner)

    def _dot(self, x: float, y: float) -> tuple[int, int]:
        across, down = self.columns * self.fine[0], self.rows * self.fine[1]
        return min(across - 1, int(x * across)), down - 1 - min(down - 1, int(y * down))

    def _set(self, x: int, y: int, owner: int) -> None:
        column, row = x // self.fine[0], y // self.fine[1]
        self.bits[row][column] |= _DOTS[x % self.fine[0]][y % self.fine[1]]
        self.owners[row][column] = owner

    def characters(self) -> list[list[tuple[str, int | None]]]:
        """Rows of (character, series)."""
        pairs = [
            zip(bits, owners, strict=True)
            for bits, owners in zip(self.bits, self.owners, strict=True)
        ]
        return [[(self._character(bits, owner), owner) for bits, owner in row] for row in pairs]

    def _character(self, bits: int, owner: int | None) -> str:
        if owner is None:
            return " "
        return self.marks[owner % len(self.marks)] if self.marks else chr(0x2800 + bits)


def _thinned(dots: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Drop dots that repeat their predecessor: a run of 100,000 steps falls on a few hundred
    columns.
    """
    return [dot for index, dot in enumerate(dots) if index == 0 or dot != dots[index - 1]]


def _between(start: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int]]:
    """The dots of a straight line, both ends included."""
    steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    return [
        (
            start[0] + round(step * (end[0] - start[0]) / steps),
            start[1] + round(step * (end[1] - start[1]) / steps),
        )
        for step in range(steps + 1)
    ]
