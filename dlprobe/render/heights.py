"""Small histograms that fit into the cell of a table."""

from __future__ import annotations

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"


def heights(values: Sequence[float], blocks: str = BLOCKS) -> str:
    """A histogram as one character per value.

    >>> heights([0, 1, 50, 100])
    '▁▂▅█'
    """
    largest = max(values, default=0.0)
    steps = len(blocks) - 1
    return "".join(
        blocks[max(1, round(steps * value / largest)) if value > 0 else 0] for value in values
    )
