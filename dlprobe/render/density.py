"""A density over time in characters: time across, value upwards, the darker the more of the
values stand there.
"""

from __future__ import annotations

import math
from dataclasses import field

from dlprobe.dataclass import dataclass
from dlprobe.render.document import Density
from dlprobe.render.numbers import spread, value_text

SHADES = " ░▒▓█"
ASCII_SHADES = " .:*#"
_WIDEST = 6  # characters of one column


@dataclass
class DensityPicture:
    """`rows` from the top: (axis number or "", characters); `steps` is the line of numbers
    below.
    """

    rows: list[tuple[str, str]] = field(default_factory=list)
    steps: str = ""

    @property
    def margin(self) -> int:
        """Width of the widest axis number."""
        return max((len(number) for number, _ in self.rows), default=0)


def draw(density: Density, width: int, shades: str) -> DensityPicture:
    """The density in at most `width` characters, axis numbers included; of more columns than fit,
    evenly spread ones are shown.

    A cell's shade grows with the root of its share, so that a tail is seen beside the peak; what is
    not empty is never blank.
    """
    height = len(density.shares[0]) if density.shares else 0
    if not height:
        return DensityPicture()
    numbers = _numbers(density, height)
    room = max(8, width - max(map(len, numbers)) - 2)
    chosen = spread(len(density.shares), room)
    columns = max(1, min(_WIDEST, room // len(chosen)))
    largest = max(
        (share for index in chosen for share in density.shares[index] if math.isfinite(share)),
        default=0.0,
    )
    rows = []
    for row in range(height - 1, -1, -1):
        characters = "".join(
            _shade(density.shares[index][row], largest, shades) * columns for index in chosen
        )
        rows.append((numbers[row], characters))
    return DensityPicture(rows, _steps([density.x[index] for index in chosen], columns))


def _numbers(density: Density, height: int) -> list[str]:
    """Axis numbers of the rows, lowest first: both ends and the middle, each that of the row's
    centre.
    """
    size = (density.high - density.low) / height
    shown = {0, height // 2, height - 1}
    return [
        value_text(density.low + size * (row + 0.5), 3) if row in shown else ""
        for row in range(height)
    ]


def _shade(share: float, largest: float, shades: str) -> str:
    if not share > 0 or not largest > 0:
        return shades[0]
    return shades[
        min(len(shades) - 1, max(1, math.ceil((len(shades) - 1) * math.sqrt(share / largest))))
    ]


def _steps(steps: list[float], columns: int) -> str:
    """As many step numbers as have room, each below the first character of its column."""
    line = ""
    for index, step in enumerate(steps):
        if not line or index * columns >= len(line) + 2:
            line = line.ljust(index * columns) + value_text(
                int(step) if float(step).is_integer() else step, 6
            )
    return line
