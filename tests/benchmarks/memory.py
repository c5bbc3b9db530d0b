"""The peak of `dlprobe train` beyond the program itself, against what `train --dry-run` expects,
for large nets, deep ones, large batches and many samples.

Each run is a process of its own; the program itself is a run of a net of four units on few
samples. The peak is that of the kernel (`ru_maxrss`), packing and judging included. Parameters,
optimizer, activations and data alone are beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import print_table

MANY = "gaussian(samples={},features={},classes=10)"
RUNS = {
    "64-4096-4096-10": {"data": MANY.format(640, 64), "layers": "4096,4096", "steps": "2"},
    "784-300-100-10": {"data": MANY.format(2000, 784), "layers": "300,100", "epochs": "2"},
    "100x20": {"layers": "100x20", "epochs": "2"},
    "batch 4096": {
        "data": MANY.format(20_000, 64),
        "layers": "1024,1024",
        "batch-size": "4096",
        "epochs": "2",
    },
    "1e6 × 20": {"data": MANY.format(1_000_000, 20), "layers": "32", "steps": "100"},
}  # name → options
MIB = 2**20
ALONE = ("parameters", "optimizer", "activations", "data")


def command(options: dict[str, str], *more: str) -> list[str]:
    pairs = [text for key, value in options.items() for text in (f"--{key}", value)]
    return [sys.executable, "-m", "dlprobe", "train", "--quiet", *pairs, *more]


def peak(options: dict[str, str]) -> int:
    """Bytes of a whole training process at its peak."""
    with tempfile.TemporaryDirectory() as folder:
        child = subprocess.Popen(
            command(options, "-o", str(Path(folder) / "run.h5")), stdout=subprocess.DEVNULL
        )
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"training ended with exit code {child.returncode}")
    return 1024 * used.ru_maxrss


def expected(options: dict[str, str]) -> dict[str, int]:
    told = subprocess.run(
        command(options, "--dry-run", "--format", "json"), capture_output=True, check=True
    )
    found: dict[str, int] = json.loads(told.stdout)["bytes"]
    return found


def main() -> None:
    program = peak({"data": MANY.format(64, 4), "layers": "4", "steps": "2"})
    rows = []
    for name, options in RUNS.items():
        beyond, told = peak(options) - program, expected(options)
        numbers = (beyond, sum(told[part] for part in ALONE), told["peak"])
        ratio = f"{beyond / told['peak']:.2f}"
        rows.append([name, *(f"{number / MIB:.0f}" for number in numbers), ratio, "≤ 1.2"])
    columns = ["run", "peak MiB", "alone MiB", "expected MiB", "peak/expected", "target"]
    print_table(f"peak of training beyond the program's own {program / MIB:.0f} MiB", columns, rows)


if __name__ == "__main__":
    main()
