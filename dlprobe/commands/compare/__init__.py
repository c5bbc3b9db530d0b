"""Compare values of an option: is one better, or was it the seed?

AXIS is init, activation, optimizer, norm, norm-position, regularizer, dropout, schedule,
learning-rate, batch-size, depth, width, residual, clipping, scaling, target-scaling, train-size, or
any key of the configuration, as key or section.key; without VALUES its usual ones. AXIS=A,B
AXIS=C,D compares every combination. Every value gets the same seeds, data and split; differences
are tested seed by seed and corrected for their number. A saved study in place of AXIS is shown
again.

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

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlprobe.commands.base.arguments import LARGEST_SEEDS, option
from dlprobe.commands.base.configuration import configuration_options, read_configuration
from dlprobe.commands.base.executing import Execution, execution_options
from dlprobe.commands.base.named_files import allow_file_option
from dlprobe.commands.base.preparing import prepare_data, tell_of_compiling, tell_of_scaled_targets
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.study_driver import carry_out, go_on, show_saved, training
from dlprobe.commands.base.typed_line import again, free_file
from dlprobe.commands.base.writing import inputs_of, read_as
from dlprobe.commands.compare.request import build, read_axes, refuse_overwritten
from dlprobe.config import INSTRUMENTS
from dlprobe.errors import ConfigError, ExitCode
from dlprobe.registry import tidied

if TYPE_CHECKING:
    from dlprobe.analysis.comparing.outcome import Outcome
    from dlprobe.config import RunConfig
    from dlprobe.experiments.compare import Compared, CompareExperiment
    from dlprobe.training.prepared_sets import PreparedSets

LISTED = ("Run", 3)
SHORT = (
    "--config --data --layers --activation --init --optimizer --lr --epochs --seeds --by "
    "--tune-lr --equal-parameters --vary-data --output --resume"
)
DRAWS = True  # its results have pictures, which --figure writes to files
PANEL = "Comparison"
EQUAL = ("samples", "updates", "seconds")

What = Annotated[
    list[str] | None,
    typer.Argument(metavar="AXIS [VALUES…]", help="what is compared; or a study to show again"),
]
ConfigOption = Annotated[
    Path | None, option("--config CONFIG", "TOML or run file with what all values share", PANEL)
]
Seeds = Annotated[
    int | None,
    option(
        "--seeds N",
        "runs of each value, from --seed upwards [default: 12, or more for many values]",
        PANEL,
        min=1,
        max=LARGEST_SEEDS,
    ),
]
By = Annotated[
    str | None,
    option(
        "--by METRIC", "what ranks: val_loss, val_error, train_loss … [default: val_loss]", PANEL
    ),
]
Reach = Annotated[
    float | None,
    option(
        "--reach X",
        "target of `steps to target` [default: what every value that learns reaches]",
        PANEL,
    ),
]
TuneLr = Annotated[
    bool,
    option("--tune-lr", "first try five rates per value on other seeds, and take the best", PANEL),
]
Equal = Annotated[
    str,
    option("--equal", "what every value gets as much of [default: samples]", PANEL, choices=EQUAL),
]
EqualParameters = Annotated[
    bool,
    option(
        "--equal-parameters",
        "depths in widths, or widths in depths, of the same number of weights",
        PANEL,
    ),
]
VaryData = Annotated[bool, option("--vary-data", "every seed has its own split too", PANEL)]


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
    words = list(what or ())
    values = sorted(key for key, value in options.items() if value is not None)
    changed = values or config or tune_lr or equal != "samples" or equal_parameters or vary_data
    if execution.resume is not None:
        refuse(words, "--resume goes on with what the study compares", "leave AXIS and VALUES out")
        refuse(
            changed or by or reach is not None or execution.output,
            "--resume goes on with the study as it is",
            "give --seeds and --workers only",
        )
        from dlprobe.experiments.compare import CompareExperiment

        return go_on(CompareExperiment, seeds, execution, screen, show)
    if len(words) == 1 and (
        words[0].endswith((".h5", ".h5.journal"))
        or (Path(words[0]).is_file() and (not words[0].endswith(".toml")))
    ):
        refuse(
            changed or execution.output or seeds,
            f"{words[0]} is shown as it is",
            "give --by and --reach only, or --resume it for more seeds",
        )
        from dlprobe.experiments.compare import CompareExperiment

        return show_saved(
            CompareExperiment,
            Path(words[0]),
            screen,
            show,
            partial(asked_otherwise, by=by, target=reach),
        )
    axes = read_axes(words)
    refuse_overwritten(axes, values)
    from dlprobe.experiments import compare_budgets

    inputs = read_as("the configuration that is read", config)
    execution = execution.claimed(inputs)
    base, sets = prepare(config, options, screen)
    experiment = build(base, axes, sets, by, seeds)
    if experiment.by.endswith("_loss"):
        tell_of_scaled_targets(base, sets.of(base), screen)
    execution = execution.claimed([*inputs, *inputs_of(base, *experiment.configs)])
    experiment = replace(
        experiment,
        target=reach,
        equal=equal,
        equal_parameters=equal_parameters,
        vary_data=vary_data,
    )
    if equal_parameters:
        experiment = replace(
            experiment,
            cells=tuple(compare_budgets.with_equal_parameters(experiment.cells, base, sets)),
        )
    if equal != "samples":
        tell_of_compiling(screen)
    experiment = replace(
        experiment,
        cells=tuple(compare_budgets.with_equal_budget(experiment.cells, base, equal, sets)),
    )
    return carry_out(
        tuned(experiment, execution, screen) if tune_lr else experiment, execution, screen, show
    )


def refuse(unwanted: object, why: str, instead: str) -> None:
    """Raise ConfigError where something was given that has no meaning here."""
    if unwanted:
        raise ConfigError(f"{why}: {instead}")


def prepare(
    config: Path | None, options: Mapping[str, str | None], screen: Screen
) -> tuple[RunConfig, PreparedSets]:
    """What all values share, and the data; notes and warnings are said. Instruments are off:
    nobody asks for them here.
    """
    from dlprobe.config import with_values, without_instruments

    base = without_instruments(read_configuration(config, options, screen))
    base = with_values(base, {"data.data_seed": base.resolved_data_seed})
    data = prepare_data(base, screen)
    from dlprobe.training.prepared_sets import PreparedSets

    return base, PreparedSets((base, data))


def tuned(experiment: CompareExperiment, execution: Execution, screen: Screen) -> CompareExperiment:
    """Every cell with its own rate. Raises ConfigError where rates are compared or fixed,
    KeyboardInterrupt after a stop: half a choice is none.
    """
    from dlprobe.experiments import compare_budgets

    if "learning_rate" in experiment.axes:
        raise ConfigError(
            "--tune-lr chooses the rate, and the rate is what is compared: leave one out"
        )
    if any(cell.config.training.schedule.parameters.get("max_lr") for cell in experiment.cells):
        raise ConfigError("--tune-lr chooses the rate, and the schedule fixes it: leave max_lr out")
    with training("tuning rates", "runs", execution, screen) as means:
        cells = compare_budgets.tune(experiment.cells, experiment.by, experiment.sets, means)
        if means.stop.asked:
            raise KeyboardInterrupt
    return replace(experiment, cells=tuple(cells))


def show(
    experiment: CompareExperiment, result: Compared, execution: Execution, screen: Screen
) -> None:
    """The result with its curves."""
    from dlprobe.analysis.comparing.outcome import curve
    from dlprobe.reports.compare import document
    from dlprobe.reports.compare_remarks import caveat

    curves = {value.label: curve(value.outcomes, result.all.by) for value in result.all.values}
    plain = {label: (steps.tolist(), middle.tolist()) for label, (steps, middle) in curves.items()}
    study = execution.file
    keep = again("-o", free_file("study.h5"))
    more = again("--seeds", str(result.all.power.needed))
    names = list(dict.fromkeys(cell.config.data.data for cell in experiment.cells))
    called = names[0] if len(names) == 1 else "compared"
    screen.show(
        document(
            result,
            data_name=called,
            curves=plain,
            study=str(study) if study else None,
            keep=keep,
            more=more,
        )
    )
    if (said := caveat(result)) and screen.format != "table":
        screen.warn(said)


def asked_otherwise(
    experiment: CompareExperiment,
    results: Mapping[str, Outcome],
    by: str | None,
    target: float | None,
) -> CompareExperiment:
    """The experiment, by another metric or target where one is given. Raises ConfigError for a
    metric that the runs do not have.
    """
    experiment = replace(
        experiment,
        by=tidied(by) if by else experiment.by,
        target=target if target is not None else experiment.target,
    )
    known = {name for outcome in results.values() for name in outcome.curves}
    if known and experiment.by not in known:
        from dlprobe.registry import unknown

        raise ConfigError(f"--by: {unknown('metric', experiment.by, sorted(known))}")
    return experiment
