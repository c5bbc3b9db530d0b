"""Reading: a run or study by its path, packed, still being written, or left by a killed process."""

from __future__ import annotations

from pathlib import Path

from dlprobe.errors import RunFileError
from dlprobe.runs import Run as Run
from dlprobe.runs import Study as Study
from dlprobe.runs import open_run as open_run


def open_study(path: Path | str) -> Study:
    """The study at `path`, as `open_run` finds it. Raises RunFileError, one line, where there is none or it is a single run."""
    found = open_run(path)
    if isinstance(found, Study):
        return found
    found.close()
    raise RunFileError(f"{path} is a single run, a study is needed here: open it with dlprobe.open_run")
