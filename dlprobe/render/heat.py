"""The two things every drawing of a heat table needs: a diverging colour for a number, and a
mark for a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from dlprobe.render.document import HeatCell
from dlprobe.render.numbers import value_text

Rgb = tuple[int, int, int]

# Blue, near white, orange-red: told apart with every common colour blindness (ColorBrewer's RdBu
# ends, Cynthia Brewer, Penn State).
LOW_COLOR: Rgb = (33, 102, 172)
MIDDLE_COLOR: Rgb = (240, 240, 240)
HIGH_COLOR: Rgb = (178, 24, 43)
MISSING_COLOR: Rgb = (110, 110, 110)

MARKS = {
    "level": "✓",
    "vanishing": "▼",
    "exploding": "▲",
    "diverged": "✗",
    "collapsed": "≡",
    "not evaluated": "?",
}
ASCII_MARKS = {
    "level": "=",
    "vanishing": "v",
    "exploding": "^",
    "diverged": "x",
    "collapsed": "c",
    "not evaluated": "?",
}


def shade(value: float, low: float, high: float) -> Rgb:
    """The background of a number on the scale low < 0 < high: values outside take the end
    colours, NaN is grey.
    """
    if math.isnan(value):
        return MISSING_COLOR
    share = min(1.0, value / high if value >= 0 else value / low)
    end = HIGH_COLOR if value >= 0 else LOW_COLOR
    red, green, blue = (
        round(middle + share * (far - middle))
        for middle, far in zip(MIDDLE_COLOR, end, strict=True)
    )
    return red, green, blue


def ink(background: Rgb) -> Rgb:
    """Black or white, whichever has more contrast on the background (WCAG 2: equal at a
    relative luminance of 0.179).
    """
    red, green, blue = ((part / 255) ** 2.2 for part in background)
    return (0, 0, 0) if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else (255, 255, 255)


def number_of(cell: HeatCell) -> str:
    """The number a cell shows: its own text where given, else the value with sign and one
    decimal; for NaN the verdict must do, or "-" without one.
    """
    if cell.text or math.isnan(cell.value):
        return cell.text or ("" if cell.verdict else "-")
    if math.isinf(cell.value):
        return value_text(cell.value)
    return f"{cell.value:+.1f}" if abs(cell.value) >= 0.05 else "0.0"


def cell_texts(cells: Sequence[Sequence[HeatCell]], marks: Mapping[str, str]) -> list[list[str]]:
    """What each cell says, `-5.7 ▼ 10`: in every column numbers, marks and what stands beside
    them are below each other. marks: by verdict; else the word.
    """
    columns = [
        _column_texts([row[index] for row in cells], marks)
        for index in range(len(cells[0]) if cells else 0)
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def _column_texts(column: Sequence[HeatCell], marks: Mapping[str, str]) -> list[str]:
    numbers = [number_of(cell) for cell in column]
    room = max(map(len, numbers), default=0)
    beside = max((len(cell.beside) for cell in column), default=0)
    words = [marks.get(cell.verdict, cell.verdict) for cell in column]
    longest = max(map(len, words), default=0)
    behind = [
        f"{word:{longest}} {cell.beside:>{beside}}" if beside else word
        for word, cell in zip(words, column, strict=True)
    ]
    return [
        f"{number:>{room}} {text}".rstrip() for number, text in zip(numbers, behind, strict=True)
    ]


def legend(verdicts: Iterable[str], marks: Mapping[str, str]) -> str:
    """What the marks that occur mean: `▼ vanishing  ✓ level`, in the order of the marks."""
    met = set(verdicts)
    return "  ".join(f"{mark} {verdict}" for verdict, mark in marks.items() if verdict in met)
