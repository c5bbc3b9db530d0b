"""Look into a saved run or study, also while it is written.

Without options: an overview with results, loss curve, depth profiles and verdicts. --statistic
shows any recorded quantity: statistics, the scalars of each step, evaluations, instruments,
histograms (weight_histogram …) and tracked units (unit_percentiles). Of a study it shows medians
and ranges over the runs of a group; STUDY#RUN is one run of it. Of a PyTorch state_dict as .npz it
shows the layers and their sizes.

Examples:
  dlprobe inspect runs/digits-1.h5
  dlprobe inspect runs/digits-1.h5 --show layers
  dlprobe inspect runs/digits-1.h5 --statistic error_signal_rms --over layer
  dlprobe inspect runs/digits-1.h5 --statistic val_loss --format json
  dlprobe inspect runs/digits-1.h5 --statistic weight_histogram --layers hidden_1
  dlprobe inspect runs/digits-1.h5 --statistic gradient_rms --layers hidden_1,output --steps 0:100
  dlprobe inspect runs/digits-1.h5 --statistic update_ratio --extreme
  dlprobe inspect runs/digits-1.h5 --follow
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlprobe.commands.base.arguments import RunFile
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.untrusted import reading_options
from dlprobe.commands.inspect import options
from dlprobe.commands.inspect.quantities import HISTOGRAM, TRACKED, distribution, find_quantity
from dlprobe.commands.inspect.selection import StepSelection, conditions, selection
from dlprobe.config import split_list
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError, ExitCode
from dlprobe.registry import counted
from dlprobe.runs.reading import reading

if TYPE_CHECKING:
    from dlprobe.commands.inspect.study_questions import Question
    from dlprobe.render.document import Document
    from dlprobe.runs import Run, Study

LISTED = ("Read", 1)

SCHEMA = "dlprobe-inspect/1"
DRAWS = True  # its results have pictures, which --figure writes to files
STRETCHES = 40  # of tracked units' curves: a batch's own percentiles jump


@dataclass(frozen=True)
class View:
    """What is asked for; all empty: the overview. Raises ConfigError for what does not go
    together.
    """

    show: str | None = None
    statistic: str | None = None
    over: str | None = None
    selection: StepSelection = StepSelection()
    extreme: bool = False
    by: tuple[str, ...] | None = None
    where: tuple[str, ...] = ()
    sort: str | None = None

    def __post_init__(self) -> None:
        if self.show and self.statistic:
            raise ConfigError("--show and --statistic are 2 views: give one of them")
        if self.statistic is None and (typed := self._given):
            raise ConfigError(f"{typed[0]} is about a recorded quantity: give --statistic NAME too")
        if self.extreme and (self.over or self.sort):
            raise ConfigError(
                f"--extreme shows two values: leave {'--over' if self.over else '--sort'} out"
            )
        if (
            self.statistic
            and distribution(self.statistic)
            and (typed := [name for name in self._given if name not in ("--layers", "--steps")])
        ):
            raise ConfigError(
                f"{self.statistic} is a distribution at every step: leave {typed[0]} out"
            )

    @property
    def _given(self) -> list[str]:
        chosen, whole = self.selection, StepSelection()
        typed = {
            "--over": self.over,
            "--at": chosen.at,
            "--steps": (chosen.first, chosen.last) != (whole.first, whole.last),
            "--layers": chosen.layers,
        }
        return [
            name
            for name, value in {**typed, "--extreme": self.extreme, **self.of_studies}.items()
            if value not in (None, (), False)
        ]

    @property
    def of_studies(self) -> dict[str, object]:
        """What only a study can be asked."""
        return {"--by": self.by, "--where": self.where, "--sort": self.sort}

    def question(self) -> Question:
        """What a study is asked. Raises ConfigError for a condition that is none."""
        from dlprobe.commands.inspect.study_questions import Question

        return Question(
            self.statistic or "",
            self.selection,
            conditions(self.where),
            self.by,
            self.sort or options.ORDERS[0],
        )


@reading_options
def command(
    run: RunFile,
    show: options.Show = None,
    statistic: options.Statistic = None,
    over: options.Over = None,
    at: options.At = None,
    steps: options.Steps = None,
    layers: options.Layers = None,
    extreme: options.Extreme = False,
    by: options.By = None,
    where: options.Where = None,
    sort: options.Sort = None,
    histograms: options.Histograms = False,
    what: options.What = None,
    layer: options.Layer = None,
    track: options.Track = False,
    id: options.Id = None,
    pack: options.Pack = False,
    follow: options.Follow = False,
    until: options.Until = None,
    *,
    screen: Screen,
) -> ExitCode:
    """Open, choose, show."""
    from dlprobe.runs import Run, open_run, pack_journal

    statistic = _newer_name(statistic, histograms, what, layer, track)
    chosen = selection(at, steps, [*(layers or ()), *([layer] if layer else [])])
    axes = None if by is None else tuple(axis for text in by for axis in split_list(text))
    view = View(show, statistic, over, chosen, extreme, axes, tuple(where or ()), sort)
    _refuse_to_follow(follow, until, view != View() or pack or id is not None)
    if follow and (certain := _followed(run, until is not None, screen)):
        screen.show(certain)
        return ExitCode.FINDINGS
    if view == View() and (weights := _state_dict(run)) is not None:
        screen.show(weights)
        return ExitCode.DONE
    path = pack_journal(run) if pack else run
    with reading(path), open_run(path) as opened:
        if isinstance(opened, Run):
            if id is not None:
                raise ConfigError(f"{path} is a single run: --run is for studies, leave it out")
            document = _run(opened, str(path), view)
        else:
            document = _study(opened, path, id, view)
        screen.show(document)
    return ExitCode.DONE


def _state_dict(path: Path) -> Document | None:
    """What a PyTorch state_dict as .npz holds; None of any other file."""
    if path.suffix.lower() != ".npz" or not path.is_file():
        return None
    from dlprobe.analysis.likeness import initializer_like
    from dlprobe.data.npz_archive import read_arrays
    from dlprobe.reports.state_dict import weights_document
    from dlprobe.training.state_dict import dense_layers, is_state_dict, sizes

    arrays = read_arrays(path)
    if not is_state_dict(arrays):
        return None
    return weights_document(path, dense_layers(arrays, path), initializer_like(*sizes(path)))


def _refuse_to_follow(follow: bool, until: str | None, views: bool) -> None:
    if until is not None and not follow:
        raise ConfigError("--until says when --follow ends: give --follow too")
    if follow and views:
        raise ConfigError(
            "--follow shows a whole run or study while it is written: leave the other options "
            "out, and look closer in a second terminal"
        )


def _followed(path: Path, until: bool, screen: Screen) -> Document | None:
    """Follow to the end; what made --until end it earlier."""
    from dlprobe.commands.inspect.following import follow
    from dlprobe.reports.follow import stopped

    with reading(path):
        certain = follow(path, until, screen)
    if certain is None:
        return None
    return stopped(certain.where, certain.look, certain.finding, certain.diagnosis)


def _newer_name(
    statistic: str | None, histograms: bool, what: str | None, layer: str | None, track: bool
) -> str | None:
    """The quantity that older options mean. Raises ConfigError where they do not go together."""
    views = {"--statistic": statistic, "--histograms": histograms, "--track": track}
    typed = [name for name, value in views.items() if value]
    if len(typed) > 1:
        raise ConfigError(f"{' and '.join(typed)} are {len(typed)} views: give one of them")
    if (what or layer) and not histograms:
        raise ConfigError("--what and --layer choose among histograms: give --histograms too")
    return (
        f"{what or options.WHAT[0]}{HISTOGRAM}" if histograms else TRACKED if track else statistic
    )


def _run(run: Run, path: str, view: View) -> Document:
    """path: how the run is typed, `STUDY#ID` for one of a study."""
    from shlex import quote as quoted

    from dlprobe.api.telling import told_of
    from dlprobe.reports import inspect_run

    where = quoted(path)
    if typed := [name for name, value in view.of_studies.items() if value]:
        raise ConfigError(f"{typed[0]} is for studies, and {path} is a single run: leave it out")
    if view.statistic is not None:
        return _statistic(run, path, view)
    if view.show == "layers":
        from dlprobe.analysis.profiles.idle_units import dead_units

        return inspect_run.layers(run, where, dead_units(run).tolist())
    if view.show == "metrics":
        return inspect_run.metrics(run, where)
    if view.show == "config":
        return inspect_run.configuration(run)
    if view.show == "environment":
        return inspect_run.environment(run, where)
    return inspect_run.overview(told_of(run, path), where)


def _statistic(run: Run, path: str, view: View) -> Document:
    from dlprobe.analysis.learning.loss_curve import smoothed
    from dlprobe.reports.statistic import over_layers, over_steps

    name, chosen = view.statistic or "", view.selection
    if (what := distribution(name)) is not None:
        return (
            _tracked(run, path, chosen) if what == TRACKED else _histograms(run, path, what, chosen)
        )
    quantity = find_quantity(run, name, path, chosen)
    chosen.refuse_unknown(quantity.all_layers)
    if quantity.empty and len(run.steps) and chosen != StepSelection():
        raise ConfigError(f"{path}: {chosen.empty} of {quantity.name}")
    if view.extreme:
        from dlprobe.commands.inspect.study_questions import extreme_values_of_run

        return extreme_values_of_run(quantity)
    if view.over == "layer" and not quantity.layers:
        raise ConfigError(
            f"{quantity.name} is one number per step, not one per layer: leave --over out"
        )
    if view.over == "layer" or (
        view.over is None and chosen.at is not None and len(quantity.layers) > 1
    ):
        return over_layers(quantity)
    return over_steps(quantity, [smoothed(quantity.steps, column) for column in quantity.columns.T])


def _histograms(run: Run, path: str, what: str, chosen: StepSelection) -> Document:
    from dlprobe.analysis.profiles.distributions import densities
    from dlprobe.reports import distributions

    names = run.layers.names
    chosen.refuse_unknown(names)
    recorded = run.histograms(what).part(chosen.rows(run.contents.read("histograms/step")))
    shown = chosen.columns(names) if chosen.layers else distributions.drawn_layers(len(names))
    rows = distributions.ROWS if len(shown) == 1 else distributions.FEW_ROWS
    pictures = [
        densities(
            recorded.counts[:, index],
            recorded.edges[:, index],
            recorded.percentiles[:, index],
            rows,
        )
        for index in shown
    ]
    return distributions.histograms(
        path, what, recorded, names, shown, pictures, asked=bool(chosen.layers)
    )


def _tracked(run: Run, path: str, chosen: StepSelection) -> Document:
    from dlprobe.analysis.learning.loss_curve import smoothed
    from dlprobe.errors import RunFileError
    from dlprobe.record.description import OWN
    from dlprobe.reports.distributions import tracked

    units_recorded = run.tracked
    if units_recorded is None:
        again = (
            f"train again with --track-unit LAYER:UNIT, e.g. --track-unit {run.layers.names[0]}:0"
        )
        raise RunFileError(
            f"{path} tracks no units: {again if run.origin == OWN else 'they were not recorded'}"
        )
    chosen.refuse_unknown([run.layers.names[layer] for layer in units_recorded.layers])
    units = [
        unit
        for unit, layer in enumerate(units_recorded.layers)
        if not chosen.layers or run.layers.names[layer] in chosen.layers
    ]
    units_recorded = units_recorded.part(chosen.rows(units_recorded.steps), units)
    curves = [
        [
            smoothed(units_recorded.steps, band, STRETCHES)
            for band in units_recorded.percentiles[:, unit].T
        ]
        for unit in range(len(units_recorded.units))
    ]
    return tracked(path, units_recorded, run.layers.names, curves)


def _study(study: Study, path: Path, id: str | None, view: View) -> Document:
    from dlprobe.commands.inspect.study_lines import run_line
    from dlprobe.commands.inspect.study_questions import answer, extreme_values
    from dlprobe.reports import inspect_study

    if id is not None:
        from dlprobe.registry import unknown

        if id not in study.runs:
            raise ConfigError(
                unknown("run", id, study.runs, f"those that dlprobe inspect {path} shows")
            )
        return _run(study.runs[id], f"{path}#{id}", view)
    if view.show == "config":
        return inspect_study.description(study)
    if view.statistic is not None and distribution(view.statistic) is None:
        if view.extreme:
            return extreme_values(study, str(path), view.question())
        return answer(study, str(path), view.question(), view.over)
    if view.show or view.statistic:
        raise ConfigError(
            f"{path} is a study of {counted(len(study.runs), 'run')}, one is needed here: "
            f"give {path}#ID; dlprobe inspect {path} lists them"
        )
    return inspect_study.overview(study, [run_line(study, member) for member in study.runs])
