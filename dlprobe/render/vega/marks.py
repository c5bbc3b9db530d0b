"""Which colour a name has: the same in every picture of a document; and which dash and shape a
line has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dlprobe.dataclass import dataclass
from dlprobe.render.document import Chart, Profile
from dlprobe.render.vega.themes import DASHES, LINES, SHAPES


@dataclass(frozen=True)
class Marks:
    """The place of each name among colours; more names than colours take a colour again. Dash
    and shape tell the lines of one picture apart in grey.
    """

    places: Mapping[str, int]

    def color(self, series: Any) -> str:
        """Colour of the line of a series."""
        return LINES[self.places[getattr(series, "like", "") or series.name] % len(LINES)]


def dash(index: int) -> list[int]:
    """Lengths of dash and gap in pixels, alternating, for line number `index` from 0."""
    return list(DASHES[(index + index // len(LINES)) % len(DASHES)])


def shape(index: int) -> str:
    """Shape of the points of a picture's line of that number."""
    return SHAPES[(index + index // len(LINES)) % len(SHAPES)]


def marks_of(blocks: Sequence[Any]) -> Marks:
    """A place for every series' name. A name keeps its place; a new one takes the place that
    its picture lacks and that others have least.
    """
    places: dict[str, int] = {}
    for block in blocks:
        if not isinstance(block, Chart | Profile):
            continue
        names = list(
            dict.fromkeys(
                series.name
                for series in block.series
                if not (getattr(series, "bounds", "") or getattr(series, "like", ""))
            )
        )
        here = {places[name] for name in names if name in places}
        for name in names:
            if name not in places:
                used = Counter(places.values())
                free = [place for place in range(len(LINES)) if place not in here]
                places[name] = (
                    min(free, key=lambda place: (used[place], place)) if free else len(here)
                )
                here.add(places[name])
    return Marks(places)
