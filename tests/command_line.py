"""Running the command line in tests: in this process for speed, or as a process of its own
where streams and signals matter.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from json_schemas import problems

from dlprobe.commands import main

ROOT = Path(__file__).parent.parent
TINY = ("--data", "wine", "--layers", "5,4", "--epochs", "2")


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        """The JSON on stdout; a record of ours is one that its schema allows (SARIF names
        another one).
        """
        loaded: dict[str, Any] = json.loads(
            self.out, parse_constant=lambda name: f"{name} is not JSON"
        )
        assert "$schema" in loaded or problems(loaded) == []
        return loaded

    @property
    def errors(self) -> list[str]:
        """The lines of stderr that say why it failed."""
        return [line for line in self.err.splitlines() if line.startswith("error:")]


def dlprobe(*arguments: str) -> Outcome:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    return Outcome(code, out.getvalue(), err.getvalue())


def environment(**changes: str) -> dict[str, str]:
    """The environment of a process that finds this checkout, without what would colour or size
    its output.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("NO_COLOR", "COLUMNS", "FORCE_COLOR")
    }
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **changes}


# For a process whose files are cut off: Python would keep half of what it compiled, for all others.
NO_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}


def command_of(*arguments: str) -> list[str]:
    """The argument vector of a process."""
    return [sys.executable, "-m", "dlprobe", *arguments]


def process(*arguments: str, folder: Path, **changes: str) -> Outcome:
    """Run a command as a process in `folder`."""
    done = subprocess.run(
        command_of(*arguments),
        cwd=folder,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)
