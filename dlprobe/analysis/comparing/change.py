"""How one metric differs between new runs and those of a baseline."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dlprobe.dataclass import dataclass


@dataclass(frozen=True)
class Change:
    """How a metric changed. factor: new over old, with low and high (NaN where there is no
    interval); old, new: medians; how: by what it was judged;
    p: how likely chance brings as much; matters: whether it is larger by the factor that was asked
        for; old_words, new_words: the two as people read them;
    floor: what cannot be told from 0 below, so that no factor says it; power: works out and says
        what the test would have found, "" where nobody knows;
    worse: whether it fires.
    """

    metric: str
    old: float
    new: float
    factor: float
    low: float
    high: float
    how: str
    p: float
    matters: bool
    old_words: str = ""
    new_words: str = ""
    floor: float = 0.0
    power: Callable[[], str] = str
    worse: bool = False

    @property
    def words(self) -> str:
        """Old and new value as a text, and their ratio where the old one is above `floor`."""
        told = (
            f"{self.metric} went from {self.old_words or f'{self.old:.4g}'} to "
            f"{self.new_words or f'{self.new:.4g}'}"
        )
        if not (self.old > self.floor and np.isfinite(self.new)):
            return told
        interval = (
            f" (95 % interval {self.low:.3g} to {self.high:.3g})" if np.isfinite(self.high) else ""
        )
        return f"{told}, {self.factor:.3g} times{interval}"
