"""`dlprobe train` killed while it trains: what is left reads back, and is an exact prefix of the uninterrupted run."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import dlprobe
from dlprobe.commands import main
from dlprobe.errors import RunFileError

ARGUMENTS = ["train", "--data", "digits", "--layers", "20,20", "--steps", "60000", "--evaluate-every", "never", "--record-every", "5", "--quiet"]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_killed_training_leaves_an_exact_prefix(tmp_path: Path) -> None:
    whole = tmp_path / "whole.h5"
    assert main([*ARGUMENTS, "-o", str(whole)]) == 0
    random.seed(1)
    read = 0
    refused: list[str] = []
    with dlprobe.open_run(whole) as uninterrupted:
        for number in range(5):
            path = tmp_path / f"killed-{number}.h5"
            process = subprocess.Popen([sys.executable, "-m", "dlprobe", *ARGUMENTS, "-o", str(path)])
            journal = Path(f"{path}.journal")
            while not journal.exists() and process.poll() is None:
                time.sleep(0.01)
            time.sleep(random.uniform(0.1, 0.6))
            process.send_signal(signal.SIGKILL)
            process.wait()
            try:
                run = dlprobe.open_run(path)
            except RunFileError as error:  # killed before the first frame stood: nothing was recorded yet
                refused.append(str(error))
                continue
            with run:
                read += len(run.steps) > 0
                assert run.status in ("interrupted", "finished")
                np.testing.assert_array_equal(run.steps, uninterrupted.steps[: len(run.steps)])
                for name in ("error_signal_rms", "weight_l2"):
                    np.testing.assert_array_equal(run.statistic(name), uninterrupted.statistic(name)[: len(run.steps)])
    assert read >= 2
    assert all("before it began" in text or "does not exist" in text for text in refused)
