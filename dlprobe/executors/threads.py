"""Runs side by side in threads: the compiled loop holds no interpreter lock, so two threads train two nets at twice the speed of one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from dlprobe.training.stopping import Stop

T = TypeVar("T")


def available_threads() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_all(jobs: Sequence[Callable[[], T]], threads: int, stop: Stop) -> Iterator[tuple[int, T]]:
    """Run the jobs, `threads` at a time, and yield (index, result) as they finish, in any order.

    A stop lets running jobs end (they read it themselves) and starts no more. An exception in a job stops the others and is raised here.
    """
    waiting = iter(enumerate(jobs))
    running: dict[Future[T], int] = {}
    with ThreadPoolExecutor(max_workers=max(threads, 1), thread_name_prefix="run") as pool:
        try:
            while True:
                while len(running) < threads and not stop.asked and (following := next(waiting, None)) is not None:
                    index, job = following
                    running[pool.submit(job)] = index
                if not running:
                    return
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(done), done.result()
        except BaseException:
            stop.ask()
            raise
