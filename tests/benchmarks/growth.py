"""How the time of a training step grows: with depth, width, batch and rows, and that of a study
with its runs; one thread, all statistics on, CPU time, medians.

depth   5 … 200 hidden layers of 64 units, batches of 32
width   16 … 4096 units in 3 hidden layers, batches of 32
batch   1 … 4096 samples, 784-300-100-10
rows    1e3 … 1e7 rows of 20 numbers, shuffled, 20-64-64-2, batches of 32
runs    2 … 10,000 runs of 13-16-3, two epochs of wine: `compare` as a process, seconds per run

The last column says by which power of the axis the time grows between a row and the one above it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import nets
import numpy as np
from measuring import by_turns, print_table, steps_for, write_figure

DEPTHS = (5, 10, 20, 50, 100, 200)
WIDTHS = (16, 64, 256, 1024, 4096)
BATCHES = (1, 4, 16, 64, 256, 1024, 4096)
ROWS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
RUNS = (2, 10, 100, 1_000, 10_000)
SCHEMES = [f"{name}_{of}" for of in ("normal", "uniform") for name in ("he", "glorot", "lecun")] + [
    "orthogonal",
    "he_truncated",
    "glorot_truncated",
    "lecun_truncated",
]
MOST_SEEDS = 1_000  # of one initializer


def step_of(shape: str, batch: int, rows: int, rounds: int, seconds: float) -> tuple[float, float]:
    """Seconds of a step, and 1e9 operations of its matrix products per second."""
    sizes = nets.sizes_of(shape)
    inputs, labels = nets.data(sizes, batch, max(1, rows // batch))
    net, targets = nets.network(sizes, batch), nets.one_hot(labels, sizes[-1])

    def side(steps: int) -> None:
        nets.train(net, inputs, targets, steps)

    steps = steps_for(seconds, side)
    spent = by_turns({"": lambda: side(steps)}, rounds)[""]
    step = float(np.median(spent)) / steps
    products = sum(3 * a * b for a, b in pairwise(sizes)) - sizes[0] * sizes[1]
    return step, 2 * batch * products / step / 1e9


def study_of(runs: int) -> float:
    """CPU seconds of a whole `compare`."""
    with tempfile.TemporaryDirectory(prefix="dlprobe-benchmark-") as folder:
        schemes = SCHEMES[: max(2, runs // MOST_SEEDS)]
        command = [sys.executable, "-m", "dlprobe", "compare", "init", *schemes]
        command += ["--quiet", "--data", "wine", "--layers", "16", "--epochs", "2"]
        command += ["--seeds", str(runs // len(schemes))]
        before = os.times()
        subprocess.run(
            [*command, "-o", str(Path(folder) / "study.h5")],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


def measured(axis: str, size: int, rounds: int, seconds: float) -> dict[str, Any]:
    """One row: seconds, and what is told of it beside."""
    if axis == "runs":
        spent = study_of(size)
        return {"seconds": spent, "told": f"{1e3 * spent / size:.1f} ms per run"}
    shape, batch, rows = {
        "depth": (f"64-[64]×{size}-10", 32, 512),
        "width": (f"64-[{size}]×3-10", 32, 512),
        "batch": ("784-300-100-10", size, 4096),
        "rows": ("20-64-64-2", 32, size),
    }[axis]
    step, speed = step_of(shape, batch, rows, rounds, seconds)
    return {"seconds": step, "told": f"{speed:.1f} GFLOP/s"}


def main() -> None:
    axes = {"depth": DEPTHS, "width": WIDTHS, "batch": BATCHES, "rows": ROWS, "runs": RUNS}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("axes", nargs="*", metavar="AXIS", help=f"{', '.join(axes)}; all if none")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each round")
    parser.add_argument("--most", type=int, help="leave out larger sizes")
    parser.add_argument("--json", type=Path, help="keep the numbers")
    parser.add_argument("--figure", type=Path, help="SVG (needs the extra figures)")
    given = parser.parse_args()
    results: list[dict[str, Any]] = []
    for axis in given.axes or axes:
        rows, before = [], None
        for size in axes[axis]:
            if given.most and size > given.most:
                continue
            row = {"axis": axis, "size": size, **measured(axis, size, given.rounds, given.seconds)}
            grows = math.nan
            if before is not None:
                grows = math.log(row["seconds"] / before["seconds"]) / math.log(
                    size / before["size"]
                )
            results.append(row)
            rows.append([f"{size:,}", f"{1e6 * row['seconds']:,.1f}", row["told"], f"{grows:.2f}"])
            before = row
        print_table(
            f"{'A study' if axis == 'runs' else 'A step'} by {axis}",
            [axis, "µs", "", "power"],
            rows,
        )
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if given.figure:
        logarithmic = {"type": "quantitative", "scale": {"type": "log"}}
        encoding = {
            "x": {"field": "size", "title": None} | logarithmic,
            "y": {"field": "seconds"} | logarithmic,
            "facet": {"field": "axis", "columns": 3, "title": None, "sort": list(axes)},
        }
        write_figure(given.figure, results, "line", encoding)


if __name__ == "__main__":
    main()
