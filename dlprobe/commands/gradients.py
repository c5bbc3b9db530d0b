"""See where the gradient vanishes or explodes: depth × activation × initializer × normalization.

Trains every combination with several seeds and shows the error signal's way from the last hidden layer to the first, at initialization and after
training, beside what mean-field theory predicts, with a verdict for each. Options that take lists (depth, width, activation, init, norm) make the grid.

Examples:
  dlprobe gradients
  dlprobe gradients --depth 10,20 --activation relu --init glorot_normal,he_normal
  dlprobe gradients --depth 20 --width 64,256 --activation sigmoid --init "normal(std=1)" --steps 1 --lr 0
  dlprobe gradients --data wine --depth 4 --activation relu --norm none,batch,layer --epochs 5 -o study.h5
  dlprobe gradients --depth 20 --activation relu --init glorot_normal --residual none,identity --axis "bias=yes,no" --epochs 2
  dlprobe gradients --find-depth --activation relu,tanh --init glorot_normal,he_normal
  dlprobe gradients --resume study.h5 --seeds 5
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlprobe.commands.base.arguments import LARGEST_SEEDS
from dlprobe.commands.base.configuration import ConfigFile, configuration_options, read_configuration
from dlprobe.commands.base.executing import Execution, execution_options, more_seeds, settled
from dlprobe.commands.base.named_files import allow_file_option, tell_of_named_files
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.writing import inputs_of, read_as
from dlprobe.config import INSTRUMENTS, FieldError
from dlprobe.errors import ConfigError, ExitCode
from dlprobe.runs.reading import reading

if TYPE_CHECKING:
    from dlprobe.analysis.gradient_cells import SeedResult
    from dlprobe.config import RunConfig
    from dlprobe.experiments.find_depth import Row
    from dlprobe.experiments.gradients import Axes, Cell, Experiment
    from dlprobe.training.trainer import PreparedData

GRID = "Grid"
OWN_AXES = ("depth", "width", "layers", "activation", "init", "norm")
Depth = Annotated[list[str] | None, typer.Option("--depth", metavar="N,N,…", help="hidden layers [default: 5,10,20,50]", rich_help_panel=GRID)]
Width = Annotated[list[str] | None, typer.Option("--width", metavar="N,N,…", help="units of each hidden layer [default: 100]", rich_help_panel=GRID)]
Seeds = Annotated[
    int | None, typer.Option("--seeds", metavar="N", min=1, max=LARGEST_SEEDS, help="runs of each cell, from --seed upwards [default: 3]", rich_help_panel=GRID)
]
Others = Annotated[
    list[str] | None, typer.Option("--axis", metavar="KEY=V,V,…", help="a further axis: any key of the configuration; repeatable", rich_help_panel=GRID)
]
FindDepth = Annotated[
    bool, typer.Option("--find-depth", help="search the depth at which each row breaks before training, up to --depth [default: 1024]", rich_help_panel=GRID)
]


@allow_file_option
@configuration_options(
    exclude=("layers", "threads", "evaluate_every", "checkpoint_every", *INSTRUMENTS),
    lists=("activation", "init", "norm", "residual", "dropout", "split"),
    defaults={
        "activation": "sigmoid,tanh,relu",
        "init": "normal(std=1),glorot_normal,he_normal",
        "norm": "none; and batch with relu, he_normal",
        "epochs": "10",
    },
)
@execution_options(GRID)
def command(
    config: ConfigFile = None,
    depth: Depth = None,
    width: Width = None,
    others: Others = None,
    seeds: Seeds = None,
    find_depth: FindDepth = False,
    *,
    execution: Execution,
    options: dict[str, str | None],
    screen: Screen,
) -> ExitCode:
    """Run the grid, judge, show."""
    if execution.resume is not None:
        if config or execution.output or find_depth or depth or width or others or any(value is not None for value in options.values()):
            raise ConfigError("--resume goes on with the study as it is: give --seeds and --workers only")
        return go_on(execution.resume, seeds, execution, screen)
    from dlprobe.commands.base.recorded_run import prepare_data, tell_of_compiling, tell_of_scaled_targets

    given = {key for key, value in options.items() if value is not None}
    axes = read_axes(depth, width, others, options)
    base = read_base(config, options, screen, given)
    axes = axes if config is None else axes_of(base, axes)
    from dlprobe.experiments import gradients

    if find_depth and execution.output is not None:
        raise ConfigError("--find-depth looks at nets before training and keeps none: leave -o out")
    try:  # here, so that a wrong value is told before the data are read
        rows = gradients.rows(base, axes)
        cells = [row(2) for row in rows] if find_depth else gradients.grid(base, axes)
    except FieldError as error:
        raise (error.as_option() if error.key in given else error) from None
    trained = [base] if find_depth else [cell.config for cell in cells]
    execution = execution.claimed([*read_as("the configuration that is read", config), *inputs_of(base, *trained)])
    data = prepare_data(base, screen)
    tell_of_scaled_targets(base, data, screen)
    tell_of_compiling(screen)
    numbers = range(base.training.seed, base.training.seed + (seeds or gradients.DEFAULT_SEEDS))
    if find_depth:
        return search_depths(rows, axes.depths, numbers, data, execution.threads, screen)
    return show(run(cells, numbers, data, execution, screen), data, execution, screen)


def show(experiment: Experiment, data: PreparedData, execution: Execution, screen: Screen) -> ExitCode:
    """The picture, and how to go on after a stop."""
    from dlprobe.reports.gradients import document

    base, study = experiment.cells[0].config, execution.file
    steps = base.training.steps or (base.training.epochs or 1) * steps_per_epoch(base, data)
    screen.show(document(experiment, steps=steps, data_name=data.name, threads=execution.threads, study=str(study) if study else None))
    if not experiment.complete:
        ended = any(each is not None for each in experiment.results)
        return screen.interrupted(execution.interrupted("gradients", "the picture shows the cells whose runs had ended", ended))
    return ExitCode.DONE


def search_depths(rows: Sequence[Row], depths: Sequence[int] | None, seeds: Sequence[int], data: PreparedData, threads: int, screen: Screen) -> ExitCode:
    """For each row of the grid the depth at which it breaks."""
    from dlprobe.experiments import find_depth
    from dlprobe.reports.find_depth import document
    from dlprobe.training.stopping import on_signals

    deepest = max(depths) if depths else find_depth.DEEPEST
    found = []
    with on_signals() as stop, screen.progress("searching depths", "rows") as report:
        for number, row in enumerate(rows):
            if stop.asked:
                break
            found.append(find_depth.find(row, seeds, data, threads=threads, stop=stop, deepest=deepest))
            if report is not None:
                report(number + 1, len(rows))
    screen.show(document(found, data_name=data.name, seeds=len(seeds), threads=threads))
    complete = all(each.complete for each in found) and len(found) == len(rows)
    return ExitCode.DONE if complete else screen.interrupted(": the depths are those looked at so far")


def go_on(path: Path, seeds: int | None, execution: Execution, screen: Screen) -> ExitCode:
    """Train what a study lacks, into the same file; a study that lacks nothing is shown."""
    from dlprobe.commands.base.recorded_run import prepare_data
    from dlprobe.experiments import gradients
    from dlprobe.experiments.study import finished_runs, open_study
    from dlprobe.training.prepared_sets import PreparedSets

    with reading(path), open_study(path, gradients.EXPERIMENT) as study:
        cells, had = gradients.described(study.description, str(path))
        tell_of_named_files(path, (cell.config for cell in cells), screen)
        numbers = more_seeds(had, seeds)
        planned = gradients.plan(cells, numbers)
        data = prepare_data(cells[0].config, screen)
        sets = PreparedSets((cells[0].config, data))
        finished = finished_runs(study, planned, gradients.read, sets)
        status = study.status
    if len(finished) == len(planned) and status == "finished":
        screen.note(f"{path} has all {len(finished)} runs: nothing to train; --seeds N adds more")
        execution = replace(execution, resume=settled(path, screen))
        return show(gradients.conclude(cells, numbers, sets, finished, True), data, execution, screen)
    return show(run(cells, numbers, data, execution, screen, finished), data, execution, screen)


def read_axes(depth: Sequence[str] | None, width: Sequence[str] | None, others: Sequence[str] | None, options: dict[str, str | None]) -> Axes:
    """The grid's axes; activation, init, norm, residual and dropout are taken out of the configuration's options. Raises ConfigError."""
    from dlprobe.config import split_list
    from dlprobe.experiments.gradients import Axes

    def texts(key: str) -> list[str] | None:
        given = options.pop(key)
        return None if given is None else split_list(given)

    further = {name: values for name in ("residual", "dropout") if (values := texts(name)) is not None}
    for text in others or ():
        name, values = read_axis(text)
        if name in further:
            raise ConfigError(f"--axis {text!r}: {name} is given already: give all its values at once")
        further[name] = values
    return Axes(whole_numbers("depth", depth), whole_numbers("width", width), texts("activation"), texts("init"), texts("norm"), further)


def read_axis(text: str) -> tuple[str, list[str]]:
    """A further axis and its values. Raises ConfigError."""
    from dlprobe.config import split_list
    from dlprobe.experiments.axes import axis_of

    name, equals, values = text.partition("=")
    if not equals or not values.strip():
        raise ConfigError(f"--axis {text!r}: expected KEY=VALUE,VALUE, e.g. --axis bias=yes,no")
    axis = axis_of(name)
    if axis.name in OWN_AXES:
        raise ConfigError(f"--axis {text!r}: expected --{axis.name} {values}")
    return axis.name, [values] if axis.whole else split_list(values)


def axes_of(base: RunConfig, axes: Axes) -> Axes:
    """Where a file gives the configuration, its width, activation, initializer and norm stand for the axes that no option names."""
    from dlprobe.experiments.gradients import Axes

    model = base.model
    return Axes(
        axes.depths,
        axes.widths or list(dict.fromkeys(model.layers)) or None,
        axes.activations or list(dict.fromkeys(str(spec) for spec in model.activations)) or None,
        axes.inits or [str(model.init or "auto")],
        axes.norms or [str(model.norm or "none")],
        axes.others,
    )


def whole_numbers(name: str, given: Sequence[str] | None) -> list[int] | None:
    """A list of positive whole numbers from texts with commas. Raises ConfigError."""
    if given is None:
        return None
    found = []
    for text in (part.strip() for each in given for part in each.split(",")):
        if not (text.isascii() and text.isdigit() and int(text) >= 1):
            raise ConfigError(f"--{name} {text!r}: expected whole numbers >= 1 with commas, e.g. --{name} 5,10,20")
        found.append(int(text))
    return list(dict.fromkeys(found))


def read_base(config: Path | None, options: dict[str, str | None], screen: Screen, given: Collection[str]) -> RunConfig:
    """What all cells share; ten epochs and no evaluation on the way unless told otherwise. Raises ConfigError."""
    from dlprobe.config import with_values, without_instruments
    from dlprobe.experiments.gradients import DEFAULT_EPOCHS

    if config is None and options.get("epochs") is None and options.get("steps") is None:
        options = {**options, "epochs": str(DEFAULT_EPOCHS)}
    base = without_instruments(read_configuration(config, options, screen, given))
    return with_values(base, {"recording.evaluate_every": "never", "data.data_seed": base.resolved_data_seed})


def steps_per_epoch(base: RunConfig, data: PreparedData) -> int:
    """Updates of one pass over the training part."""
    samples = len(data.inputs["train"])
    batch = samples if base.training.batch_size == "full" else int(base.training.batch_size)
    return -(-samples // batch)


def run(
    cells: Sequence[Cell],
    seeds: Sequence[int],
    data: PreparedData,
    execution: Execution,
    screen: Screen,
    finished: Mapping[str, SeedResult] | None = None,
) -> Experiment:
    """Train the grid, into a study file where one is asked for."""
    from dlprobe.experiments import gradients
    from dlprobe.training.stopping import on_signals

    with execution.study(gradients.study_description(cells, seeds)) as writer:
        with on_signals() as stop, screen.progress("training the grid", "runs") as report:
            threads, cluster = execution.threads, execution.cluster
            experiment = gradients.run(cells, seeds, data, threads=threads, stop=stop, study=writer, finished=finished, progress=report, cluster=cluster)
        if writer is not None and experiment.complete:
            writer.end(gradients.results_table(experiment))
            writer.pack()
    return experiment
