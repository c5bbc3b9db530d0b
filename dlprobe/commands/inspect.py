"""Look into a saved run or study, packed or still being written.

Without options: an overview with results, loss curve, depth profiles and verdicts. A statistic is shown over the steps or through the layers.

Examples:
  dlprobe inspect runs/digits-1.h5
  dlprobe inspect runs/digits-1.h5 --show layers
  dlprobe inspect runs/digits-1.h5 --statistic error_signal_rms --over layer
  dlprobe inspect runs/digits-1.h5 --statistic val_loss --format json
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlprobe.commands.base.arguments import one_of
from dlprobe.commands.base.screen import Screen
from dlprobe.errors import ConfigError
from dlprobe.runs.reading import reading

if TYPE_CHECKING:
    from dlprobe.render.document import Document
    from dlprobe.runs import Run, Study

SHOW = ("layers", "config", "environment")
OVER = ("step", "layer")

RunFile = Annotated[Path, typer.Argument(metavar="RUN", help="run or study file, or its journal")]
Show = Annotated[str | None, typer.Option("--show", metavar="|".join(SHOW), help="one part of the file", callback=one_of(SHOW))]
Statistic = Annotated[str | None, typer.Option("--statistic", metavar="NAME", help="a recorded statistic, scalar or evaluation")]
Over = Annotated[str, typer.Option("--over", metavar="|".join(OVER), help="how the statistic is laid out [default: step]", callback=one_of(OVER))]
Id = Annotated[str | None, typer.Option("--run", metavar="ID", help="one run of a study")]
Pack = Annotated[bool, typer.Option("--pack", help="turn what a killed run left, its journal, into a run file first")]


def command(run: RunFile, show: Show = None, statistic: Statistic = None, over: Over = "step", id: Id = None, pack: Pack = False, *, screen: Screen) -> None:
    """Open, choose, show."""
    from dlprobe.runs import Run, open_run, pack_journal

    if show and statistic:
        raise ConfigError("--show and --statistic are two views: give one of them")
    path = pack_journal(run) if pack else run
    with reading(path), open_run(path) as found:
        if isinstance(found, Run):
            if id is not None:
                raise ConfigError(f"{path} is a single run: --run is for studies, leave it out")
            document = _run(found, path, "", show, statistic, over)
        else:
            document = _study(found, path, id, show, statistic, over)
        screen.show(document)


def _run(run: Run, path: Path, id: str, show: str | None, statistic: str | None, over: str) -> Document:
    from dlprobe.analysis.loss_curve import smoothed
    from dlprobe.analysis.run_profile import run_profile
    from dlprobe.reports import inspect_run

    where = inspect_run.shell_name(path, id)
    if statistic is not None:
        return _statistic(run, where, statistic, over)
    if show == "layers":
        return inspect_run.layers(run, where)
    if show == "config":
        return inspect_run.configuration(run)
    if show == "environment":
        return inspect_run.environment(run, where)
    curve = smoothed(run.steps, run.scalar("batch_loss")) if len(run.steps) else None
    return inspect_run.overview(run, run_profile(run), curve, where)


def _statistic(run: Run, where: str, name: str, over: str) -> Document:
    from dlprobe.analysis.loss_curve import smoothed
    from dlprobe.commands.base.quantities import find_quantity
    from dlprobe.reports.statistic import over_layers, over_steps

    quantity = find_quantity(run, name, where)
    if over == "layer" and not quantity.layers:
        raise ConfigError(f"{quantity.name} is one number per step, not one per layer: leave --over out")
    if over == "layer":
        return over_layers(quantity)
    return over_steps(quantity, [smoothed(quantity.steps, column) for column in quantity.columns.T])


def _study(study: Study, path: Path, id: str | None, show: str | None, statistic: str | None, over: str) -> Document:
    from dlprobe.commands.base.study_lines import run_line
    from dlprobe.registry import unknown
    from dlprobe.reports import inspect_study

    if id is not None:
        if id not in study.runs:
            raise ConfigError(unknown("run", id, study.runs))
        return _run(study.runs[id], path, id, show, statistic, over)
    if show == "config":
        return inspect_study.description(study)
    if show or statistic:
        raise ConfigError(f"{path} is a study of {len(study.runs)} runs: choose one with --run ID; dlprobe inspect {path} lists them")
    return inspect_study.overview(study, [run_line(study, each) for each in study.runs])
