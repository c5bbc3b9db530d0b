"""What is told of one run, read once: the diagnosis, its depth profiles and its loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlprobe.reports.run import Told
    from dlprobe.runs import Run


def told_of(run: Run, path: str) -> Told:
    """Judge a run and read what is drawn of it. path: how the run is typed, with `#id` in a
    study. Raises RunFileError where the file is damaged.
    """
    from dlprobe.analysis.learning.loss_curve import smoothed
    from dlprobe.analysis.profiles.flow import flow_of
    from dlprobe.analysis.profiles.run_profile import run_profile
    from dlprobe.reports.run import Told
    from dlprobe.rules import diagnose, judge
    from dlprobe.rules.healing import healed_step

    curve = (
        smoothed(run.steps, run.scalar("batch_loss"))
        if len(run.steps) and run.is_recorded("batch_loss")
        else None
    )
    profile = run_profile(run)
    flows = {
        row.step: flow_of(row)
        for row in (run.row(index) for index in ((0, -1) if len(run.steps) else ()))
    }
    return Told(
        run, diagnose(run, judge(run), path), profile, curve, flows, healed_step(run, profile)
    )
