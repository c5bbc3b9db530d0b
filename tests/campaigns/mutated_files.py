"""Run files with flipped bits, overwritten, removed and cut bytes: read as they were written,
or refused in one line.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mutated_runs
import synthetic_runs

COUNT, PROCESS = 5000, 250


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Read `count` mutations, 250 to a process, because a signal or a wait ends it."""
    source = synthetic_runs.write(folder / "whole.h5").pack()
    total, failed = mutated_runs.Counts(), []
    for first in range(0, count, PROCESS):
        number, own = min(PROCESS, count - first), seed + first
        done = subprocess.run(
            mutated_runs.command(source, folder, number, own),
            capture_output=True,
            text=True,
            env=os.environ,
            check=False,
        )
        if done.returncode:
            failed.append(f"seed {own}: exit {done.returncode}: {done.stderr[-2000:]}")
            continue
        found = mutated_runs.Counts.from_text(done.stdout)
        total += found
        failed += (
            [f"seed {own}: {found.wrong} read as something else or refused in several lines"]
            if found.wrong
            else []
        )
    return {
        "read_as_written": total.right,
        "refused": total.refused,
        "wrong": total.wrong,
        "platform": sys.platform,
        "failed": failed,
    }
