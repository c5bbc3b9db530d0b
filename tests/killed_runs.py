"""Killing writers at chosen moments, and checking that what is left is an exact prefix: used by
tests, and at length by `python -m tests.campaigns`.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import synthetic_runs

import dlprobe
from dlprobe.commands import main
from dlprobe.errors import RunFileError
from dlprobe.runs import Run, RunWriter, Study, pack_journal


def kill_writing(path: Path, seconds: float) -> None:
    """A process that writes a synthetic run for ever, killed after `seconds`."""
    process = os.fork()
    if process == 0:
        try:
            _write_for_ever(path)
        finally:
            os._exit(1)
    time.sleep(seconds)
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    assert os.WIFSIGNALED(status), "the writer ended by itself"


def _write_for_ever(path: Path) -> None:
    """Small blocks, evaluations, now and then a checkpoint."""
    writer = RunWriter.create(path, synthetic_runs.description())
    for start in range(0, 10**7, 50):
        if start % 200 == 0:
            writer.instruments(start, synthetic_runs.measured_at(start))
        synthetic_runs.write_rows(writer, start, start + 50, 5)
        synthetic_runs.evaluate(writer, start + 50)
        time.sleep(0.0005)  # else reading all of it back takes most of the test's time
        if start % 500 == 0:
            writer.checkpoint(start + 50, synthetic_runs.parameters_at(start + 50))


class Child:
    """`dlprobe …` in a process of its own, a copy of this one: what it would load first
    is loaded here.
    """

    last: Child

    def __init__(self, arguments: list[str]) -> None:
        self.code: int | None = None
        self._id = os.fork()
        Child.last = self
        if self._id == 0:
            code = 2
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                code = main(arguments)
            finally:
                os._exit(code)

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        if self.code is None:
            ended, status = os.waitpid(self._id, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if ended else None
        return self.code

    def kill(self) -> None:
        """End it where it stands."""
        if self.poll() is None:
            os.kill(self._id, signal.SIGKILL)
            self.wait()

    def begun(self, journal: Path) -> None:
        """Wait until its journal stands, or it has ended."""
        while self.poll() is None and not journal.exists():
            time.sleep(0.0005)

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        while self.poll() is None:
            time.sleep(0.002)
        assert self.code is not None
        return self.code


def opened_file(path: Path) -> Run | Study | None:
    """What is left; None where it was killed before its first frame stood, when nothing was
    recorded yet and the error says so.
    """
    try:
        return dlprobe.open_run(path)
    except RunFileError as error:
        refused = str(error)
    journal = path.with_name(path.name + ".journal")
    not_begun = "does not exist" in refused and not journal.exists()
    assert "before it began" in refused or not_begun, refused
    return None


def opened(path: Path) -> Run | None:
    """As `opened_file`, of a single run."""
    run = opened_file(path)
    assert run is None or isinstance(run, Run)
    return run


def assert_synthetic_prefix(run: Run) -> None:
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
    for step, counts in zip(
        measured, run.histograms("weight").counts if len(measured) else (), strict=True
    ):
        np.testing.assert_array_equal(
            counts, synthetic_runs.measured_at(step)["histograms/weight/counts"]
        )
    if run.final_parameters is not None:
        np.testing.assert_array_equal(
            run.final_parameters, synthetic_runs.parameters_at(int(run.checkpoints["step"][-1]))
        )


def assert_prefix(run: Run, whole: Run) -> None:
    """Every statistic and scalar of `run` is what the uninterrupted run has at these steps."""
    assert run.status in ("interrupted", "finished")
    count = len(run.steps)
    np.testing.assert_array_equal(run.steps, whole.steps[:count])
    for name in run.statistics:
        np.testing.assert_array_equal(run.statistic(name), whole.statistic(name)[:count])
    for name in run.scalars:
        np.testing.assert_array_equal(run.scalar(name), whole.scalar(name)[:count])


def assert_packs_to_the_whole_run(path: Path, steps: int) -> None:
    """After a killed packing: the run reads whole, packs, and leaves nothing beside the file."""
    assert len(dlprobe.open_run(path).statistic("gradient_rms")) == steps
    if path.with_name(path.name + ".journal").exists():
        pack_journal(path)
    assert not list(path.parent.glob(f"{path.name}.*"))
    assert dlprobe.open_run(path).status == "finished"
