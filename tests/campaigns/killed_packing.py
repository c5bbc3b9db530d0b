"""Packing killed at random moments: the run reads whole, can be packed again, and nothing is
left beside it.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from killed_runs import assert_packs_to_the_whole_run, kill_packing

COUNT, STEPS = 200, 3000


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Kill `count` processes that pack a run of 3,000 steps; `packed`: those that had finished
    in time.
    """
    moments, failed, packed = random.Random(seed), [], 0
    for number in range(count):
        path, seconds = folder / f"{number}.h5", moments.uniform(0.0, 0.3)
        try:
            kill_packing(path, STEPS, seconds)
            packed += not path.with_name(path.name + ".journal").exists()
            assert_packs_to_the_whole_run(path, STEPS)
        except Exception as error:  # whatever is wrong belongs into the result
            failed.append(f"kill {number} after {seconds:.3f} s: {type(error).__name__}: {error}")
        for file in folder.glob(f"{number}.h5*"):
            file.unlink()
    return {"packed": packed, "failed": failed}
