"""Look into a saved run or study, also while it is written.

Without options: an overview with results, loss curve, depth profiles and verdicts. A statistic is shown over the steps or through the layers; histograms
show how the distribution of preactivations, activations, weights or gradients changes as training goes on.

Examples:
  dlprobe inspect runs/digits-1.h5
  dlprobe inspect runs/digits-1.h5 --show layers
  dlprobe inspect runs/digits-1.h5 --statistic error_signal_rms --over layer
  dlprobe inspect runs/digits-1.h5 --statistic val_loss --format json
  dlprobe inspect runs/digits-1.h5 --histograms --what weight --layer hidden_1
"""

from __future__ import annotations

from dataclasses import dataclass
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

LISTED = ("Read", 1)

SHOW = ("metrics", "layers", "config", "environment")
OVER = ("step", "layer")
STRETCHES = 40  # of tracked units' curves: a batch's own percentiles jump
WHAT = ("preactivation", "activation", "weight", "gradient")

RunFile = Annotated[Path, typer.Argument(metavar="RUN", help="run or study file, or its journal")]
Show = Annotated[str | None, typer.Option("--show", metavar="|".join(SHOW), help="one part of the file", callback=one_of(SHOW))]
Statistic = Annotated[str | None, typer.Option("--statistic", metavar="NAME", help="a recorded statistic, scalar or evaluation")]
Over = Annotated[str | None, typer.Option("--over", metavar="|".join(OVER), help="how the statistic is laid out [default: step]", callback=one_of(OVER))]
Id = Annotated[str | None, typer.Option("--run", metavar="ID", help="one run of a study")]
Pack = Annotated[bool, typer.Option("--pack", help="turn what a killed run left, its journal, into a run file first")]


Histograms = Annotated[bool, typer.Option("--histograms", help="distributions of each layer over the steps")]
What = Annotated[str | None, typer.Option("--what", metavar="|".join(WHAT), help="of what [default: preactivation]", callback=one_of(WHAT))]
Layer = Annotated[str | None, typer.Option("--layer", metavar="NAME", help="one layer's histograms with its percentiles")]
Track = Annotated[bool, typer.Option("--track", help="percentiles of the units given to train --track-unit")]


@dataclass(frozen=True)
class View:
    """What is asked for; all empty: the overview. Raises ConfigError for two views at once."""

    show: str | None = None
    statistic: str | None = None
    over: str | None = None
    histograms: bool = False
    what: str | None = None
    layer: str | None = None
    track: bool = False

    def __post_init__(self) -> None:
        views = {"--show": self.show, "--statistic": self.statistic, "--histograms": self.histograms, "--track": self.track}
        given = [name for name, value in views.items() if value]
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} are {len(given)} views: give one of them")
        if (self.what or self.layer) and not self.histograms:
            raise ConfigError("--what and --layer choose among histograms: give --histograms too")

        if self.over and not self.statistic:
            raise ConfigError("--over says how a statistic is laid out: give --statistic NAME too")

    @property
    def of_one_run(self) -> bool:
        """Whether it needs a single run."""
        return bool(self.show or self.statistic or self.histograms or self.track)


def command(
    run: RunFile,
    show: Show = None,
    statistic: Statistic = None,
    over: Over = None,
    histograms: Histograms = False,
    what: What = None,
    layer: Layer = None,
    track: Track = False,
    id: Id = None,
    pack: Pack = False,
    *,
    screen: Screen,
) -> None:
    """Open, choose, show."""
    from dlprobe.runs import Run, open_run, pack_journal

    view = View(show, statistic, over, histograms, what, layer, track)
    path = pack_journal(run) if pack else run
    with reading(path), open_run(path) as found:
        if isinstance(found, Run):
            if id is not None:
                raise ConfigError(f"{path} is a single run: --run is for studies, leave it out")
            document = _run(found, path, "", view)
        else:
            document = _study(found, path, id, view)
        screen.show(document)


def _run(run: Run, path: Path, id: str, view: View) -> Document:
    from dlprobe.commands.base.telling import told_of
    from dlprobe.reports import inspect_run

    where = inspect_run.shell_name(path, id)
    if view.statistic is not None:
        return _statistic(run, where, view.statistic, view.over or OVER[0])
    if view.histograms:
        return _histograms(run, where, view.what or WHAT[0], view.layer)
    if view.track:
        return _tracked(run, where)
    if view.show == "layers":
        return inspect_run.layers(run, where)
    if view.show == "metrics":
        return inspect_run.metrics(run, where)
    if view.show == "config":
        return inspect_run.configuration(run)
    if view.show == "environment":
        return inspect_run.environment(run, where)
    return inspect_run.overview(told_of(run, f"{path}#{id}" if id else str(path)), where)


def _histograms(run: Run, where: str, what: str, layer: str | None) -> Document:
    from dlprobe.analysis.profiles.distributions import densities
    from dlprobe.registry import unknown
    from dlprobe.reports import distributions

    names = run.layers.names
    if layer is not None and layer not in names:
        raise ConfigError(unknown("layer", layer, names))
    found = run.histograms(what)
    shown = distributions.drawn_layers(len(names)) if layer is None else [names.index(layer)]
    rows = distributions.FEW_ROWS if layer is None else distributions.ROWS
    pictures = [densities(found.counts[:, index], found.edges[:, index], found.percentiles[:, index], rows) for index in shown]
    return distributions.histograms(where, what, found, names, shown, pictures)


def _tracked(run: Run, where: str) -> Document:
    from dlprobe.analysis.learning.loss_curve import smoothed
    from dlprobe.errors import RunFileError
    from dlprobe.record.description import OWN
    from dlprobe.reports.distributions import tracked

    found = run.tracked
    if found is None:
        again = f"train again with --track-unit LAYER:UNIT, e.g. --track-unit {run.layers.names[0]}:0"
        raise RunFileError(f"{where} tracks no units: {again if run.origin == OWN else 'they were not recorded'}")
    curves = [[smoothed(found.steps, band, STRETCHES) for band in found.percentiles[:, unit].T] for unit in range(len(found.units))]
    return tracked(where, found, run.layers.names, curves)


def _statistic(run: Run, where: str, name: str, over: str) -> Document:
    from dlprobe.analysis.learning.loss_curve import smoothed
    from dlprobe.commands.inspect.quantities import find_quantity
    from dlprobe.reports.statistic import over_layers, over_steps

    quantity = find_quantity(run, name, where)
    if over == "layer" and not quantity.layers:
        raise ConfigError(f"{quantity.name} is one number per step, not one per layer: leave --over out")
    if over == "layer":
        return over_layers(quantity)
    return over_steps(quantity, [smoothed(quantity.steps, column) for column in quantity.columns.T])


def _study(study: Study, path: Path, id: str | None, view: View) -> Document:
    from dlprobe.commands.inspect.study_lines import run_line
    from dlprobe.registry import unknown
    from dlprobe.reports import inspect_study

    if id is not None:
        if id not in study.runs:
            raise ConfigError(unknown("run", id, study.runs, f"those that dlprobe inspect {path} shows"))
        return _run(study.runs[id], path, id, view)
    if view.show == "config":
        return inspect_study.description(study)
    if view.of_one_run:
        raise ConfigError(f"{path} is a study of {len(study.runs)} runs: choose one with --run ID; dlprobe inspect {path} lists them")
    return inspect_study.overview(study, [run_line(study, each) for each in study.runs])
