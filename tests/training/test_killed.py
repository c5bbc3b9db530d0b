"""`dlprobe train` killed while it trains: what is left reads back, and is an exact prefix of
the uninterrupted run.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from killed_runs import TRAINING, assert_prefix, kill_training, opened

import dlprobe
from dlprobe.commands import main


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_killed_training_leaves_an_exact_prefix(tmp_path: Path) -> None:
    whole, moments, lengths = tmp_path / "whole.h5", random.Random(1), []
    assert main([*TRAINING, "-o", str(whole)]) == 0
    with dlprobe.open_run(whole) as uninterrupted:
        for number in range(5):
            path = tmp_path / f"killed-{number}.h5"
            kill_training(path, moments.uniform(0.1, 0.6))
            run = opened(path)
            if run is not None:
                with run:
                    assert_prefix(run, uninterrupted)
                    lengths.append(len(run.steps))
    assert sum(length > 0 for length in lengths) >= 2
