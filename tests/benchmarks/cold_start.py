"""What starting costs: the first command ever on a machine against the second, in CPU seconds, and
the wall time of what people wait for.

The first command compiles its kernels into a fresh cache folder; the second finds them.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import print_table

PROGRAM = ("-m", "dlprobe")
COMMANDS = (("gradients", "--steps", "1", "--seeds", "1"), ("train", "--epochs", "1"))


def run(
    arguments: tuple[str, ...], folder: str, cache: str, program: tuple[str, ...] = PROGRAM
) -> tuple[float, float]:
    """CPU seconds and wall seconds of one command."""
    environment = {
        **os.environ,
        "DLPROBE_CACHE_DIR": cache,
        "PYTHONPATH": _absolute(os.environ.get("PYTHONPATH", "")),
    }
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, *program, *arguments],
        env=environment,
        cwd=folder,
        check=True,
        capture_output=True,
    )
    after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, ended - began


def _absolute(path: str) -> str:
    """PYTHONPATH for a process in another folder."""
    return os.pathsep.join(str(Path(part).absolute()) for part in path.split(os.pathsep) if part)


def first_and_second(arguments: tuple[str, ...], rounds: int) -> list[str]:
    """One row: the first command with an empty cache, the second with what the first left."""
    first: list[tuple[float, float]] = []
    second: list[tuple[float, float]] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="dlprobe-benchmark-") as folder:
            first.append(run(arguments, folder, f"{folder}/cache"))
            second.append(run(arguments, folder, f"{folder}/cache"))
    (cold, _), (warm, _) = (
        tuple(statistics.median(column) for column in zip(*side, strict=True))
        for side in (first, second)
    )
    beyond = statistics.median(a[0] - b[0] for a, b in zip(first, second, strict=True))
    return [
        " ".join(["dlprobe", *arguments]),
        f"{cold:.1f}",
        f"{warm:.1f}",
        f"{beyond:.1f}",
        "≤ 10 in all",
    ]


def wall(
    arguments: tuple[str, ...],
    rounds: int,
    target: str,
    folder: str,
    program: tuple[str, ...] = PROGRAM,
) -> list[str]:
    """One row: median wall time of a warm command."""
    run(arguments, folder, f"{folder}/cache", program)
    times = [run(arguments, folder, f"{folder}/cache", program) for _ in range(rounds)]
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    return [
        " ".join([*program, *arguments]),
        f"{medians[1]:.3f}",
        f"{min(each[1] for each in times):.3f}",
        f"{medians[0]:.3f}",
        target,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=3, help="fresh caches; the warm commands are run ten times"
    )
    given = parser.parse_args()
    rows = [first_and_second(arguments, given.rounds) for arguments in COMMANDS]
    columns = ["command", "first, CPU s", "second", "beyond", "target"]
    print_table(
        f"First command ever against the second (CPU seconds, median of {given.rounds})",
        columns,
        rows,
    )
    with tempfile.TemporaryDirectory(prefix="dlprobe-benchmark-") as folder:
        recorded = ("train", "--epochs", "1", "-o", "run.h5", "--force")
        waits = [
            wall((), 10, "", folder, ("-c", "import typer")),
            wall(("--help",), 10, "≤ 1.5 × import typer", folder),
            wall(recorded, 10, "≤ 0.7", folder),
            wall(("check", "run.h5"), 10, "≤ 0.4", folder),
            wall(("inspect", "run.h5"), 10, "≤ 0.4", folder),
        ]
    print_table(
        "Warm commands (seconds, median of 10)",
        ["command", "wall", "quickest", "CPU", "target (wall)"],
        waits,
    )


if __name__ == "__main__":
    main()
