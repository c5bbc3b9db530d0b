"""Find the learning rate whose run ends with the smallest loss.

A range test raises the rate from --from to --to at every step of one short run and shows where the loss begins to fall and where training breaks down. Then
whole runs are made at ten candidate rates below the break, four per decade (more where the best stands at the end of them), and the one with the smallest
loss at the end is suggested. The answer is that of the configuration: other lengths, batches or schedules have other best rates. It costs ten or more times
one training; --quick stops after the range test and guesses.

Examples:
  dlprobe lr-find
  dlprobe lr-find --optimizer momentum --epochs 5
  dlprobe lr-find --data wine --by val_loss --format json
  dlprobe lr-find --quick
"""

from __future__ import annotations

from typing import Annotated

import typer

from dlprobe.commands.base.configuration import ConfigFile, configuration_options, read_configuration
from dlprobe.commands.base.executing import workers_option
from dlprobe.commands.base.named_files import allow_file_option
from dlprobe.commands.base.screen import Screen
from dlprobe.config import INSTRUMENTS
from dlprobe.errors import ConfigError, ExitCode

SEARCH = "Search"
LOSSES = ("train_loss", "val_loss")
From = Annotated[float, typer.Option("--from", metavar="X", help="first rate of the range test [default: 1e-7]", rich_help_panel=SEARCH)]
To = Annotated[float, typer.Option("--to", metavar="X", help="last rate of the range test [default: 10]", rich_help_panel=SEARCH)]
RangeSteps = Annotated[int, typer.Option("--range-steps", metavar="N", min=10, help="steps of the range test [default: 100]", rich_help_panel=SEARCH)]
By = Annotated[str, typer.Option("--by", metavar="|".join(LOSSES), help="loss at the end that is compared [default: train_loss]", rich_help_panel=SEARCH)]
Quick = Annotated[bool, typer.Option("--quick", help="the range test alone, and a guess from it", rich_help_panel=SEARCH)]
Workers = Annotated[int | None, workers_option(panel=SEARCH)]


@allow_file_option
@configuration_options(exclude=("lr", "threads", "record_every", "evaluate_every", "checkpoint_every", *INSTRUMENTS))
def command(
    config: ConfigFile = None,
    first: From = 1e-7,
    last: To = 10.0,
    range_steps: RangeSteps = 100,
    by: By = "train_loss",
    quick: Quick = False,
    workers: Workers = None,
    *,
    options: dict[str, str | None],
    screen: Screen,
) -> ExitCode:
    """Test, train, choose, show."""
    from dlprobe.commands.base.recorded_run import prepare_data, tell_of_compiling, tell_of_scaled_targets

    if not 0 < first < last < float("inf"):
        raise ConfigError(f"--from {first:g} --to {last:g}: expected two rates > 0, the first below the last")
    if by not in LOSSES:
        raise ConfigError(f"--by {by!r}: expected {' or '.join(LOSSES)}")
    configuration = read_configuration(config, options, screen)
    data = prepare_data(configuration, screen)
    tell_of_scaled_targets(configuration, data, screen)
    tell_of_compiling(screen)
    from dlprobe.executors.threads import available_threads
    from dlprobe.experiments import lr_find
    from dlprobe.reports.lr_find import document
    from dlprobe.training.stopping import on_signals

    with on_signals() as stop, screen.progress("trying rates", "runs") as report:
        found = lr_find.find(
            configuration,
            data,
            rates=(first, last),
            range_steps=range_steps,
            by=by,
            quick=quick,
            threads=workers or available_threads(),
            stop=stop,
            progress=report,
        )
    screen.show(document(found, data_name=data.name, optimizer=str(configuration.training.optimizer)))
    if not found.complete:
        return screen.interrupted(": the answer is that of the runs that had ended")
    return ExitCode.DONE
