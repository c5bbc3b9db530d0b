"""How long `dlprobe check` takes to judge a run of a million recorded steps: `PYTHONPATH=.:tests
python tests/benchmarks/check_speed.py`.

The run is made up (3 layers, all statistics); writing it takes a minute. Start-up and judging a run
of ten steps are told apart from it.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from command_line import process
from synthetic_runs import LAYERS, description, evaluate, finish

from dlprobe import registry
from dlprobe.record import layout
from dlprobe.runs import RunWriter

BLOCK, REPEATS = 4096, 5


def write(path: Path, steps: int) -> None:
    """A run with ordinary numbers and a falling loss."""
    names = list(registry.records("statistic"))
    rows = np.abs(np.random.default_rng(0).normal(1.0, 0.1, (BLOCK, LAYERS, len(names)))).astype(
        "f4"
    )
    for name in ("nonfinite_forward", "nonfinite_backward", "underflow_count"):
        rows[:, :, names.index(name)] = 0
    with RunWriter.create(path, description()) as writer:
        for first in range(0, steps, BLOCK):
            count = min(BLOCK, steps - first)
            scalars = np.ones((count, len(layout.SCALARS)))
            scalars[:, 0] = 2 * np.exp(-np.arange(first, first + count) / (steps / 5))
            writer.rows(
                first, np.arange(first, first + count), rows[:count], scalars, seconds=0.001
            )
        evaluate(writer, 0)
        finish(writer, steps)
        writer.pack()


def measure(path: Path) -> float:
    """Median seconds of a whole `dlprobe check`."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        process("check", path.name, "--format", "json", folder=path.parent)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    """Print both times."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        for count in (10, steps):
            path = Path(folder) / f"run{count}.h5"
            write(path, count)
            print(
                f"{count:>9,} steps, {path.stat().st_size / 1e6:6.1f} MB: judged in "
                f"{measure(path):.2f} s, start of the program included"
            )


if __name__ == "__main__":
    main()
