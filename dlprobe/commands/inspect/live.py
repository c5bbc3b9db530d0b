"""Drawing in place on a terminal, lines now and then elsewhere; and how often that may be, so
that the training does not feel it.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator

from dlprobe.commands.base.screen import Screen, one_line, say
from dlprobe.reports import follow
from dlprobe.reports.follow import Look

PAUSE = 0.5  # seconds between two looks at least
PATIENCE = 5.0  # seconds between two drawings at most: whoever looks wants to see it move
LINES = 10.0  # seconds between two lines at least, unless something else was found
# of one processor, for each thing that takes turns; where a processor is idle
SHARE, IDLE_SHARE = 0.002, 0.2


class Turn:
    """When something is due again: at once, then after a pause that lets it have no more than its
    share of a processor, or of `most` seconds.

    What the first time costs, when modules are loaded, is not what it will cost.
    """

    def __init__(self, least: float = PAUSE, most: float = math.inf) -> None:
        self._least, self._most, self._due, self._first = least, most, 0.0, True

    @property
    def is_due(self) -> bool:
        """Whether the pause after the last turn is over."""
        return time.monotonic() >= self._due

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """While the block does it."""
        began = time.process_time()
        yield
        cost, self._first = 0.0 if self._first else time.process_time() - began, False
        pause = cost / (IDLE_SHARE if processor_is_idle() else SHARE)
        self._due = time.monotonic() + min(max(self._least, pause), self._most)


def processor_is_idle() -> bool:
    """Whether the load of the last minute leaves one processor free; False where the system does
    not tell or this process may not use all.
    """
    try:
        mine, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    except (AttributeError, OSError):
        return False
    return mine == os.cpu_count() and load + 1.0 <= mine


@contextlib.contextmanager
def shown(screen: Screen) -> Iterator[Callable[[Look], None]]:
    """What shows a look while the block runs. Where the result is a table, on stdout; else only
    what is found, on stderr.
    """
    if screen.format == "table" and sys.stdout.isatty():
        with _in_place(screen) as draw:
            yield draw
    elif screen.quiet:
        yield lambda look: None
    else:
        yield _lines(screen)


@contextlib.contextmanager
def _in_place(screen: Screen) -> Iterator[Callable[[Look], None]]:
    """Drawn over itself with rich; it is gone at the end, when the result takes its place."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from dlprobe.render.terminal import render
    from dlprobe.render.terminal.stream import wants_color

    color = wants_color(sys.stdout) if screen.color is None else screen.color
    console = Console(
        file=sys.stdout,
        force_terminal=True,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
    )
    turn = Turn(most=PATIENCE)
    with Live(
        console=console, auto_refresh=False, transient=True, vertical_overflow="crop"
    ) as live:

        def draw(look: Look) -> None:
            if not turn.is_due:
                return
            with turn.taken():
                width = shutil.get_terminal_size((80, 24)).columns
                text = io.StringIO()
                render(follow.screen(look), text, width=width, color=color)
                live.update(Text.from_ansi(text.getvalue().rstrip("\n")), refresh=True)

        yield draw


def _lines(screen: Screen) -> Callable[[Look], None]:
    """A line where something else was found, and every LINES seconds."""
    last, when = "", 0.0
    stream = sys.stdout if screen.format == "table" else sys.stderr

    def told(look: Look) -> None:
        nonlocal last, when
        now = time.monotonic()
        if look.state == last and now - when < LINES:
            return
        last, when = look.state, now
        print(
            one_line(follow.line(look)), file=stream, flush=True
        ) if stream is sys.stdout else say(one_line(follow.line(look)))

    return told
