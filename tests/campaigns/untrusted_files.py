"""Hostile run files read by every command that takes --untrusted: each is refused in one line with
exit code 2, in time and in little memory.

A healthy run in which one data set is replaced by each hostile kind of tests/hdf5/test_hostile.py,
which a plain reading would follow, allocate or hang on. COUNT: how many of the kinds.
"""

from __future__ import annotations

import importlib.util
import resource
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import synthetic_runs
from command_line import ROOT, command_of, environment

COUNT, LONGEST, MOST = 100, 60.0, 300.0  # kinds; seconds by the clock; MB
LEFT_OUT = ("external_link_on_the_way", "left_open")  # of whole files, not of a data set
PLACE = "stats/step"  # every command reads it
COMMANDS = {
    "inspect": ("inspect", "hostile.h5"),
    "check": ("check", "hostile.h5"),
    "diff": ("diff", "hostile.h5", "whole.h5"),
    "export": ("export", "hostile.h5", "-o", "out.csv", "--force"),
    "report": ("report", "hostile.h5", "-o", "out.html", "--force"),
}


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """codes: by command and exit code; most_mb: the largest peak of memory of any process."""
    hostile = _hostile()
    kinds, failed, secret = hostile.HOSTILE, [], hostile._secret(folder)
    codes: Counter[str] = Counter()
    whole = synthetic_runs.write(folder / "whole.h5", 60).pack()
    for kind in [kind for kind in kinds if kind not in LEFT_OUT][:count]:
        kinds[kind][0](folder / "made.h5", secret)
        _planted(whole, folder / "made.h5", folder / "hostile.h5")
        for name, typed in COMMANDS.items():
            began = time.monotonic()
            done = subprocess.run(
                command_of(*typed, "--untrusted"),
                cwd=folder,
                env=environment(),
                capture_output=True,
                text=True,
                timeout=LONGEST,
                check=False,
            )
            codes[f"{name}: {done.returncode}"] += 1
            errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
            if (done.returncode, len(errors)) != (2, 1) or time.monotonic() - began > LONGEST:
                failed.append(f"{name}, {kind}: exit {done.returncode}: {done.stderr[-500:]}")
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    if most > MOST:
        failed.append(f"{most:.0f} MB, more than {MOST:.0f}")
    return {"codes": dict(sorted(codes.items())), "most_mb": round(most), "failed": failed}


def _hostile() -> Any:
    """The tests of the guard, which say how each kind is made: `X` of a file is hostile."""
    path = ROOT / "tests" / "hdf5" / "test_hostile.py"
    spec = importlib.util.spec_from_file_location("test_hostile", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["test_hostile"] = module
    spec.loader.exec_module(module)
    return module


def _planted(whole: Path, made: Path, hostile: Path) -> None:
    """The run with the hostile thing in the place of a data set."""
    hostile.write_bytes(whole.read_bytes())
    with h5py.File(hostile, "r+") as run, h5py.File(made, "r") as source:
        del run[PLACE]
        link = source.get("X", getlink=True)
        if isinstance(link, h5py.HardLink):
            source.copy("X", run, name=PLACE)
        else:
            run[PLACE] = link
    made.unlink()
    for file in (hostile.with_name("out.csv"), hostile.with_name("out.html")):
        file.unlink(missing_ok=True)
