"""What `inspect --follow` costs the training that it watches: both on one processor, and each
on its own; pairs in turn, and the median of their ratios.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import print_table

NET = ("--layers", "100x20", "--evaluate-every", "never", "--quiet")
DLPROBE = (sys.executable, "-m", "dlprobe")


def pinned(cores: set[int]) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def trained(steps: int, path: Path, follower: set[int] | None) -> tuple[float, float]:
    """Seconds of the clock that training on the first processor takes, and of processor time
    that the follower took; None: without one.
    """
    path.unlink(missing_ok=True)
    watching = None
    if follower is not None:
        command = [*DLPROBE, "inspect", str(path), "--follow"]
        watching = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: pinned(follower),
        )
        time.sleep(5.0)  # it waits for the run by now
    spent, began = os.times().children_user + os.times().children_system, time.perf_counter()
    subprocess.run(
        [*DLPROBE, "train", *NET, "--steps", str(steps), "-o", str(path)],
        check=True,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: pinned({0}),
    )
    seconds = time.perf_counter() - began
    trainer = os.times().children_user + os.times().children_system - spent
    if watching is not None:
        watching.wait()
    return seconds, os.times().children_user + os.times().children_system - spent - trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="dlprobe-benchmark-") as folder:
        path = Path(folder) / "run.h5"
        trained(200, path, None)
        for where, cores in (("another processor", {1}), ("the same processor", {0})):
            pairs = []
            for number in range(given.rounds):
                sides = {
                    follower: trained(given.steps, path, cores if follower else None)
                    for follower in ((False, True) if number % 2 else (True, False))
                }
                pairs.append(
                    (sides[True][0] / sides[False][0] - 1.0, sides[True][1], sides[True][0])
                )
            slower, spent, seconds = (
                statistics.median(column) for column in zip(*pairs, strict=True)
            )
            rows.append(
                [where, f"{seconds:.0f}", f"{100 * slower:+.1f} %", f"{spent:.1f}", "≤ 1 %"]
            )
    print_table(
        "A run of 20 layers that is followed, wall time",
        ["follower on", "run, s", "slower by", "follower's CPU, s", "target"],
        rows,
    )


if __name__ == "__main__":
    main()
