"""The progress line of a training run, drawn with rich on stderr."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Report(Protocol):
    """Tells how far something is."""

    def __call__(self, done: int, total: int, numbers: str = "") -> None: ...


@contextlib.contextmanager
def progress_line(what: str, unit: str, color: bool) -> Iterator[Report]:
    """What is done, a few numbers, units per second and time left; the line disappears at the end."""
    console = Console(file=sys.stderr, no_color=not color, force_terminal=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[numbers]}", markup=False),
        TimeRemainingColumn(compact=True),
    )
    began = time.monotonic()
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        task = progress.add_task(what, total=None, numbers="")

        def report(done: int, total: int, numbers: str = "") -> None:
            rate = done / max(time.monotonic() - began, 1e-9)
            progress.update(task, completed=done, total=total, numbers=f"{numbers}  {_pace(rate)} {unit}/s".strip())

        yield report


def _pace(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
