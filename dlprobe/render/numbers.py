"""How values are written for people, the same in every format: digits, and small histograms that
fit into the cell of a table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dlprobe.render.document import Toned, Value

BLOCKS = "▁▂▃▄▅▆▇█"


def value_text(value: Value | Toned, digits: int = 4) -> str:
    """A cell's value as text: floats with `digits` significant digits, yes and no, "-" for what
    does not exist, "nan" and "inf" said as such.

    >>> [value_text(value) for value in (0.00123456, 1e-9, 2.0, 1797, True, None, float("nan"), "relu")]
    ['0.001235', '1e-09', '2', '1797', 'yes', '-', 'nan', 'relu']
    """  # noqa: E501
    if isinstance(value, Toned):
        return value_text(value.value, digits)
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _float_text(value, digits) if isinstance(value, float) else str(value)


def _float_text(value: float, digits: int) -> str:
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return f"{value + 0.0:.{digits}g}"  # + 0.0 turns -0.0 into 0.0


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


def spread(count: int, most: int) -> list[int]:
    """At most `most` evenly spread indices of 0 … count − 1, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return [round(index * (count - 1) / (most - 1)) for index in range(most)]
