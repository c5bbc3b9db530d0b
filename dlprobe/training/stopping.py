"""Ending early on request: the first Ctrl-C or SIGTERM asks a run to stop after its block, the
second ends the program at once.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from dlprobe import interrupts


class Stop:
    """A request to stop, asked for by a signal or by a caller and read by the training loop
    after every block.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()

    def ask(self) -> None:
        """Ask all who hold this to end after their block."""
        self._asked.set()

    @property
    def asked(self) -> bool:
        """Whether somebody asked."""
        return self._asked.is_set()


@contextlib.contextmanager
def on_signals() -> Iterator[Stop]:
    """A Stop that SIGINT and SIGTERM ask for while the block runs; outside the main thread
    signals are left as they are.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def notice(number: int, frame: FrameType | None) -> None:
        interrupts.notice()
        if stop.asked:
            raise KeyboardInterrupt
        stop.ask()

    before = {number: signal.signal(number, notice) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with interrupts.orderly():
            yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
