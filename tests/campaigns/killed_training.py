"""`dlprobe train` killed at random moments, before and after its first step: what is left is an
exact prefix of the run that was not killed.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from command_line import dlprobe
from killed_runs import TRAINING, assert_prefix, kill_training, opened

from dlprobe import open_run

COUNT = 60


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Kill `count` runs within their first second; `steps` holds how far those came that can be
    read.
    """
    moments, failed, steps = random.Random(seed), [], []
    whole = folder / "whole.h5"
    assert dlprobe(*TRAINING, "-o", str(whole)).code == 0
    with open_run(whole) as uninterrupted:
        for number in range(count):
            path, seconds = folder / f"{number}.h5", moments.uniform(0.0, 1.0)
            kill_training(path, seconds)
            try:
                left = opened(path)
                if left is not None:
                    with left:
                        assert_prefix(left, uninterrupted)
                        steps.append(len(left.steps))
            except Exception as error:  # whatever is wrong belongs into the result
                failed.append(
                    f"kill {number} after {seconds:.3f} s: {type(error).__name__}: {error}"
                )
            for file in folder.glob(f"{number}.h5*"):
                file.unlink()
    return {
        "read": len(steps),
        "before_it_began": count - len(steps) - len(failed),
        "steps": sorted(steps),
        "failed": failed,
    }
