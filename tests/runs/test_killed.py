"""A run that is killed at any moment leaves an exact prefix of the run that was not."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from killed_runs import assert_synthetic_prefix, kill_writing, opened

import dlprobe
from dlprobe.runs import pack_journal

KILLS = 30
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="no fork and no SIGKILL"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


def test_killed_at_thirty_moments_leaves_an_exact_prefix(tmp_path: Path) -> None:
    moments, lengths = random.Random(20), []
    for number in range(KILLS):
        path = tmp_path / f"{number}.h5"
        kill_writing(path, moments.uniform(0.005, 0.25))
        run = opened(path)
        if run is None:
            continue
        assert (run.status, run.damage) == ("interrupted", None)
        assert_synthetic_prefix(run)
        lengths.append(len(run.steps))
        if number % 5 == 0:
            packed = dlprobe.open_run(pack_journal(path))
            assert packed.content_sha256 == run.content_sha256
            assert_synthetic_prefix(packed)
    assert len(lengths) > KILLS / 2
    assert len(set(lengths)) > 5
