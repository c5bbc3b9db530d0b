"""The progress line of a training run, drawn with rich on stderr."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dlprobe.commands.base.screen import Report
from dlprobe.render.numbers import value_text


@contextlib.contextmanager
def progress_line(what: str, color: bool) -> Iterator[Report]:
    """Steps done, loss, steps per second and time left; the line disappears at the end."""
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

        def report(step: int, steps: int, loss: float) -> None:
            rate = step / max(time.monotonic() - began, 1e-9)
            progress.update(task, completed=step, total=steps, numbers=f"loss {value_text(loss, 3)}  {rate:,.0f} steps/s")

        yield report
