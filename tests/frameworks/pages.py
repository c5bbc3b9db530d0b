"""The manual's pages on frameworks, executed with the real packages: `pytorch`, `keras` and
`trainers`, each in a process of its own.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from command_line import ROOT
from command_line import dlprobe as command

import dlprobe

COUNT = 1
PAGES = {
    "pytorch": ["sick.h5", "cured.h5", "probed.h5"],
    "keras": ["sick.h5", "cured.h5"],
    "trainers": ["lightning.h5", "transformers.h5", "skorch.h5"],
}
PACKAGES = ("torch", "keras", "lightning", "transformers", "skorch")


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Run every page once."""
    failed = []
    for page, files in PAGES.items():
        where = folder / page
        where.mkdir()
        failed += [
            f"{page}: {each}" for each in executed(page, where) or judged(page, where, files)
        ]
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {**versions, "failed": failed}


def executed(page: str, where: Path) -> list[str]:
    """The Python of a page, block by block, in one process; its last words where it fails."""
    text = (ROOT / "dlprobe" / "guide" / f"{page}.md").read_text(encoding="utf-8")
    script = "\n".join(re.findall(r"^```python\n(.*?)^```$", text, flags=re.M | re.S))
    environment = {
        **os.environ,
        "KERAS_BACKEND": "torch",
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=where,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return [result.stderr[-1500:]] if result.returncode else []


def judged(page: str, where: Path, files: list[str]) -> list[str]:
    """What is wrong with the runs that a page wrote."""
    wrong = [f"{name} was not written" for name in files if not (where / name).is_file()]
    if wrong:
        return wrong
    if page == "trainers":
        return [f"{name}: {each}" for name in files for each in lacking(where / name)]
    sick, cured = ([each["code"] for each in errors(where / name)] for name in files[:2])
    return [
        *(["the sick network has no G001"] if "G001" not in sick else []),
        *(f"the cured network has {code}" for code in cured),
    ]


def errors(path: Path) -> list[dict[str, Any]]:
    """The findings of severity error."""
    findings = json.loads(command("check", str(path), "--format", "json").out)["runs"][0][
        "findings"
    ]
    return [each for each in findings if each["severity"] == "error"]


def lacking(path: Path) -> list[str]:
    """What a run of thirty steps of the three layers does not have."""
    with dlprobe.open_run(path) as run:
        names = [layer.name.removeprefix("module.") for layer in run.layer_facts]
        activations = [layer.activation for layer in run.layer_facts]
        wrong = [] if names == ["net.0", "net.2", "net.4"] else [f"its layers are {names}"]
        wrong += (
            []
            if activations == ["relu", "relu", "softmax"]
            else [f"its activations are {activations}"]
        )
        wrong += [] if list(run.steps) == list(range(30)) else [f"it has {len(run.steps)} steps"]
        wrong += [
            f"{name} is not recorded"
            for name in ("batch_loss", "gradient_norm", "update_ratio", "error_signal_rms")
            if not run.is_recorded(name)
        ]
    return wrong
