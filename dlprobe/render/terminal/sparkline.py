"""A depth profile as a row of bars on a log scale, one value per layer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "_.:=+*%#"
SPECIAL = {"0": "exactly zero", "-": "below zero", "?": "not a number", "!": "infinite"}
# decades: a profile that hardly moves must look flat, not be blown up to full height
_LEAST_SPAN = 1.0


def log_scale(values: Iterable[float]) -> tuple[float, float]:
    """Lowest and highest log10 of the values that have one, at least one decade apart; (0, 1)
    where none has.
    """
    logs = [math.log10(value) for value in values if 0 < value < math.inf]
    if not logs:
        return 0.0, 1.0
    low, high = min(logs), max(logs)
    short = max(0.0, _LEAST_SPAN - (high - low))
    # not in halves: the middle is an edge between two of the eight bars
    return (low - short * 7 / 16, high + short * 9 / 16)


def sparkline(
    values: Sequence[float], scale: tuple[float, float], width: int, blocks: str = BLOCKS
) -> str:
    """The values as bars between the two log10 ends of `scale`, at most `width` characters.

    Few layers are drawn several characters wide; of more layers than characters, neighbours are
    joined by their geometric mean. A value that has no logarithm stands as one of the characters of
    `SPECIAL` and is never averaged away.

    >>> sparkline([1e-4, 1e-3, 1e-2, 0.0], (-4.0, -2.0), width=4)
    '▁▅█0'
    """
    if not values or width < 1:
        return ""
    columns = max(1, min(4, width // len(values)))
    cells = min(len(values), width)
    edges = [round(index * len(values) / cells) for index in range(cells + 1)]
    return "".join(
        _bar(values[start:end], scale, blocks) * columns for start, end in pairwise(edges)
    )


def specials(text: str, blocks: str = BLOCKS) -> list[str]:
    """The characters of `SPECIAL` that occur in a sparkline drawn with `blocks`, to be
    explained below it.
    """
    return [mark for mark in SPECIAL if mark in text and mark not in blocks]


def _bar(values: Sequence[float], scale: tuple[float, float], blocks: str) -> str:
    for value in values:
        if not 0 < value < math.inf:
            return _mark(value)
    mean = sum(math.log10(value) for value in values) / len(values)
    share = (mean - scale[0]) / (scale[1] - scale[0])
    return blocks[max(0, min(len(blocks) - 1, int(share * len(blocks))))]


def _mark(value: float) -> str:
    if math.isnan(value):
        return "?"
    if math.isinf(value):
        return "!"
    return "0" if value == 0 else "-"
