"""Runs side by side: all results, stops and errors arrive."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from dlprobe.executors.threads import run_all
from dlprobe.training.stopping import Stop


def test_every_job_yields_its_index_and_result() -> None:
    jobs = [partial(pow, n, 2) for n in range(20)]
    assert dict(run_all(jobs, 3, Stop())) == {n: n * n for n in range(20)}


def test_two_jobs_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=10)
    assert len(dict(run_all([meeting.wait, meeting.wait], 2, Stop()))) == 2


def test_a_stop_starts_no_more_jobs() -> None:
    stop = Stop()
    seen = []
    for index, _ in run_all([partial(int, n) for n in range(10)], 1, stop):
        seen.append(index)
        if index == 3:
            stop.ask()
    assert seen == [0, 1, 2, 3]


def test_an_error_in_a_job_is_raised_and_stops_the_others() -> None:
    stop = Stop()

    def fail() -> int:
        raise ValueError("job 1")

    with pytest.raises(ValueError, match="job 1"):
        dict(run_all([partial(int, 0), fail, partial(int, 2)], 1, stop))
    assert stop.asked
