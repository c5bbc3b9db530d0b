"""Pictures and reports: CPU seconds and bytes of each format, the first picture of a process apart;
the page of a long run and of a study.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from large_and_many import NET, a_study, command
from measuring import print_table

from dlprobe.api import open_run
from dlprobe.render.vega.files import SUFFIXES, content

PICTURES = ("loss", "error_signal_rms", "map")


def picture_rows(run: Path, rounds: int) -> list[list[str]]:
    """Of each picture and format: seconds of the first one drawn in this process, the median of
    the others, bytes.
    """
    rows, first = [], ""
    with open_run(run) as found:
        for name in PICTURES:
            spec = found.figure(name)
            for suffix in SUFFIXES:
                seconds = []
                for _ in range(rounds + 1):
                    began = time.process_time()
                    drawn = content(spec, suffix)
                    seconds.append(time.process_time() - began)
                first = first or f"{seconds[0]:.2f}"
                rows.append(
                    [
                        name,
                        suffix,
                        f"{statistics.median(seconds[1:]):.3f}",
                        f"{len(drawn) / 1000:.0f} kB",
                    ]
                )
    return [[*row, first if number == 0 else ""] for number, row in enumerate(rows)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dlprobe-benchmark-") as scratch:
        folder = Path(scratch)
        large, small, study, page = (
            folder / name for name in ("large.h5", "small.h5", "study.h5", "page.html")
        )
        for path, steps in ((large, given.steps), (small, 100)):
            command("train", *NET, "--steps", str(steps), "-o", str(path))
        a_study(study, given.runs)
        rows = []
        named = (
            (f"a run of {given.steps:,} steps", large),
            ("a run of 100 steps", small),
            (f"a study of {given.runs} runs", study),
        )
        for name, path in named:
            seconds, peak = command("report", str(path), "-o", str(page), "--force", "--quiet")
            rows.append(
                [name, f"{seconds:.2f}", f"{peak:.0f}", f"{page.stat().st_size / 1000:.0f} kB"]
            )
        print_table(
            "report, 20 layers of 8 units: CPU time, start of the program included",
            ["of", "s", "peak MB", "page, < 1000 kB"],
            rows,
        )
        print_table(
            "pictures of the long run",
            ["picture", "format", "s", "size", "the very first, s"],
            picture_rows(large, given.rounds),
        )


if __name__ == "__main__":
    main()
