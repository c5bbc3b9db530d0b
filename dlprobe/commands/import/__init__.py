"""Make a run file of a log that another program has written.

Hugging Face's trainer_state.json, CSV and JSON lines (Keras and Lightning write such): steps or
epochs, losses, learning rate, gradient norm, accuracies. Rules about losses and the norm of the
gradient then judge it; those that need layers say that they cannot. To record layers too, see
dlprobe explain pytorch.

Examples:
  dlprobe import trainer_state.json -o run.h5
  dlprobe import history.csv --steps-per-epoch 44 -o keras.h5
  dlprobe import metrics.jsonl -o run.h5 --force --format json
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlprobe.commands.base.arguments import option
from dlprobe.commands.base.file_kinds import RUN
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.writing import claim, read_as
from dlprobe.errors import ConfigError

LISTED = ("also", 2)

LogFile = Annotated[
    Path, typer.Argument(metavar="LOG", help="trainer_state.json, CSV or JSON lines")
]
Output = Annotated[Path, option("-o --output FILE", "the run file to write")]
Force = Annotated[bool, option("--force", "overwrite the run file")]
StepsPerEpoch = Annotated[
    int | None,
    option("--steps-per-epoch N", "updates in an epoch, where the log counts epochs only"),
]


def command(
    log: LogFile,
    output: Output = Path("imported.h5"),
    force: Force = False,
    steps_per_epoch: StepsPerEpoch = None,
    *,
    screen: Screen,
) -> None:
    """Read, write, show."""
    from dlprobe.recorders.imported import write_log
    from dlprobe.recorders.logs import read_log
    from dlprobe.reports.imported import document

    if steps_per_epoch is not None and steps_per_epoch < 1:
        raise ConfigError(f"--steps-per-epoch is {steps_per_epoch}, expected 1 or more")
    target = claim(output, RUN, read_as("the log that is read", log), force=force)
    log_run = read_log(log, steps_per_epoch)
    write_log(log_run, log, target.path, force)
    screen.show(
        document(
            str(target.path),
            log_run.kind,
            sorted(log_run.rows),
            sorted(log_run.evaluations),
            log_run.notes,
        )
    )
