"""A heat map in characters: time across, a row per layer, a mark for the whole decades of each number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dlprobe.render.document import HeatMap
from dlprobe.render.numbers import value_text
from dlprobe.render.safe_text import visible

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
