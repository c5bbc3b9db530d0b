"""Fitting a table into a width: numbers are never broken, text wraps at words, and a table that
is still too wide is cut into groups of columns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dlprobe.dataclass import dataclass


@dataclass(frozen=True)
class Widths:
    """What one column asks for, in terminal cells: `least` breaks no word, `natural` puts every
    cell on one line, `full` the column's name too.
    """

    least: int
    natural: int
    full: int


Group = list[tuple[int, int]]
"""One piece of a table: (column number, width) of each of its columns."""


def breakable(name: str) -> list[str]:
    """The pieces at which a name may be broken, each with its separator at the end.

    >>> breakable("gradient_rms [per batch]")
    ['gradient_', 'rms ', '[per ', 'batch]']
    """
    return re.findall(r"[^_ +/]+[_ +/]*|[_ +/]+", name)


def wrap_name(name: str, width: int) -> list[str]:
    """`name` in lines of at most `width` characters, broken at `_`, blank, `+` or `/`, inside a
    word only where the word alone is too long.
    """
    lines = [""]
    for piece in breakable(name):
        if len(lines[-1]) + len(piece.rstrip()) > width and lines[-1]:
            lines.append("")
        while len(piece.rstrip()) > width:
            lines[-1:] = [piece[:width], ""]
            piece = piece[width:]
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def fit(columns: Sequence[Widths], width: int, gap: int) -> list[Group]:
    """The groups of columns to draw, each at most `width` wide with `gap` between columns; every
    group begins with column 0.

    A column that alone does not fit beside column 0 gets what is left, at least one cell.
    """
    groups = []
    for members in _members([column.least for column in columns], width, gap):
        room = width - gap * (len(members) - 1)
        widths = _share([columns[index] for index in members], room)
        groups.append(list(zip(members, widths, strict=True)))
    return groups


def _members(least: Sequence[int], width: int, gap: int) -> list[list[int]]:
    """Column numbers of every group, filled from the left with least widths."""
    groups = [[0]]
    used = least[0]
    for index in range(1, len(least)):
        if used + gap + least[index] > width and len(groups[-1]) > 1:
            groups.append([0])
            used = least[0]
        groups[-1].append(index)
        used += gap + least[index]
    return groups


def _share(columns: Sequence[Widths], room: int) -> list[int]:
    """A width for every column: first enough for its cells, then for its name, the column that
    lacks least first, so that one long text starves nobody.
    """
    widths = [column.least for column in columns]
    while sum(widths) > room and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1
    for wanted in ([column.natural for column in columns], [column.full for column in columns]):
        for index in sorted(range(len(columns)), key=lambda index: wanted[index] - widths[index]):
            widths[index] += max(0, min(wanted[index] - widths[index], room - sum(widths)))
    return widths
