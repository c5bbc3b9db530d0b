"""Compare values of one option, or of several, everything else equal, and say which differences are real.

AXIS is init, activation, optimizer, norm, norm-position, regularizer, dropout, schedule, learning-rate, batch-size, depth, width, residual, clipping, scaling,
target-scaling, train-size, or any key of the configuration, as key or section.key; without VALUES its usual ones. AXIS=A,B AXIS=C,D compares every
combination. Every value gets the same seeds, data and split; differences are tested seed by seed and corrected for their number. A saved study in place of
AXIS is shown again.

Examples:
  dlprobe compare init he_normal glorot_normal --data wine --epochs 5
  dlprobe compare activation=relu,tanh init=he_normal,glorot_normal --data wine --epochs 3
  dlprobe compare regularizer none "l2(0.001)" "l2(0.01)" --data wine --epochs 3 --tune-lr
  dlprobe compare depth 1 2 4 --equal-parameters --data wine --epochs 3 -o depths.h5
  dlprobe compare depths.h5
  dlprobe compare --resume depths.h5 --seeds 12
  dlprobe compare batch-size 8 32 --equal updates --data wine --epochs 3
  dlprobe compare training.label_smoothing 0 0.1 --data wine --epochs 3 --by val_error
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlprobe.commands.base.arguments import LARGEST_SEEDS, one_of
from dlprobe.commands.base.configuration import configuration_options, read_configuration
from dlprobe.commands.base.executing import Execution, execution_options, more_seeds, settled
from dlprobe.commands.base.named_files import allow_file_option, tell_of_named_files
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.writing import inputs_of, read_as
from dlprobe.config import INSTRUMENTS
from dlprobe.errors import ConfigError, ExitCode
from dlprobe.registry import tidied
from dlprobe.runs.reading import reading

if TYPE_CHECKING:
    from dlprobe.analysis.comparison import Outcome
    from dlprobe.config import RunConfig
    from dlprobe.data import PreparedData
    from dlprobe.experiments.axes import Axis
    from dlprobe.experiments.compare import Compared, Request
    from dlprobe.training.prepared_sets import PreparedSets

PANEL = "Comparison"
EQUAL = ("samples", "updates", "seconds")
AXIS = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)", re.DOTALL)
# What an axis stands for, where that is another option: given too, it would be overwritten without a word.
# Axes whose values give a regression other training targets or other ways to scale them.
SCALING_AXES = {"target_scaling", "output_activation", "data", "target", "split", "train_size", "label_noise"}
OPTION_OF = {"learning_rate": ("lr",), "depth": ("layers",), "clipping": ("clip_value", "clip_layer_norm", "clip_global_norm")}

What = Annotated[list[str] | None, typer.Argument(metavar="AXIS [VALUES…]", help="what is compared; or a study to show again", show_default=False)]
ConfigOption = Annotated[Path | None, typer.Option("--config", metavar="CONFIG", help="TOML or run file with what all values share", rich_help_panel=PANEL)]
Seeds = Annotated[
    int | None,
    typer.Option(
        "--seeds",
        metavar="N",
        min=1,
        max=LARGEST_SEEDS,
        help="runs of each value, from --seed upwards [default: 12, or more for many values]",
        rich_help_panel=PANEL,
    ),
]
By = Annotated[
    str | None, typer.Option("--by", metavar="METRIC", help="what ranks: val_loss, val_error, train_loss … [default: val_loss]", rich_help_panel=PANEL)
]
Reach = Annotated[
    float | None,
    typer.Option("--reach", metavar="X", help="target of `steps to target` [default: what every value that learns reaches]", rich_help_panel=PANEL),
]
TuneLr = Annotated[bool, typer.Option("--tune-lr", help="first try five rates per value on other seeds, and take the best", rich_help_panel=PANEL)]
Equal = Annotated[
    str,
    typer.Option("--equal", metavar="|".join(EQUAL), help="what every value gets as much of [default: samples]", callback=one_of(EQUAL), rich_help_panel=PANEL),
]
EqualParameters = Annotated[
    bool, typer.Option("--equal-parameters", help="depths in widths, or widths in depths, of the same number of weights", rich_help_panel=PANEL)
]
VaryData = Annotated[bool, typer.Option("--vary-data", help="every seed has its own split too", rich_help_panel=PANEL)]


@allow_file_option
@configuration_options(exclude=("threads", "checkpoint_every", *INSTRUMENTS))
@execution_options(PANEL)
def command(
    what: What = None,
    config: ConfigOption = None,
    seeds: Seeds = None,
    by: By = None,
    reach: Reach = None,
    tune_lr: TuneLr = False,
    equal: Equal = "samples",
    equal_parameters: EqualParameters = False,
    vary_data: VaryData = False,
    *,
    execution: Execution,
    options: dict[str, str | None],
    screen: Screen,
) -> ExitCode:
    """Read what is compared, train what is missing, show."""
    words, given = list(what or ()), sorted(key for key, value in options.items() if value is not None)
    changed = given or config or tune_lr or equal != "samples" or equal_parameters or vary_data
    if execution.resume is not None:
        refuse(words, "--resume goes on with what the study compares", "leave AXIS and VALUES out")
        refuse(changed or by or reach is not None or execution.output, "--resume goes on with the study as it is", "give --seeds and --workers only")
        return go_on(execution.resume, seeds, execution, screen)
    if len(words) == 1 and is_study(words[0]):
        refuse(changed or execution.output or seeds, f"{words[0]} is shown as it is", "give --by and --reach only, or --resume it for more seeds")
        return show_again(Path(words[0]), by, reach, screen)
    axes = read_axes(words)
    refuse_overwritten(axes, given)
    from dlprobe.commands.base.recorded_run import tell_of_scaled_targets
    from dlprobe.experiments import compare

    inputs = read_as("the configuration that is read", config)
    execution = execution.claimed(inputs)
    base, sets = prepare(config, options, screen)
    request = build(base, axes, sets, by, seeds)
    execution = execution.claimed([*inputs, *inputs_of(base, *(cell.config for cell in request.cells))])
    if request.by.endswith("_loss"):
        tell_of_scaled_targets(base, sets.of(base), screen)
    request = replace(request, target=reach, equal=equal, equal_parameters=equal_parameters, vary_data=vary_data)
    if equal_parameters:
        request = replace(request, cells=tuple(compare.with_equal_parameters(request.cells, base, sets)))
    request = replace(request, cells=tuple(compare.with_equal_budget(request.cells, base, equal, sets)))
    return run(tuned(request, sets, execution, screen) if tune_lr else request, sets, execution, screen)


def refuse(unwanted: object, why: str, instead: str) -> None:
    """Raise ConfigError where something was given that has no meaning here."""
    if unwanted:
        raise ConfigError(f"{why}: {instead}")


def is_study(word: str) -> bool:
    """Whether a word names a file in place of an axis."""
    return word.endswith((".h5", ".h5.journal")) or (Path(word).is_file() and not word.endswith(".toml"))


def read_axes(words: Sequence[str]) -> list[tuple[Axis, list[str]]]:
    """Axes and the values given for each. Raises ConfigError.

    `init a b`, `init a,b`, `init=a,b activation=c,d` and mixtures; commas inside parentheses separate nothing.
    """
    from dlprobe.config import split_list
    from dlprobe.experiments.axes import axis_of

    if not words:
        raise ConfigError("nothing to compare: give an axis, e.g. dlprobe compare init he_normal glorot_normal, or a study file")
    if Path(words[0]).is_file():
        raise ConfigError(f"{words[0]} is no axis: a configuration is given with --config {words[0]}")
    found: list[tuple[Axis, list[str]]] = []
    for word in words:
        named = AXIS.fullmatch(word)
        if named or not found:
            axis = axis_of(named[1] if named else word)
            found.append((axis, []))
            word = named[2] if named else ""
        axis, values = found[-1]
        values += [word] if axis.whole and word else split_list(word)
    return found


def refuse_overwritten(axes: Sequence[tuple[Axis, list[str]]], given: Sequence[str]) -> None:
    """Raise ConfigError for an option that an axis sets too."""
    for axis, _ in axes:
        for key in OPTION_OF.get(axis.name, (axis.name,)):
            if key in given and axis.name != "depth":
                raise ConfigError(f"--{key.replace('_', '-')} is what {axis.name} compares: leave the option out, or give its value to the axis")


def prepare(config: Path | None, options: Mapping[str, str | None], screen: Screen) -> tuple[RunConfig, PreparedSets]:
    """What all values share, and the data; notes and warnings are said. Instruments are off: nobody asks for them here."""
    from dlprobe.commands.base.recorded_run import prepare_data, tell_of_compiling
    from dlprobe.config import with_values, without_instruments

    base = without_instruments(read_configuration(config, options, screen))
    base = with_values(base, {"data.data_seed": base.resolved_data_seed})
    data = prepare_data(base, screen)
    tell_of_compiling(screen)
    from dlprobe.training.prepared_sets import PreparedSets

    return base, PreparedSets((base, data))


def build(base: RunConfig, axes: Sequence[tuple[Axis, list[str]]], sets: PreparedSets, by: str | None, seeds: int | None) -> Request:
    """Every combination of values, with its seeds and the metric that ranks. Raises ConfigError."""
    from dlprobe.experiments import compare

    rows = len(sets.of(base).inputs["train"])
    chosen = [(axis, values or list(axis.defaults(base, rows))) for axis, values in axes]
    bare = [axis.name for axis, values in chosen if not values]
    if bare:
        raise ConfigError(f"{bare[0]} has no usual values: give some, e.g. dlprobe compare {bare[0]} A B")
    labels, cells = compare.cells_of(base, chosen)
    count = seeds or compare.default_seeds(len(cells))
    first = base.training.seed
    return compare.Request(labels, tuple(cells), tuple(range(first, first + count)), metric(by, base, sets, labels))


def metric(by: str | None, base: RunConfig, sets: PreparedSets, axes: Mapping[str, Sequence[str]]) -> str:
    """The metric that ranks: one where less is better, and that the data have. Raises ConfigError."""
    from dlprobe.training.metrics import higher_is_better

    data = sets.of(base)
    part = "val" if len(data.inputs["val"]) else "train"
    own_losses = bool(set(axes) & {"loss", "label_smoothing", "class_weights"}) or scales_targets_of_its_own(base, data, axes)
    name = tidied(by) if by else f"{part}_{'error' if own_losses else 'loss'}"
    try:
        if higher_is_better(name, data.task):
            raise ConfigError(f"--by {by}: more of it is better; expected a loss or an error, e.g. --by {part}_error")
    except ValueError as error:
        raise ConfigError(f"--by: {error}") from None
    if name.startswith("val_") and part == "train":
        raise ConfigError(f"--by {name}: the split leaves no validation part: give it one, e.g. --split 60,20,20, or take --by train_loss")
    if name.endswith("_loss") and "loss" in axes:
        raise ConfigError(f"--by {name}: different losses are not measured in the same unit: take --by {part}_error")
    if name.endswith("_loss") and data.task == "regression" and "target_scaling" in axes:
        raise ConfigError(f"--by {name}: losses of differently scaled targets are not measured in the same unit: take --by {part}_error")
    return name


def scales_targets_of_its_own(base: RunConfig, data: PreparedData, axes: Mapping[str, Sequence[str]]) -> bool:
    """Whether the values of an axis may scale targets differently, so that their losses have different units: by name, or by other training targets."""
    from dlprobe.training.model import resolve

    if data.task != "regression" or not set(axes) & SCALING_AXES:
        return False
    return "target_scaling" in axes or resolve(base, data).target_scaling.kind != "none"


def run(request: Request, sets: PreparedSets, execution: Execution, screen: Screen, finished: Mapping[str, Outcome] | None = None) -> ExitCode:
    """Train what is missing, keep it where a file is named, and show."""
    from dlprobe.experiments import compare
    from dlprobe.experiments.study import run_study
    from dlprobe.training.stopping import on_signals

    with execution.study(compare.description(request)) as writer:
        with on_signals() as stop, screen.progress("training", "runs") as report:
            plan, threads, cluster = compare.plan(request), execution.threads, execution.cluster
            result = run_study(plan, sets, compare.read, threads=threads, stop=stop, writer=writer, finished=finished, progress=report, cluster=cluster)
        if not result.complete:
            screen.interrupted(
                execution.interrupted("compare", f"the result is of the {len(result.found)} of {len(plan)} runs that had ended", bool(result.found))
            )
        if not result.found:
            return ExitCode.INTERRUPTED
        compared = compare.conclude(request, result.found, result.complete)
        if writer is not None and result.complete:
            writer.end(compare.results_table(compared))
            writer.pack()
    show(compared, execution.file, screen)
    return ExitCode.DONE if result.complete else ExitCode.INTERRUPTED


def tuned(request: Request, sets: PreparedSets, execution: Execution, screen: Screen) -> Request:
    """Every cell with its own rate. Raises ConfigError where rates are compared or fixed, KeyboardInterrupt after a stop: half a choice is none."""
    from dlprobe.experiments import compare
    from dlprobe.training.stopping import on_signals

    if "learning_rate" in request.axes:
        raise ConfigError("--tune-lr chooses the rate, and the rate is what is compared: leave one out")
    if any(cell.config.training.schedule.parameters.get("max_lr") for cell in request.cells):
        raise ConfigError("--tune-lr chooses the rate, and the schedule fixes it: leave max_lr out")
    with on_signals() as stop, screen.progress("tuning rates", "runs") as report:
        cells = compare.tune(request.cells, request.by, sets, threads=execution.threads, stop=stop, progress=report, cluster=execution.cluster)
        if stop.asked:
            raise KeyboardInterrupt
    return replace(request, cells=tuple(cells))


def go_on(path: Path, seeds: int | None, execution: Execution, screen: Screen) -> ExitCode:
    """Train what a study lacks, into the same file."""
    from dlprobe.experiments import compare
    from dlprobe.experiments.study import finished_runs, open_study
    from dlprobe.training.prepared_sets import PreparedSets

    with reading(path), open_study(path, compare.EXPERIMENT) as study:
        request = compare.request_of(study.description, str(path))
        tell_of_named_files(path, (cell.config for cell in request.cells), screen)
        request = replace(request, seeds=more_seeds(request.seeds, seeds))
        sets = PreparedSets(told=screen.note)
        finished = finished_runs(study, compare.plan(request), compare.read, sets)
        status = study.status
    if len(finished) == len(compare.plan(request)) and status == "finished":
        screen.note(f"{path} has all {len(finished)} runs: nothing to train; --seeds N adds more")
        return show_again(settled(path, screen), None, None, screen)
    return run(request, sets, execution, screen, finished)


def show_again(path: Path, by: str | None, target: float | None, screen: Screen) -> ExitCode:
    """What a study holds, without training; by another metric or target where one is given."""
    from dlprobe.experiments import compare
    from dlprobe.experiments.study import finished_runs, open_study

    with reading(path), open_study(path, compare.EXPERIMENT) as study:
        request = compare.request_of(study.description, str(path))
        tell_of_named_files(path, (cell.config for cell in request.cells), screen)
        request = replace(request, by=tidied(by) if by else request.by, target=target if target is not None else request.target)
        found = finished_runs(study, compare.plan(request), compare.read)
        known = {name for each in found.values() for name in each.curves}
        if known and request.by not in known:
            from dlprobe.registry import unknown

            raise ConfigError(f"--by: {unknown('metric', request.by, sorted(known))}")
        compared = compare.conclude(request, found, complete=len(found) == len(compare.plan(request)))
    show(compared, path, screen)
    return ExitCode.DONE


def show(compared: Compared, path: Path | None, screen: Screen) -> None:
    """The result with its curves."""
    from dlprobe.analysis.comparison import curve
    from dlprobe.reports.compare import caveat, document

    curves = {value.label: curve(value.outcomes, compared.all.by) for value in compared.all.values}
    plain = {label: (steps.tolist(), middle.tolist()) for label, (steps, middle) in curves.items()}
    screen.show(document(compared, data_name=compared.request.cells[0].config.data.data, curves=plain, study=str(path) if path else None))
    if (said := caveat(compared)) and screen.format != "table":
        screen.warn(said)
