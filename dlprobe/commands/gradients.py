"""See where the gradient vanishes or explodes: depth × activation × initializer × normalization.

Trains every combination with several seeds and shows the error signal's way from the last hidden layer to the first, at initialization and after
training, beside what mean-field theory predicts, with a verdict for each. Options that take lists (depth, width, activation, init, norm) make the grid.

Examples:
  dlprobe gradients
  dlprobe gradients --depth 10,20 --activation relu --init glorot_normal,he_normal
  dlprobe gradients --depth 20 --width 64,256 --activation sigmoid --init "normal(std=1)" --steps 1 --lr 0
  dlprobe gradients --data wine --depth 4 --activation relu --norm none,batch,layer --epochs 5 -o study.h5
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlprobe.commands.base.configuration import ConfigFile, configuration_options, read_configuration
from dlprobe.commands.base.screen import Screen
from dlprobe.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from dlprobe.config import RunConfig
    from dlprobe.experiments.gradients import Axes, Cell, Experiment
    from dlprobe.training.stopping import Stop
    from dlprobe.training.trainer import PreparedData

GRID = "Grid"
LARGEST_SEEDS = 1000
Depth = Annotated[list[str] | None, typer.Option("--depth", metavar="N,N,…", help="hidden layers [default: 5,10,20,50]", rich_help_panel=GRID)]
Width = Annotated[list[str] | None, typer.Option("--width", metavar="N,N,…", help="units of each hidden layer [default: 100]", rich_help_panel=GRID)]
Seeds = Annotated[
    int, typer.Option("--seeds", metavar="N", min=1, max=LARGEST_SEEDS, help="runs of each cell, from --seed upwards [default: 3]", rich_help_panel=GRID)
]
Threads = Annotated[
    int | None, typer.Option("--threads", metavar="N", min=1, help="runs side by side [default: all processors]; changes no number", rich_help_panel=GRID)
]
Output = Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="study file that keeps every run", rich_help_panel=GRID)]
Force = Annotated[bool, typer.Option("--force", help="overwrite FILE", rich_help_panel=GRID)]


@configuration_options(
    exclude=("layers", "threads", "evaluate_every", "checkpoint_every", "histogram_every", "track_unit", "track_every", "jacobian", "sharpness"),
    lists=("activation", "init", "norm", "split"),
    defaults={
        "activation": "sigmoid,tanh,relu",
        "init": "normal(std=1),glorot_normal,he_normal",
        "norm": "none; and batch with relu, he_normal",
        "epochs": "10",
    },
)
def command(
    config: ConfigFile = None,
    depth: Depth = None,
    width: Width = None,
    seeds: Seeds = 3,
    threads: Threads = None,
    output: Output = None,
    force: Force = False,
    *,
    options: dict[str, str | None],
    screen: Screen,
) -> ExitCode:
    """Run the grid, judge, show."""
    from dlprobe.commands.base.recorded_run import prepare_data, tell_of_compiling

    axes = read_axes(depth, width, options)
    base = read_base(config, options)
    axes = axes if config is None else axes_of(base, axes)
    data = prepare_data(base, screen)
    tell_of_compiling(screen)
    from dlprobe.executors.threads import available_threads
    from dlprobe.experiments import gradients
    from dlprobe.reports.gradients import document

    cells = gradients.grid(base, axes)
    numbers = range(base.training.seed, base.training.seed + seeds)
    count = threads or available_threads()
    experiment = run(cells, numbers, data, count, output, force, screen)
    steps = base.training.steps or (base.training.epochs or 1) * steps_per_epoch(base, data)
    screen.show(document(experiment, steps=steps, data_name=data.name, threads=count, study=str(output) if output else None))
    if not experiment.complete:
        screen.warn("interrupted: the picture shows the cells that had ended" + (f"; they are kept in {output}" if output else ""))
        return ExitCode.INTERRUPTED
    return ExitCode.DONE


def read_axes(depth: Sequence[str] | None, width: Sequence[str] | None, options: dict[str, str | None]) -> Axes:
    """The grid's axes; activation, init and norm are taken out of the configuration's options. Raises ConfigError."""
    from dlprobe.config import split_list
    from dlprobe.experiments.gradients import Axes

    def texts(key: str) -> list[str] | None:
        given = options.pop(key)
        return None if given is None else split_list(given)

    return Axes(whole_numbers("depth", depth), whole_numbers("width", width), texts("activation"), texts("init"), texts("norm"))


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


def read_base(config: Path | None, options: dict[str, str | None]) -> RunConfig:
    """What all cells share; ten epochs and no evaluation on the way unless told otherwise. Raises ConfigError."""
    from dlprobe.config import with_values
    from dlprobe.experiments.gradients import DEFAULT_EPOCHS

    if config is None and options.get("epochs") is None and options.get("steps") is None:
        options = {**options, "epochs": str(DEFAULT_EPOCHS)}
    base = read_configuration(config, options)
    without = {"recording.histogram_every": "never", "recording.track_unit": "none", "recording.jacobian": "none", "recording.sharpness": "none"}
    return with_values(base, {"recording.evaluate_every": "never", "data.data_seed": base.resolved_data_seed, **without})


def steps_per_epoch(base: RunConfig, data: PreparedData) -> int:
    """Updates of one pass over the training part."""
    samples = len(data.inputs["train"])
    batch = samples if base.training.batch_size == "full" else int(base.training.batch_size)
    return -(-samples // batch)


def run(cells: Sequence[Cell], seeds: Sequence[int], data: PreparedData, threads: int, output: Path | None, force: bool, screen: Screen) -> Experiment:
    """Train the grid, into a study file where one is asked for."""
    from dlprobe.experiments import gradients
    from dlprobe.training.stopping import on_signals

    with on_signals() as stop, screen.progress("training the grid", "runs") as report:
        told: Callable[[int, int], None] | None = None if report is None else lambda done, total: report(done, total)
        if output is None:
            return gradients.run(cells, seeds, data, threads=threads, stop=stop, progress=told)
        return run_into_study(cells, seeds, data, threads, stop, told, output, force)


def run_into_study(
    cells: Sequence[Cell],
    seeds: Sequence[int],
    data: PreparedData,
    threads: int,
    stop: Stop,
    told: Callable[[int, int], None] | None,
    output: Path,
    force: bool,
) -> Experiment:
    """Train the grid and keep every run, finished or not at the end."""
    from dlprobe.experiments import gradients
    from dlprobe.runs import StudyWriter

    output.parent.mkdir(parents=True, exist_ok=True)
    writer = StudyWriter.create(output, gradients.study_description(cells, seeds), force)
    try:
        experiment = gradients.run(cells, seeds, data, threads=threads, stop=stop, study=writer, progress=told)
        writer.end(gradients.results_table(experiment), "finished" if experiment.complete else "interrupted")
        writer.pack()
    finally:
        writer.close()
    return experiment
