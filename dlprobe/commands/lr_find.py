"""Find the learning rate whose run ends with the smallest loss.

A range test raises the rate from --from to --to at every step of one short run and shows where the
loss begins to fall and where training breaks down. Then whole runs are made at ten candidate rates
below the break, four per decade (more where the best stands at the end of them), and the one with
the smallest loss at the end is suggested: on the validation part where there is one, else, or with
--by train_loss, on the training part. The answer is that of the
configuration: other lengths, batches or schedules have other best rates. It costs ten or more times
    one training; --quick stops after the range test and guesses.

Examples:
  dlprobe lr-find
  dlprobe lr-find --optimizer momentum --epochs 5
  dlprobe lr-find --data wine --by train_loss --format json
  dlprobe lr-find --quick
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from dlprobe.commands.base.arguments import option
from dlprobe.commands.base.configuration import (
    ConfigFile,
    configuration_options,
    read_configuration,
)
from dlprobe.commands.base.executing import Execution, workers_option
from dlprobe.commands.base.named_files import allow_file_option
from dlprobe.commands.base.preparing import prepare_data, tell_of_scaled_targets
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.study_driver import carry_out
from dlprobe.config import INSTRUMENTS
from dlprobe.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from dlprobe.experiments.lr_find import FoundRate, RateSearch

LISTED = ("Fix and guard", 3)
SHORT = (
    "--from --to --range-steps --by --quick --data --target --layers --activation --init --norm "
    "--optimizer --batch-size --epochs --seed"
)
DRAWS = True  # its results have pictures, which --figure writes to files
SEARCH = "Search"
LOSSES = ("train_loss", "val_loss")
From = Annotated[float, option("--from X", "first rate of the range test [default: 1e-7]", SEARCH)]
To = Annotated[float, option("--to X", "last rate of the range test [default: 10]", SEARCH)]
RangeSteps = Annotated[
    int, option("--range-steps N", "steps of the range test [default: 100]", SEARCH, min=10)
]
By = Annotated[
    str | None,
    option(
        "--by",
        "loss at the end that is compared [default: val_loss where there is one]",
        SEARCH,
        metavar="|".join(LOSSES),
    ),
]
Quick = Annotated[bool, option("--quick", "the range test alone, and a guess from it", SEARCH)]
Workers = Annotated[int | None, workers_option(panel=SEARCH)]


@allow_file_option
@configuration_options(
    exclude=("lr", "threads", "record_every", "evaluate_every", "checkpoint_every", *INSTRUMENTS)
)
def command(
    config: ConfigFile = None,
    first: From = 1e-7,
    last: To = 10.0,
    range_steps: RangeSteps = 100,
    by: By = None,
    quick: Quick = False,
    workers: Workers = None,
    *,
    options: dict[str, str | None],
    screen: Screen,
) -> ExitCode:
    """Test, train, choose, show."""
    if not 0 < first < last < float("inf"):
        raise ConfigError(
            f"--from {first:g} --to {last:g}: expected two rates > 0, the first below the last"
        )
    if by is not None and by not in LOSSES:
        raise ConfigError(f"--by {by!r}: expected {' or '.join(LOSSES)}")
    configuration = read_configuration(config, options, screen)
    data = prepare_data(configuration, screen)
    tell_of_scaled_targets(configuration, data, screen)
    from dlprobe.experiments.lr_find import RateSearch
    from dlprobe.training.prepared_sets import PreparedSets

    by = by or ("val_loss" if len(data.inputs["val"]) else "train_loss")
    search = RateSearch(
        configuration, PreparedSets((configuration, data)), (first, last), range_steps, by, quick
    )
    return carry_out(search, Execution(workers), screen, show)


def show(search: RateSearch, result: FoundRate, execution: Execution, screen: Screen) -> None:
    """Picture and answer."""
    from dlprobe.config.typed import train_with
    from dlprobe.reports.lr_find import document

    name = search.sets.of(search.config).name
    train = (
        train_with(search.config, {"training.lr": f"{result.rate:g}"})
        if math.isfinite(result.rate)
        else ""
    )
    screen.show(
        document(
            result, data_name=name, optimizer=str(search.config.training.optimizer), train=train
        )
    )
