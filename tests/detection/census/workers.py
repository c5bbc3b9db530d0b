"""Entries one after the other, measured by several processes. Processes are spawned and import
this module: nothing here belongs to one run of the program.
"""

from __future__ import annotations

import itertools
import multiprocessing
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .families import made
from .measuring import Census, Entry

AHEAD = 4  # entries begun per process before the first of them is asked for


@dataclass(frozen=True)
class Work:
    """What a process measures: see `measuring.Census`. folder: where the made data sets are."""

    seed: int
    folder: Path
    cures: bool = True
    causes: bool = False


def measured(work: Work, first: int, jobs: int, done: Callable[[], bool]) -> Iterator[Entry]:
    """Entries in the order of their index, from `first` on, until `done`, which is asked before
    each.
    """
    made(work.folder)
    indices = itertools.count(first)
    if jobs == 1:
        while not done():
            yield entry(work, next(indices))
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        waiting: deque[Future[Entry]] = deque()
        while not done():
            while len(waiting) < AHEAD * jobs:
                waiting.append(pool.submit(entry, work, next(indices)))
            yield waiting.popleft().result()
        for each in waiting:
            each.cancel()


def entry(work: Work, index: int) -> Entry:
    """One configuration, in this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return census_of(work).entry(index)


@cache
def census_of(work: Work) -> Census:
    """What this process measures with: prepared data are kept from one configuration to the
    next.
    """
    return Census(work.seed, work.folder, work.cures, work.causes)
