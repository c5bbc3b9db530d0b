"""See where the gradient vanishes or explodes, by depth and init.

Trains every combination of depth, activation, initializer and normalization with several seeds and
shows the error signal's way from the last hidden layer to the first, at initialization and after
training, beside what mean-field theory predicts, with a verdict for each. Options that take lists
(depth, width, activation, init, norm) make the grid. A saved study in place of CONFIG is shown
again.

Examples:
  dlprobe gradients
  dlprobe gradients --depth 10,20 --activation relu --init glorot_normal,he_normal
  dlprobe gradients --depth 20 --width 64,256 --activation sigmoid --init "normal(std=1)" --steps 1
      --lr 0
  dlprobe gradients --data wine --depth 4 --activation relu --norm none,batch,layer --epochs 5 -o
      study.h5
  dlprobe gradients --depth 20 --activation relu --init glorot_normal --residual none,identity
      --axis "bias=yes,no" --epochs 2
  dlprobe gradients --find-depth --activation relu,tanh --init glorot_normal,he_normal
  dlprobe gradients --map --data wine --width 8 --depth 2,8 --epochs 2
  dlprobe gradients --resume study.h5 --seeds 5
  dlprobe gradients study.h5
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from dlprobe.commands.base.arguments import LARGEST_SEEDS, option
from dlprobe.commands.base.configuration import (
    ConfigFile,
    configuration_options,
    read_configuration,
)
from dlprobe.commands.base.executing import Execution, execution_options
from dlprobe.commands.base.named_files import allow_file_option
from dlprobe.commands.base.preparing import prepare_data, tell_of_scaled_targets
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.study_driver import carry_out, go_on, is_study, show_saved
from dlprobe.commands.base.typed_line import again, free_file
from dlprobe.commands.base.writing import inputs_of, read_as
from dlprobe.commands.gradients.axes import axes_of, read_axes
from dlprobe.commands.gradients.map import draw_map, show_map
from dlprobe.config import INSTRUMENTS, FieldError
from dlprobe.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from dlprobe.config import RunConfig
    from dlprobe.experiments.find_depth import BreakingDepth, DepthSearch
    from dlprobe.experiments.gradients import GradientExperiment, GridResult
    from dlprobe.experiments.grid_cells import Axes
    from dlprobe.training.trainer import PreparedData

LISTED = ("Run", 2)
SHORT = (
    "--depth --activation --init --norm --residual --width --axis --seeds --data --epochs "
    "--lr --find-depth --map --output --resume"
)
DRAWS = True  # its results have pictures, which --figure writes to files
GRID = "Grid"
Depth = Annotated[
    list[str] | None, option("--depth N,N,…", "hidden layers [default: 5,10,20,50]", GRID)
]
Width = Annotated[
    list[str] | None, option("--width N,N,…", "units of each hidden layer [default: 100]", GRID)
]
Seeds = Annotated[
    int | None,
    option(
        "--seeds N",
        "runs of each cell, from --seed upwards [default: 3]",
        GRID,
        min=1,
        max=LARGEST_SEEDS,
    ),
]
Others = Annotated[
    list[str] | None,
    option("--axis KEY=V,V,…", "a further axis: any key of the configuration; repeatable", GRID),
]
FindDepth = Annotated[
    bool,
    option(
        "--find-depth",
        "search the depth at which each row breaks before training, up to --depth [default: 1024]",
        GRID,
    ),
]

Map = Annotated[
    bool,
    option(
        "--map",
        "accuracy over a plane of two numeric axes: weight scale × depth, or those of --axis "
        "and --depth",
        GRID,
    ),
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
    map_: Map = False,
    *,
    execution: Execution,
    options: dict[str, str | None],
    screen: Screen,
) -> ExitCode:
    """Run the grid, judge, show."""
    typed = {key for key, value in options.items() if value is not None}
    changed = execution.output or find_depth or map_ or depth or width or others or typed
    if execution.resume is not None:
        if config or changed:
            raise ConfigError(
                "--resume goes on with the study as it is: give --seeds and --workers only"
            )
        if is_map(execution.resume):
            from dlprobe.experiments.trainability import MapExperiment

            return go_on(MapExperiment, seeds, execution, screen, show_map)
        from dlprobe.experiments.gradients import GradientExperiment

        return go_on(GradientExperiment, seeds, execution, screen, show)
    if config is not None and is_study(config):
        if changed or seeds:
            raise ConfigError(
                f"{config} is shown as it is: leave all other options out, or --resume it for "
                "more seeds"
            )
        if is_map(config):
            from dlprobe.experiments.trainability import MapExperiment

            return show_saved(MapExperiment, config, screen, show_map)
        from dlprobe.experiments.gradients import GradientExperiment

        return show_saved(GradientExperiment, config, screen, show)
    if map_:
        if find_depth:
            raise ConfigError("--map and --find-depth are two pictures: expected one of them")
        execution = execution.claimed(read_as("the configuration that is read", config))
        return draw_map(config, depth, width, others, seeds, execution, options, typed, screen)
    axes = read_axes(depth, width, others, options)
    base = read_base(config, options, screen, typed)
    axes = axes if config is None else axes_of(base, axes)
    return begin(
        base,
        axes,
        seeds,
        find_depth,
        execution.claimed(read_as("the configuration that is read", config)),
        typed,
        screen,
    )


def is_map(path: Path) -> bool:
    """Whether a study is of --map. Raises RunFileError for a file that cannot be read."""
    from dlprobe.experiments.trainability import MapExperiment
    from dlprobe.runs import Study, open_run

    with open_run(path) as opened:
        return (
            isinstance(opened, Study) and opened.description.get("experiment") == MapExperiment.name
        )


def begin(
    base: RunConfig,
    axes: Axes,
    seeds: int | None,
    find_depth: bool,
    execution: Execution,
    typed: Collection[str],
    screen: Screen,
) -> ExitCode:
    """Train the grid, or search the depths of its rows. given: keys of the options, for what is
    said of a wrong value.
    """
    from dlprobe.experiments import gradients, grid_cells
    from dlprobe.experiments.find_depth import DEEPEST, DepthSearch
    from dlprobe.training.prepared_sets import PreparedSets

    if find_depth and execution.output is not None:
        raise ConfigError("--find-depth looks at nets before training and keeps none: leave -o out")
    try:  # here, so that a wrong value is told before the data are read
        rows = grid_cells.rows(base, axes)
        cells = [row(2) for row in rows] if find_depth else grid_cells.grid(base, axes)
    except FieldError as error:
        raise (error.as_option() if error.key in typed else error) from None
    execution = execution.claimed(inputs_of(base, *(cell.config for cell in cells)))
    data = prepare_data(base, screen)
    tell_of_scaled_targets(base, data, screen)
    numbers = range(base.training.seed, base.training.seed + (seeds or grid_cells.DEFAULT_SEEDS))
    if find_depth:
        return carry_out(
            DepthSearch(rows, numbers, data, max(axes.depths) if axes.depths else DEEPEST),
            execution,
            screen,
            show_depths,
        )
    return carry_out(
        gradients.GradientExperiment(cells, numbers, PreparedSets((base, data))),
        execution,
        screen,
        show,
    )


def show(
    experiment: GradientExperiment, result: GridResult, execution: Execution, screen: Screen
) -> None:
    """The picture."""
    from dlprobe.reports.gradients import document

    base, study = experiment.cells[0].config, execution.file
    data = experiment.sets.of(base)
    keep = again("-o", free_file("study.h5"))
    steps = base.training.steps or (base.training.epochs or 1) * steps_per_epoch(base, data)
    screen.show(
        document(
            result,
            steps=steps,
            data_name=data.name,
            threads=execution.threads,
            study=str(study) if study else None,
            keep=keep,
        )
    )


def show_depths(
    experiment: DepthSearch, result: list[BreakingDepth], execution: Execution, screen: Screen
) -> None:
    from dlprobe.reports.find_depth import document

    screen.show(
        document(
            result,
            data_name=experiment.data.name,
            seeds=len(experiment.seeds),
            threads=execution.threads,
        )
    )


def read_base(
    config: Path | None, options: dict[str, str | None], screen: Screen, typed: Collection[str]
) -> RunConfig:
    """What all cells share; ten epochs and no evaluation on the way unless told otherwise.
    Raises ConfigError.
    """
    from dlprobe.config import with_values, without_instruments
    from dlprobe.experiments.grid_cells import DEFAULT_EPOCHS

    if config is None and options.get("epochs") is None and options.get("steps") is None:
        options = {**options, "epochs": str(DEFAULT_EPOCHS)}
    base = without_instruments(read_configuration(config, options, screen, typed))
    return with_values(
        base, {"recording.evaluate_every": "never", "data.data_seed": base.resolved_data_seed}
    )


def steps_per_epoch(base: RunConfig, data: PreparedData) -> int:
    """Updates of one pass over the training part."""
    samples = len(data.inputs["train"])
    batch = samples if base.training.batch_size == "full" else int(base.training.batch_size)
    return -(-samples // batch)
