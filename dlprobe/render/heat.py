"""What drawings of heat tables and maps need: a diverging colour or mark for a number, and verdict words short enough for a cell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dlprobe.render.document import HeatCell, HeatMap
from dlprobe.render.numbers import value_text
from dlprobe.render.safe_text import visible

Rgb = tuple[int, int, int]

# Blue, near white, orange-red: told apart with every common colour blindness (ColorBrewer's RdBu ends, Cynthia Brewer, Penn State).
LOW_COLOR: Rgb = (33, 102, 172)
MIDDLE_COLOR: Rgb = (240, 240, 240)
HIGH_COLOR: Rgb = (178, 24, 43)
MISSING_COLOR: Rgb = (110, 110, 110)


def shade(value: float, low: float, high: float) -> Rgb:
    """The background of a number on the scale low < 0 < high: values outside take the end colours, NaN is grey."""
    if math.isnan(value):
        return MISSING_COLOR
    share = min(1.0, value / high if value >= 0 else value / low)
    end = HIGH_COLOR if value >= 0 else LOW_COLOR
    red, green, blue = (round(middle + share * (far - middle)) for middle, far in zip(MIDDLE_COLOR, end, strict=True))
    return red, green, blue


def ink(background: Rgb) -> Rgb:
    """Black or white, whichever has more contrast on the background (WCAG 2: equal at a relative luminance of 0.179)."""
    red, green, blue = ((part / 255) ** 2.2 for part in background)
    return (0, 0, 0) if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else (255, 255, 255)


def number_of(cell: HeatCell) -> str:
    """The number a cell shows: its own text where given, else the value with sign and one decimal; for NaN the verdict must do, or "-" without one."""
    if cell.text or math.isnan(cell.value):
        return cell.text or ("" if cell.verdict else "-")
    if math.isinf(cell.value):
        return value_text(cell.value)
    return f"{cell.value:+.1f}" if abs(cell.value) >= 0.05 else "0.0"


def shortenings(words: Iterable[str]) -> list[dict[str, str]]:
    """Ways to write the verdict words, longest first; a way in which two words would look the same is left out.

    >>> [way["vanishing"] for way in shortenings(["vanishing", "level"])]
    ['vanishing', 'vanish', 'vani', 'van', 'v']
    """
    distinct = sorted(set(words))
    ways = [{word: word[:length] for word in distinct} for length in (max(map(len, distinct), default=1), 6, 4, 3, 1)]
    return [way for index, way in enumerate(ways) if len(set(way.values())) == len(distinct) and way not in ways[:index]]


def cell_texts(cells: Sequence[Sequence[HeatCell]], words: dict[str, str]) -> list[list[str]]:
    """What each cell says, `-5.7 vanishing`: in every column the numbers stand right-aligned and the verdicts below each other."""
    columns = [_column_texts([row[index] for row in cells], words) for index in range(len(cells[0]) if cells else 0)]
    return [list(row) for row in zip(*columns, strict=True)]


def _column_texts(column: Sequence[HeatCell], words: dict[str, str]) -> list[str]:
    numbers = [number_of(cell) for cell in column]
    room = max(map(len, numbers), default=0)
    return [f"{number:>{room}} {words[cell.verdict]}".rstrip() for number, cell in zip(numbers, column, strict=True)]


MARKS = "· level, 1 to 9 decades below it, a to i above"
LEVEL = "·"  # a number that rounds to 0 decades
BELOW, ABOVE = "123456789", "abcdefghi"  # whole decades below and above, the last one for all beyond


def decade_mark(value: float) -> str:
    """A log10 in one character: whole decades below 0 as digits, above 0 as letters.

    >>> "".join(map(decade_mark, (-12.3, -2.6, 0.4, 1.0, float("nan"))))
    '93·a '
    """
    if math.isnan(value):
        return " "
    decades = round(max(-9.0, min(9.0, value)))
    return LEVEL if not decades else BELOW[-decades - 1] if decades < 0 else ABOVE[decades - 1]


@dataclass(frozen=True)
class DrawnMap:
    """A heat map in characters. rows: name, filled up to one width; a mark per column; the numbers behind the marks. steps: the line below."""

    rows: Sequence[tuple[str, str, Sequence[float]]]
    steps: str


def drawn_map(block: HeatMap, width: int) -> DrawnMap:
    """The map in `width` characters; of more columns than fit evenly spread ones, the first and the last among them."""
    names = [visible(name) for name in block.rows]
    margin = max([len(block.x_label), *map(len, names)])
    room, count = max(8, width - margin - 1), len(block.x)
    chosen = range(count) if count <= room else [round(index * (count - 1) / (room - 1)) for index in range(room)]
    rows = [(f"{name:<{margin}}", [row[index] for index in chosen]) for name, row in zip(names, block.values, strict=True)]
    ends = [value_text(int(block.x[index])) for index in sorted({0, count - 1})] if count else []
    gap = " " * max(1, len(chosen) - sum(map(len, ends)))
    return DrawnMap([(name, "".join(map(decade_mark, row)), row) for name, row in rows], f"{block.x_label:>{margin}} {gap.join(ends)}")
