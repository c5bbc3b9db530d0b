"""`dlprobe train` killed at moments over its whole duration, from before its first step to packing:
what is left is an exact prefix of the run that was not killed.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

from killed_runs import Child, assert_prefix, opened
from write_scenarios import state_of

from dlprobe import open_run
from dlprobe.runs.journal import journal_path

COUNT = 250
NET = ("--data", "wine", "--layers", "8", "--steps", "400000", "--evaluate-every", "never")
SHORT = ["train", *NET, "--record-every", "500", "--quiet"]


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """left: how often each state was left; steps: how far those came that can be read, in order."""
    chance, failed, steps = random.Random(seed), [], []
    left: Counter[str] = Counter()
    whole, path = folder / "whole.h5", folder / "killed" / "run.h5"
    path.parent.mkdir()
    for _ in range(2):  # the first one compiles
        whole.unlink(missing_ok=True)
        child = Child([*SHORT, "-o", str(whole)])
        child.begun(journal_path(whole))
        began = time.monotonic()
        assert child.wait() == 0
        seconds = time.monotonic() - began
    with open_run(whole) as uninterrupted:
        for number in range(count):
            moment = chance.uniform(0.0, 1.1 * seconds)
            child = Child([*SHORT, "-o", str(path)])
            if number % 5:  # every fifth moment counts from the start of the process
                child.begun(journal_path(path))
            time.sleep(moment)
            child.kill()
            left[state_of(path.parent)] += 1
            try:
                if (killed := opened(path)) is not None:
                    with killed:
                        assert_prefix(killed, uninterrupted)
                        steps.append(len(killed.steps))
            except Exception as error:  # whatever is wrong belongs into the result
                text = f"{type(error).__name__}: {error}"
                failed.append(f"kill {number} after {moment:.3f} s: {text}")
            for file in path.parent.iterdir():
                file.unlink()
    return {"left": dict(sorted(left.items())), "steps": sorted(steps), "failed": failed}
