"""A run of a million steps and a study of 500 runs: CPU seconds and peak memory of each command,
and packing against a plain h5py write of the same arrays.

Every command is a process of its own; beside each stands the same command on a small run, and for
packing the plain write.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
from measuring import print_table

from dlprobe.config import from_options, with_values, without_instruments
from dlprobe.data import load, prepare
from dlprobe.executors.one_run import train_to_bytes
from dlprobe.runs import StudyWriter, open_run, pack_journal

NET = ("--data", "wine", "--layers", "8x20", "--evaluate-every", "never", "--quiet")


def command(*arguments: str) -> tuple[float, float]:
    """CPU seconds and peak MB of a command."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dlprobe", *arguments], stdout=subprocess.DEVNULL
    )
    _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def spent(work: Callable[[], object]) -> float:
    """CPU seconds of a call."""
    began = time.process_time()
    work()
    return time.process_time() - began


def a_study(path: Path, runs: int) -> None:
    """The journal of a study of 64-16-10 nets, 34 rows each."""
    config = without_instruments(from_options(None, {"layers": "16", "epochs": "1"}))
    data = prepare(load(config.data, 0), config.data, 0, "float32")
    with StudyWriter.create(
        path, {"experiment": "benchmark", "axes": {"seed": list(range(runs))}}
    ) as writer:
        for seed in range(runs):
            writer.run(
                f"seed{seed}",
                train_to_bytes(
                    with_values(config, {"training.seed": seed, "data.data_seed": 0}), data
                )
                or b"",
                {"seed": seed},
            )
        writer.end()


def plain_write(path: Path, target: Path) -> float:
    """Seconds in which h5py writes the same arrays."""
    with open_run(path) as study:
        contents = {id: study.runs.open(id).contents for id in study.runs}
        arrays = {
            f"runs/{id}/{name}": found.read(name)
            for id, found in contents.items()
            for name in found.shapes()
        }

    def write() -> None:
        with h5py.File(target, "w", libver=("v110", "v110")) as file:
            for name, array in arrays.items():
                file.create_dataset(name, data=array)

    return spent(write)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=500)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dlprobe-benchmark-") as scratch:
        folder = Path(scratch)
        large, small, study = (folder / f"{name}.h5" for name in ("large", "small", "study"))
        rows = [["train"], ["inspect"], ["check"], ["diff"]]
        for path, steps in ((large, given.steps), (small, 100)):
            results = [command("train", *NET, "--steps", str(steps), "-o", str(path))]
            results += [
                command(name, str(path), *([str(path)] if name == "diff" else []))
                for name in ("inspect", "check", "diff")
            ]
            for row, (seconds, peak) in zip(rows, results, strict=True):
                row += [f"{seconds:.2f}", f"{peak:.0f}"]
        print_table(
            f"A run of {given.steps:,} steps, 20 layers of 8 units",
            ["command", "s", "peak MB", "100 steps, s", "peak MB"],
            rows,
        )
        a_study(study, given.runs)
        plain = plain_write(study, folder / "plain.h5")
        packing = spent(lambda: pack_journal(study))
        table = [
            ["packing", f"{packing:.2f}", f"{plain:.2f} plain h5py", f"{packing / plain:.2f} ×"]
        ]
        for name, beside in (("inspect", rows[1]), ("check", rows[2])):
            table.append(
                [name, f"{command(name, str(study))[0]:.2f}", f"{beside[3]} one small run", ""]
            )
        print_table(f"A study of {given.runs} runs", ["", "s", "beside", "ratio"], table)


if __name__ == "__main__":
    main()
