"""Packing killed at moments over its whole duration: the run reads whole, can be packed again, and
nothing is left beside it.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import synthetic_runs
from killed_runs import assert_packs_to_the_whole_run
from write_scenarios import state_of

from dlprobe.runs import pack_journal
from dlprobe.runs.journal import journal_path

COUNT, STEPS = 250, 1500


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """left: how often each state was left by the kill."""
    chance, failed = random.Random(seed), []
    left: Counter[str] = Counter()
    journal = synthetic_runs.write(None, STEPS, block=100).bytes()
    path = folder / "run" / "run.h5"
    path.parent.mkdir()
    longest = max(_killed(path, journal, None) for _ in range(3)) if count else 0.0
    for number in range(count):
        seconds = chance.uniform(0.0, 1.1 * longest)
        _killed(path, journal, seconds)
        left[state_of(path.parent)] += 1
        try:
            assert_packs_to_the_whole_run(path, STEPS)
        except Exception as error:  # whatever is wrong belongs into the result
            failed.append(f"kill {number} after {seconds:.3f} s: {type(error).__name__}: {error}")
    return {"left": dict(sorted(left.items())), "failed": failed}


def _killed(path: Path, journal: bytes, seconds: float | None) -> float:
    """Pack a journal in a process that is killed after so long, or not; how long it took."""
    path.unlink(missing_ok=True)
    journal_path(path).write_bytes(journal)
    began, process = time.monotonic(), os.fork()
    if process == 0:
        try:
            pack_journal(path)
        finally:
            os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return time.monotonic() - began
