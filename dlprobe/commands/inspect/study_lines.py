"""One line per run of a study, read without keeping the runs."""

from __future__ import annotations

from dlprobe.analysis.profiles.run_profile import verdict_names
from dlprobe.reports.inspect_study import RunLine
from dlprobe.reports.results import result
from dlprobe.rules.diagnosis import state_of
from dlprobe.runs import Study

RESULTS = ("train_loss", "val_error")


def run_line(study: Study, id: str) -> RunLine:
    """The run's place on the axes, its status, results and verdicts. Raises RunFileError where
    the file is damaged.
    """
    run = study.member(id)
    verdicts = verdict_names(run)
    numbers = {name: result(run, name) for name in RESULTS}
    shares = run.task == "classification"
    return RunLine(
        id, study.coordinates.get(id, {}), run.status, numbers, verdicts, shares, state_of(run).name
    )
