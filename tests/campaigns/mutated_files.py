"""Run and study files with flipped bits, overwritten, removed and cut bytes: read as they were
written, or refused in one line.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mutated_journals
import mutated_runs
import synthetic_runs

from dlprobe.runs import pack_journal
from dlprobe.runs.journal import journal_path

COUNT, PROCESS = 2000, 250


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Read `count` mutations of a run and a quarter as many of a study, 250 to a process, because a
    signal or a wait ends it.
    """
    study = folder / "study.h5"
    journal_path(study).write_bytes(mutated_journals.study_journal(folder))
    sources = {"run": synthetic_runs.write(folder / "run.h5").pack(), "study": pack_journal(study)}
    results: dict[str, Any] = {"platform": sys.platform}
    failed = []
    for name, number in (("run", count), ("study", count // 4)):
        total = mutated_runs.Counts()
        for first in range(0, number, PROCESS):
            tries, own = min(PROCESS, number - first), seed + first
            command = mutated_runs.command(sources[name], folder, tries, own)
            done = subprocess.run(
                command, capture_output=True, text=True, env=os.environ, check=False
            )
            if done.returncode:
                failed.append(f"{name}, seed {own}: exit {done.returncode}: {done.stderr[-2000:]}")
                continue
            answers = mutated_runs.Counts.from_text(done.stdout)
            total += answers
            if answers.wrong:
                failed.append(f"{name}, seed {own}: {answers.wrong} read wrongly or in lines")
        results[name] = {"read_as_written": total.right, "refused": total.refused}
    return {**results, "failed": failed}
