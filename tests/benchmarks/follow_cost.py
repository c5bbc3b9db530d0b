"""What `inspect --follow` costs the training that it watches: both on one processor, and each
on its own; pairs in turn, and the median of their ratios.

On a busy machine the clock says nothing: read the trainer's own processor time, and on the same
processor the follower's as a share of it.
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

DLPROBE = (sys.executable, "-m", "dlprobe")


def pinned(cores: set[int]) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def processor_time() -> float:
    """Of the children that ended."""
    return os.times().children_user + os.times().children_system


def trained(
    command: list[str], path: Path, follower: set[int] | None, late: float
) -> tuple[float, float, float]:
    """Seconds of the clock and of the processor that training on the first processor takes, and of
    processor time that the follower took; None: without one. late: seconds that it begins later.
    """
    path.unlink(missing_ok=True)
    following = [*DLPROBE, "inspect", str(path), "--follow"]
    watching, spent = None, processor_time()

    def watch() -> subprocess.Popen[bytes] | None:
        if follower is None:
            return None
        return subprocess.Popen(
            following,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: pinned(follower),
        )

    if not late:
        watching = watch()
        time.sleep(5.0)  # it waits for the run by now
    began = time.perf_counter()
    training = subprocess.Popen(
        [*command, "-o", str(path)], stdout=subprocess.DEVNULL, preexec_fn=lambda: pinned({0})
    )
    if late:
        time.sleep(late)
        watching = watch()
    assert training.wait() == 0
    seconds, trainer = time.perf_counter() - began, processor_time() - spent
    if watching is not None:
        watching.wait()
    return seconds, trainer, processor_time() - spent - trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--layers", default="100x20")
    parser.add_argument("--record-every", default="auto")
    parser.add_argument("--late", type=float, default=0.0, help="seconds of backlog")
    given = parser.parse_args()
    command = [*DLPROBE, "train", "--evaluate-every", "never", "--quiet"]
    command += ["--layers", given.layers, "--steps", str(given.steps)]
    command += ["--record-every", given.record_every]
    rows = []
    with tempfile.TemporaryDirectory(prefix="dlprobe-benchmark-") as folder:
        path = Path(folder) / "run.h5"
        for where, cores in (("another processor", {1}), ("the same processor", {0})):
            pairs = []
            for number in range(given.rounds):
                sides = {
                    follower: trained(command, path, cores if follower else None, given.late)
                    for follower in ((False, True) if number % 2 else (True, False))
                }
                (seconds, trainer, spent), (alone, own, _) = sides[True], sides[False]
                pairs.append((seconds, seconds / alone - 1, trainer / own - 1, spent / trainer))
            seconds, slower, more, share = (
                statistics.median(column) for column in zip(*pairs, strict=True)
            )
            told = [f"{seconds:.0f}", *(f"{100 * part:+.1f} %" for part in (slower, more, share))]
            rows.append([where, *told, "≤ 1 %"])
    print_table(
        f"A run of {given.steps:,} steps, layers {given.layers}, that is followed",
        ["follower on", "run, s", "slower by", "its CPU", "follower's CPU over it", "target"],
        rows,
    )


if __name__ == "__main__":
    main()
