"""Checks that take minutes: a folder of modules that pytest does not collect, run by `python -m
tests.FOLDER`.

A module has COUNT, how often it tries by default, and `run(count, seed, folder)`, which returns
numbers by name and under `failed` one line per failure.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import platform
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # helpers of the tests are imported by their own names


def names(folder: str) -> list[str]:
    """The checks of a folder."""
    return sorted(
        module.name
        for module in pkgutil.iter_modules([str(HERE / folder)])
        if module.name != "__main__"
    )


def run(folder: str, name: str, count: int | None, seed: int) -> dict[str, Any]:
    """One check with what it found, in a scratch folder of its own."""
    module, start = importlib.import_module(f"tests.{folder}.{name}"), time.monotonic()
    tries = module.COUNT if count is None else count
    with tempfile.TemporaryDirectory(prefix=f"dlprobe-{name}-") as scratch:
        found = module.run(tries, seed, Path(scratch))
    return {
        "check": name,
        "date": str(date.today()),
        "commit": commit(),
        "python": platform.python_version(),
        "count": tries,
        "seed": seed,
        "seconds": round(time.monotonic() - start, 1),
        **found,
    }


def commit() -> str:
    """The commit that is tried, with a + where the tree has changes."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"],
            cwd=HERE,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def keep(results: list[dict[str, Any]], file: Path) -> None:
    """Put results in the place of earlier ones of the same checks."""
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    by_name = {result["check"]: result for result in (*kept, *results)}
    lines = ",\n".join(json.dumps(by_name[name]) for name in sorted(by_name))
    file.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def main(folder: str, arguments: list[str] | None = None) -> int:
    """Run the named checks, all without a name; JSON on stdout, exit code 1 where one failed."""
    parser = argparse.ArgumentParser(
        prog=f"python -m tests.{folder}",
        description=importlib.import_module(f"tests.{folder}.__main__").__doc__,
    )
    parser.add_argument(
        "checks", nargs="*", metavar="NAME", help=f"{', '.join(names(folder))}; all without a name"
    )
    parser.add_argument(
        "--count", type=int, help="tries per check, in place of each check's own number"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="keep the results in a file of results too"
    )
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.checks) - set(names(folder))):
        parser.error(
            f"no check is called {', '.join(unknown)}: expected some of {', '.join(names(folder))}"
        )
    results = [
        run(folder, name, options.count, options.seed) for name in options.checks or names(folder)
    ]
    print(json.dumps(results, indent=1))
    if options.write:
        keep(results, options.write)
    return int(any(result["failed"] for result in results))
