"""`dlprobe train` killed five times at moments drawn over its whole duration, gone on with by --resume each time: the content is that of the run not killed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from resumed_runs import arguments, content_of, draw

from dlprobe import open_run
from dlprobe.errors import RunFileError
from dlprobe.runs.journal import journal_path

COUNT, KILLS = 60, 5
LENGTH = {"data": "digits", "epochs": "none", "jacobian": "none", "sharpness": "none"}
SECONDS = 2.5  # that the training of a run should take about


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """`count` runs; `left`: how each kill found its run, and the share of its steps that those in training had recorded, in tenths."""
    chance, failed = random.Random(seed), []
    left: Counter[str] = Counter()
    for number in range(count):
        whole, path = folder / f"{number}-whole.h5", folder / f"{number}.h5"
        options = _in_time(draw(chance, **LENGTH, steps="2000"), folder / f"{number}-short.h5")
        try:
            _train(arguments(options), whole)
            for _ in range(KILLS):
                left[_killed(path, options, chance.random() < 0.1, chance.uniform(0.0, 2 * SECONDS / KILLS))] += 1
            _finish(path, options)
            if content_of(path) != content_of(whole):
                failed.append(f"run {number}: {options}: another content than without kills")
        except Exception as error:  # whatever is wrong belongs into the result
            failed.append(f"run {number}: {options}: {type(error).__name__}: {error}")
        for file in folder.iterdir():
            file.unlink()
    return {"kills": sum(left.values()), "left": dict(sorted(left.items())), "failed": failed}


def _in_time(options: dict[str, str], path: Path) -> dict[str, str]:
    """The options with as many steps as take some seconds."""
    _train(arguments(options), path)
    with open_run(path) as short:
        spent = float(np.median(short.timing["step_seconds"]))
    return options | {"steps": str(min(max(int(SECONDS / spent), 2000), 60_000))}


def _command(options: dict[str, str], path: Path) -> list[str]:
    """What is typed: --resume once there is anything to go on with."""
    there = path.exists() or journal_path(path).exists()
    return ["--resume", str(path)] if there else [*arguments(options), "-o", str(path)]


def _train(options: list[str], path: Path) -> None:
    subprocess.run([sys.executable, "-m", "dlprobe", "train", "--quiet", *options, "-o", str(path)], check=True, stdout=subprocess.DEVNULL)


def _killed(path: Path, options: dict[str, str], early: bool, seconds: float) -> str:
    """How a kill leaves the run: after `seconds` of work from its first written byte on, or `early`, from its start on."""
    before = _written(path)
    process = subprocess.Popen([sys.executable, "-m", "dlprobe", "train", "--quiet", *_command(options, path)], stdout=subprocess.DEVNULL)
    while not early and _written(path) == before and process.poll() is None:
        time.sleep(0.02)
    end = _worked(process) + seconds
    while _worked(process) < end and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    process.wait()
    if not (path.exists() or journal_path(path).exists()):
        return "not begun"
    try:
        with open_run(path) as run:
            if path.exists():
                return "packed, journal beside it" if journal_path(path).exists() else "packed"
            return "whole, in packing" if run.status == "finished" else f"training, {10 * len(run.steps) * _every(options) // int(options['steps'])} tenths"
    except RunFileError:
        journal_path(path).unlink()  # before its first frame; the message asks for it
        return "not begun"


def _worked(process: subprocess.Popen[bytes]) -> float:
    """Seconds of processor time that a process has had, so that a busy machine moves no kill; where the system does not tell, those of the clock."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return time.monotonic()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _written(path: Path) -> tuple[int, int]:
    """Bytes of file and journal; −1 where there is none."""
    sizes = (each.stat().st_size if each.exists() else -1 for each in (path, journal_path(path)))
    return next(sizes), next(sizes)


def _every(options: dict[str, str]) -> int:
    return int(options["record_every"])


def _finish(path: Path, options: dict[str, str]) -> None:
    """Go on to the end. Raises CalledProcessError."""
    subprocess.run([sys.executable, "-m", "dlprobe", "train", "--quiet", *_command(options, path)], check=True, stdout=subprocess.DEVNULL)
