"""Where the time of a run goes: one of some named parts is under way at any time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

START, TRAINING, EVALUATION, INSTRUMENTS, RECORDING, PLAIN_METHOD, PACKING, JUDGING = PARTS = (
    "start",  # the program, data, compiled code
    "training",
    "evaluation",
    "instruments",
    "recording",  # and all between the others
    "plain method",  # that a run which did not get far is laid beside
    "packing",
    "judging",
)


class Clock:
    """Wall time of each part. It begins with the start, at `began` of time.perf_counter."""

    def __init__(self, began: float | None = None) -> None:
        self._part, self._since = START, time.perf_counter() if began is None else began
        self.seconds = dict.fromkeys(PARTS, 0.0)

    def turn(self, part: str) -> str:
        """Go over to another part; returns the one before, whose seconds are known from now on."""
        now, before = time.perf_counter(), self._part
        self.seconds[before] += now - self._since
        self._part, self._since = part, now
        return before

    @contextlib.contextmanager
    def during(self, part: str) -> Iterator[None]:
        """Inside, the part is under way; then again the one before."""
        before = self.turn(part)
        try:
            yield
        finally:
            self.turn(before)
