"""How far something is, on stderr: a line that moves on a terminal, now and then a line of its
own where stderr goes into a pipe or file.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

# seconds between the first lines into a pipe; the last of them between all that follow
HEARTBEATS = (10.0, 20.0, 30.0)


class Report(Protocol):
    """Tells how far something is."""

    def __call__(self, done: int, total: int, numbers: str = "") -> None: ...


class ProgressState:
    """What was told last, as a text. What had been done before the first report counts to no
    pace.
    """

    def __init__(self, unit: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._unit, self._clock, self._began = unit, clock, clock()
        self._first: tuple[int, float] | None = None
        self._done, self._total, self._numbers = 0, 0, ""

    def told(self, done: int, total: int, numbers: str = "") -> None:
        """Take a report."""
        self._first = self._first or (done, self._clock())
        self._done, self._total, self._numbers = done, total, numbers

    @property
    def share(self) -> tuple[int, int | None]:
        """(done, total), in the units of the command; total None while it is not known."""
        return self._done, self._total or None

    @property
    def text(self) -> str:
        """`120 of 360 runs · loss 0.31 · 4.1 runs/s · 58 s left`."""
        now = self._clock()
        if self._first is None:
            return f"{_duration(now - self._began)} so far"
        done, since = self._done - self._first[0], now - self._first[1]
        if done <= 0:  # one report: all of it since the beginning
            done, since = self._done, now - self._began
        pace = done / max(since, 1e-9)
        remaining = f"{_duration((self._total - self._done) / pace)} left" if pace > 0 else ""
        count = f"{self._done:,} of {self._total:,} {self._unit}"
        return " · ".join(
            filter(
                None,
                [
                    count,
                    self._numbers,
                    f"{_pace(pace)} {self._unit}/s" if pace > 0 else "",
                    remaining,
                ],
            )
        )


@contextlib.contextmanager
def progress_line(what: str, unit: str, color: bool) -> Iterator[Report]:
    """A bar and the state; the line disappears at the end."""
    console = Console(file=sys.stderr, no_color=not color, force_terminal=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[told]}", markup=False),
    )
    state = ProgressState(unit)
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        task = progress.add_task(what, total=None, told="")

        def report(done: int, total: int, numbers: str = "") -> None:
            state.told(done, total, numbers)
            progress.update(task, completed=done, total=total, told=state.text)

        yield report


@contextlib.contextmanager
def heartbeat(
    what: str, unit: str, say: Callable[[str], None], waits: Iterable[float] = HEARTBEATS
) -> Iterator[Report]:
    """A line after each of these seconds, and again and again after the last of them, so that
    who reads a log sees that something happens and how far it is.
    """
    state, ended = ProgressState(unit), threading.Event()
    *first, last = waits

    def beat() -> None:
        for wait in chain(first, repeat(last)):
            if ended.wait(wait):
                return
            say(f"{what}: {state.text}")

    thread = threading.Thread(target=beat, daemon=True, name="heartbeat")
    thread.start()
    try:
        yield state.told
    finally:
        ended.set()
        thread.join(1.0)


def _pace(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}" if rate >= 0.1 else f"{rate:.2g}"


def _duration(seconds: float) -> str:
    """A time as people say it.

    >>> _duration(42.4), _duration(200), _duration(7300)
    ('42 s', '3 min 20 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
