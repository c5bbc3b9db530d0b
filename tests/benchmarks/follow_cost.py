"""What `inspect --follow` costs the training that it watches: both on one processor, and each on
its own.

Of a run that is followed throughout: the follower's processor time over the trainer's, from its
first window to its last; the follower's start and the result that it shows at the end lie outside.
In a second run the follower is stopped and goes on in turn (SIGSTOP, SIGCONT): compared is the
processor time that the trainer needs for a byte of its journal, medians of the ratios of
neighbouring windows, so that whatever else the machine does meets both. On the same processor the
cost is the sum. Linux alone.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from measuring import print_table

DLPROBE = (sys.executable, "-m", "dlprobe")
TICK = os.sysconf("SC_CLK_TCK")


def started(command: list[str], core: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )


def processor_time(process: subprocess.Popen[bytes]) -> float:
    """Seconds of all its threads."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def windows(
    command: list[str], folder: Path, core: int, length: float, in_turn: bool
) -> list[tuple[bool, float, float, int]]:
    """Of each window of a training on processor 0: whether it was followed from `core`, seconds of
    the processor that the trainer and the follower took, and bytes that the journal grew.
    """
    run = folder / "run.h5"
    journal = folder / "run.h5.journal"
    follower = started([*DLPROBE, "inspect", str(run), "--follow"], core)
    time.sleep(5.0)  # it waits for the run by now
    trainer = started([*command, "-o", str(run)], 0)
    while not journal.exists():
        time.sleep(0.1)
    time.sleep(2.0)  # compiled code is loaded
    measured: list[tuple[bool, float, float, int]] = []
    follows = True

    def now() -> tuple[float, float, int]:
        return processor_time(trainer), processor_time(follower), journal.stat().st_size

    try:
        while trainer.poll() is None:
            before = now()
            time.sleep(length)
            after = now()
            measured.append(
                (follows, after[0] - before[0], after[1] - before[1], after[2] - before[2])
            )
            follows = not (in_turn and follows)
            follower.send_signal(signal.SIGCONT if follows else signal.SIGSTOP)
    except (FileNotFoundError, ProcessLookupError):
        pass  # it is being packed
    follower.send_signal(signal.SIGCONT)
    assert trainer.wait() == 0
    assert follower.wait() == 0
    run.unlink()
    return [window for window in measured if window[3] > 0][:-1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=200_000)
    parser.add_argument("--layers", default="100x20")
    parser.add_argument("--record-every", default="auto")
    parser.add_argument("--window", type=float, default=3.0, help="seconds")
    given = parser.parse_args()
    command = [*DLPROBE, "train", "--evaluate-every", "never", "--quiet"]
    command += ["--layers", given.layers, "--steps", str(given.steps)]
    command += ["--record-every", given.record_every]
    rows = []
    with tempfile.TemporaryDirectory(prefix="dlprobe-benchmark-") as folder:
        for where, core in (("another processor", 1), ("the same processor", 0)):
            whole = windows(command, Path(folder), core, given.window, False)
            share = sum(own for _, _, own, _ in whole) / sum(spent for _, spent, *_ in whole)
            measured = windows(command, Path(folder), core, given.window, True)
            cost = [(followed, trainer / size) for followed, trainer, _, size in measured]
            more = statistics.median(
                one / next_one if followed else next_one / one
                for (followed, one), (_, next_one) in pairwise(cost)
            )
            total = more - 1 + (share if core == 0 else 0.0)
            told = [f"{100 * part:+.2f} %" for part in (more - 1, share, total)]
            rows.append([where, f"{len(measured)}", *told, "≤ 1 %"])
    print_table(
        f"A run of {given.steps:,} steps, layers {given.layers}, that is followed",
        ["follower on", "windows", "trainer's time", "follower's over it", "cost", "target"],
        rows,
    )


if __name__ == "__main__":
    main()
