"""A run that is killed at any moment leaves an exact prefix of the run that was not."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import synthetic_runs

import dlprobe
from dlprobe.errors import RunFileError
from dlprobe.runs import Run, RunWriter, pack_journal

KILLS = 30
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no fork and no SIGKILL")


def _child(path: Path) -> None:
    """Write for ever: small blocks, evaluations, now and then a checkpoint."""
    writer = RunWriter.create(path, synthetic_runs.description())
    for start in range(0, 10**7, 50):
        if start % 200 == 0:
            writer.instruments(start, synthetic_runs.measured_at(start))
        synthetic_runs.write_rows(writer, start, start + 50, 5)
        synthetic_runs.evaluate(writer, start + 50)
        time.sleep(0.0005)  # else reading all of it back takes most of the test's time
        if start % 500 == 0:
            writer.checkpoint(start + 50, synthetic_runs.parameters_at(start + 50))


def _killed_after(path: Path, seconds: float) -> None:
    process = os.fork()
    if process == 0:
        try:
            _child(path)
        finally:
            os._exit(1)
    time.sleep(seconds)
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    assert os.WIFSIGNALED(status), "the writer ended by itself"


def _opened(path: Path) -> Run | None:
    """The run; None where it was killed before its first frame stood, when nothing was recorded yet and the error says so."""
    journal = path.with_name(path.name + ".journal")
    if journal.exists() and journal.stat().st_size:
        run = dlprobe.open_run(path)
        assert isinstance(run, Run)
        return run
    with pytest.raises(RunFileError, match=r"before it began|does not exist"):
        dlprobe.open_run(path)
    return None


def _assert_prefix(run: Run) -> None:
    """Everything in `run` is what the uninterrupted run has at these steps, without a gap."""
    statistics, scalars = synthetic_runs.rows_of(np.arange(len(run.steps)))
    np.testing.assert_array_equal(run.steps, np.arange(len(run.steps)))
    for column, name in enumerate(run.statistics):
        np.testing.assert_array_equal(run.statistic(name), statistics[:, :, column])
    for column, name in enumerate(run.scalars):
        np.testing.assert_array_equal(run.scalar(name), scalars[:, column])
    evaluations = run.evaluations["step"]
    np.testing.assert_array_equal(evaluations, np.arange(1, len(evaluations) + 1) * 50)
    assert not len(evaluations) or evaluations[-1] <= len(run.steps)
    if len(evaluations):
        np.testing.assert_array_equal(run.evaluations["train_loss"], 1 / (evaluations + 1))
    measured = run.instruments.get("step", np.empty(0, int))
    np.testing.assert_array_equal(measured, np.arange(len(measured)) * 200)
    assert 200 * len(measured) + 400 > len(run.steps)
    for step, counts in zip(measured, run.histograms("weight").counts if len(measured) else (), strict=True):
        np.testing.assert_array_equal(counts, synthetic_runs.measured_at(step)["histograms/weight/counts"])
    if run.final_parameters is not None:
        np.testing.assert_array_equal(run.final_parameters, synthetic_runs.parameters_at(int(run.checkpoints["step"][-1])))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_killed_at_thirty_moments_leaves_an_exact_prefix(tmp_path: Path) -> None:
    moments, lengths = random.Random(20), []
    for number in range(KILLS):
        path = tmp_path / f"{number}.h5"
        _killed_after(path, moments.uniform(0.005, 0.25))
        run = _opened(path)
        if run is None:
            continue
        assert (run.status, run.damage) == ("interrupted", None)
        _assert_prefix(run)
        lengths.append(len(run.steps))
        if number % 5 == 0:
            packed = dlprobe.open_run(pack_journal(path))
            assert packed.content_sha256 == run.content_sha256
            _assert_prefix(packed)
    assert len(lengths) > KILLS / 2
    assert len(set(lengths)) > 5


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_killed_while_packing_leaves_the_whole_run(tmp_path: Path) -> None:
    moments = random.Random(4)
    for number in range(8):
        path = tmp_path / f"{number}.h5"
        writer = synthetic_runs.write(path, 3000, block=100)
        process = os.fork()
        if process == 0:
            writer.pack()
            os._exit(0)
        writer.close()
        time.sleep(moments.uniform(0, 0.15))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        assert len(dlprobe.open_run(path).statistic("gradient_rms")) == 3000
        if path.with_name(path.name + ".journal").exists():
            pack_journal(path)
        assert not list(tmp_path.glob(f"{number}.h5.*"))
        assert dlprobe.open_run(path).status == "finished"
