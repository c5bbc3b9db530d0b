"""What all benchmarks share: timing sides by turns, medians, and a table with the target beside
each ratio.

Sides take turns, so that whatever else the machine does meets all of them; the median over the
turns is reported.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Side = Callable[[], object]
Seconds = dict[str, list[float]]


def by_turns(
    sides: Mapping[str, Side], rounds: int, clock: Callable[[], float] = time.process_time
) -> Seconds:
    """Seconds of each side in each round, the order turned round after every round. One round
    before them is not counted.
    """
    found: Seconds = {name: [] for name in sides}
    for number in range(-1, rounds):
        for name in list(sides)[:: 1 if number % 2 else -1]:
            began = clock()
            sides[name]()
            if number >= 0:
                found[name].append(clock() - began)
    return found


def median_ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """Median over the rounds of above/below: both sides of one round met the same noise."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def steps_for(seconds: float, run: Callable[[int], object]) -> int:
    """How many steps take about `seconds`, by trying; each number twice, since some sides compile
    for each.
    """
    steps = 4
    while True:
        run(steps)
        began = time.perf_counter()
        run(steps)
        spent = time.perf_counter() - began
        if spent > seconds / 8:
            return max(2, round(steps * seconds / spent))
        steps *= 4


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table, first column to the left, all others to the right."""
    widths = [max(len(row[k]) for row in [columns, *rows]) for k in range(len(columns))]
    print(f"\n{title}\n{platform.platform()}, Python {platform.python_version()}\n")
    for row in [columns, ["─" * width for width in widths], *rows]:
        print(
            "  ".join(
                text.ljust(width) if k == 0 else text.rjust(width)
                for k, (text, width) in enumerate(zip(row, widths, strict=True))
            ),
            flush=True,
        )


def microseconds(seconds: Sequence[float], steps: int) -> str:
    """Median time of one step."""
    return f"{statistics.median(seconds) / steps * 1e6:,.1f}"


def write_figure(
    path: Path, rows: Sequence[Mapping[str, Any]], mark: str, encoding: Mapping[str, Any]
) -> None:
    """A Vega-Lite chart of `rows` as SVG (needs the extra figures)."""
    import vl_convert

    size = {"continuousWidth": 200, "continuousHeight": 160}
    chart = {
        "data": {"values": list(rows)},
        "mark": {"type": mark, "point": True},
        "encoding": dict(encoding),
        "config": {"view": size, "axis": {"grid": False, "tickCount": 4}},
    }
    path.write_text(vl_convert.vegalite_to_svg(chart), encoding="utf-8")
