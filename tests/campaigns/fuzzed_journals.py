"""An hour of coverage-guided search for journals that are read or packed with anything but an
answer or one line. Needs atheris, which is no extra of dlprobe. COUNT: seconds.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

COUNT = 3600
PROGRAM = Path(__file__).parents[1] / "fuzzed_journals.py"


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """inputs: tried, by answer; covered: branches of the reader that libFuzzer saw."""
    if importlib.util.find_spec("atheris") is None:
        return {"failed": ["atheris is not installed: pip install atheris"]}
    command = [sys.executable, str(PROGRAM), str(folder), str(count), str(seed)]
    path = os.pathsep.join([str(PROGRAM.parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    note = folder / "found.json"
    found = json.loads(note.read_text()) if note.exists() else {"wrong": {}}
    failed = [f"{kind}: {text}" for kind, text in found.pop("wrong").items()]
    if done.returncode:
        failed.append(f"exit {done.returncode}: {done.stderr[-1500:]}")
    covered = re.findall(r"cov: (\d+)", done.stderr)
    return {**found, "covered": int(covered[-1]) if covered else 0, "failed": failed}
