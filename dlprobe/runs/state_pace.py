"""How often what a resume needs is written: often enough to lose little to a kill, seldom
enough to cost little time and room.
"""

from __future__ import annotations

import time

LEAST_PAUSE = 1.0  # seconds
# of the training time: half of what may be spent, as costs differ from state to state
LARGEST_SHARE = 0.005
_FIRST_GUESS = 0.01, 2e8  # seconds, and bytes a second, that the first state is expected to take
_ROOM = 2**26  # bytes that states may take of a journal whatever else it holds
_GROWTH = 20  # beyond that room a kill may cost a twentieth of the time trained so far


class StatePace:
    """When the next state is due. The pause after one is `LEAST_PAUSE`, or as much longer as its
    own cost asks.

    All states stay in the journal until it is packed: once they take more room than everything else
    in it, pauses grow with the run.
    """

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()
        self._asked, self._cost, self._written = self._began, 0.0, 0

    def is_due(self, size: int, journal_size: int) -> bool:
        """Whether a state of `size` bytes should be written now, into a journal of
        `journal_size` bytes.
        """
        self._asked = now = time.monotonic()
        if now - self._last < LEAST_PAUSE:
            return False
        seconds, rate = _FIRST_GUESS
        pause = (self._cost or seconds + size / rate) / LARGEST_SHARE
        if self._written + size > max(_ROOM, journal_size - self._written):
            pause = max(pause, (now - self._began) / _GROWTH)
        return now - self._last >= pause

    def wrote(self, size: int) -> None:
        """A state of `size` bytes, asked for by the last `is_due`, is on the disk."""
        self._last = time.monotonic()
        # one slow write is not forgotten at once
        self._cost = max(self._last - self._asked, 0.5 * self._cost)
        self._written += size
