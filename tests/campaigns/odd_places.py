"""Runs written where there is too little room, while the clock jumps, and by somebody whose home
cannot be written.

A limit on the size of files, for which nobody need be root, and a small tmpfs, for which one must:
the run is stopped by one line, nothing that was recorded is lost, and with room it is packed. A
clock that jumps by years at every reading changes no content, nor does a kernel cache that can be
kept nowhere. COUNT: sizes of each kind, and jumps;
a home takes a compilation, so there are a tenth as many.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import synthetic_runs
from command_line import command_of, dlprobe, environment
from killed_runs import assert_packs_to_the_whole_run, assert_prefix, opened
from resumed_runs import content_of
from write_scenarios import whole_run

from dlprobe.errors import RunFileError

COUNT, STEPS = 40, 260
LARGEST = 300_000  # bytes; the packed run takes some 220,000 and its journal 130,000
TRAIN = ("train", "--data", "wine", "--layers", "4", "--steps", "40", "--quiet")


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """codes: how writers ended, by place; 0 done, 2 one line."""
    chance, failed = random.Random(seed), []
    codes: Counter[str] = Counter()
    places: dict[str, Callable[[Path], int]] = {
        "limit": lambda here: _forked(lambda: _limited(here, chance.randrange(LARGEST))),
        "tmpfs": lambda here: _on_tmpfs(here, chance.randrange(8, LARGEST // 1024)),
        "clock": lambda here: _forked(lambda: _jumping(here, chance.random())),
        "home": _in_a_closed_home,
    }
    if not _may_mount(folder / "tmpfs"):
        del places["tmpfs"]
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        del places["home"]
    assert dlprobe(*TRAIN, "-o", str(folder / "whole.h5")).code == 0
    for number in range(count):
        for name, write in places.items():
            if name == "home" and number % 10:
                continue
            here = folder / f"{name}-{number}"
            here.mkdir()
            try:
                codes[f"{name}: {write(here)}"] += 1
                _check(name, here / "run.h5", folder / "whole.h5")
            except Exception as error:  # whatever is wrong belongs into the result
                failed.append(f"{name} {number}: {type(error).__name__}: {error}")
            chance.random()  # children draw from a copy
            shutil.rmtree(here)
    return {"codes": dict(sorted(codes.items())), "failed": failed}


def _check(name: str, path: Path, whole: Path) -> None:
    """Nothing that was recorded is lost, and with room it is packed."""
    if name in ("clock", "home"):
        assert content_of(path) == content_of(whole)
        return
    left = opened(path)
    if left is None:
        return
    with left:
        assert left.damage is None
        assert_prefix(left, whole_run(STEPS))
        rows = len(left.steps)
        ended = left.status == "finished"
    if ended:
        assert_packs_to_the_whole_run(path, rows)


def _forked(work: Callable[[], object]) -> int:
    """Its exit code: 2 where a RunFileError of one line ended it."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    code = 1
    try:
        work()
        code = 0
    except RunFileError as error:
        code = 2 if "\n" not in str(error) else 3
    finally:
        os._exit(code)


def _write(here: Path) -> None:
    synthetic_runs.write(here / "run.h5", STEPS, block=40).pack()


def _limited(here: Path, size: int) -> None:
    sys.dont_write_bytecode = True  # half of it would be kept
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    _write(here)


def _on_tmpfs(here: Path, kilobytes: int) -> int:
    """Written there, and copied back to where there is room."""
    small = here.with_name("tmpfs")
    _mount(small, kilobytes)
    try:
        code = _forked(lambda: _write(small))
        for file in small.iterdir():
            shutil.copy(file, here)
    finally:
        subprocess.run(["umount", str(small)], check=True)
    return code


def _may_mount(place: Path) -> bool:
    place.mkdir()
    try:
        _mount(place, 64)
    except (OSError, subprocess.CalledProcessError):
        return False
    subprocess.run(["umount", str(place)], check=True)
    return True


def _mount(place: Path, kilobytes: int) -> None:
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)]
    subprocess.run(["mount", *options], check=True, capture_output=True)


def _in_a_closed_home(here: Path) -> int:
    """The superuser gives away what lets him write everywhere."""
    home = here / "home"
    home.mkdir(mode=0o500)
    few = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if not os.getuid() else ()
    done = subprocess.run(
        [*few, *command_of(*TRAIN, "-o", str(here / "run.h5"))],
        env=environment(HOME=str(home), DLPROBE_CACHE_DIR="", XDG_CACHE_HOME=""),
        capture_output=True,
        text=True,
        check=False,
    )
    assert not list(home.iterdir())
    return done.returncode


def _jumping(here: Path, start: float) -> None:
    chance = random.Random(start)
    with mock.patch.object(time, "time", side_effect=lambda: chance.uniform(-1e9, 4e9)):
        assert dlprobe(*TRAIN, "-o", str(here / "run.h5")).code == 0
