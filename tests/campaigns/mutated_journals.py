"""Mutated journals of runs and studies: garbled bytes, frames lost, moved and repeated, changed
ones with repaired checksums. Each is refused in one line, told to be damaged, or read up to its
end.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import mutated_journals

COUNT, PROCESS = 2000, 250


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """`count` of runs and a quarter as many of studies, 250 to a process, because a signal or a
    wait ends it.
    """
    answers = {"run": Counter[str](), "study": Counter[str]()}
    failed = []
    for kind, number in (("run", count), ("study", count // 4)):
        for first in range(0, number, PROCESS):
            own = seed + first
            command = mutated_journals.command(kind, folder, min(PROCESS, number - first), own)
            done = subprocess.run(
                command, capture_output=True, text=True, env=os.environ, check=False
            )
            if done.returncode:
                text = done.stderr[-2000:]
                failed.append(f"{kind}, seed {own}: exit {done.returncode}: {text}")
            else:
                answers[kind].update(json.loads(done.stdout))
    counts = {kind: dict(sorted(counted.items())) for kind, counted in answers.items()}
    return {"answers": counts, "failed": failed}
