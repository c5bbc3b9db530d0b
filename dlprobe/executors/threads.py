"""Runs side by side in threads: the compiled loop holds no interpreter lock, so two threads
train two nets at twice the speed of one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from dlprobe import interrupts
from dlprobe.training.stopping import Stop

LOOK = 0.1  # seconds between two looks at whether to stop

T = TypeVar("T")


def available_threads() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_all(jobs: Sequence[Callable[[], T]], threads: int, stop: Stop) -> Iterator[tuple[int, T]]:
    """Run the jobs, `threads` at a time, and yield (index, result) as they finish, in any order.

    A stop lets running jobs end (they read it themselves) and starts no more; those that still
    compile are left to themselves. An exception in a job stops the others and is raised here.
    """
    waiting = iter(enumerate(jobs))
    running: dict[Future[T], int] = {}
    places: dict[int, int] = {}  # job -> the thread it runs in

    def placed(index: int, job: Callable[[], T]) -> T:
        places[index] = threading.get_ident()
        return job()

    pool = ThreadPoolExecutor(max_workers=max(threads, 1), thread_name_prefix="run")
    try:
        while True:
            while (
                len(running) < threads
                and not stop.asked
                and (following := next(waiting, None)) is not None
            ):
                index, job = following
                running[pool.submit(placed, index, job)] = index
            done = _ended(running, places, stop)
            if not done:
                return
            for future in done:
                yield running.pop(future), future.result()
    except BaseException:
        stop.ask()
        while ended := _ended(running, places, stop):
            for future in ended:
                del running[future]
        raise
    finally:
        if running:
            interrupts.abandon()
        pool.shutdown(wait=not running, cancel_futures=True)


def _ended(
    running: Mapping[Future[T], int], places: Mapping[int, int], stop: Stop
) -> set[Future[T]]:
    """The jobs that have ended, at least one; none where none runs, or where after a stop all
    that run compile, which nothing hastens.
    """
    while running:
        if done := wait(running, timeout=LOOK, return_when=FIRST_COMPLETED).done:
            return done
        if stop.asked and all(
            interrupts.compiles(places.get(index, 0)) for index in running.values()
        ):
            break
    return set()
