"""Look at data: what would be trained on, and what leaks.

Columns with their kind, range, gaps and a small histogram; the target and how it is spread; what
leaks (rows in two parts, a column that numbers the rows, one that gives the target away); what the
rules about data say, before anything is trained; and the line that trains on it. DATA is a file,
the name of a set, or a TOML configuration. Options are those of train.

Examples:
  dlprobe data wine
  dlprobe data digits --details
  dlprobe data "moons(samples=200)" --split 80,10,10 --format json
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlprobe.commands.base.configuration import configuration_options, read_configuration
from dlprobe.commands.base.named_files import allow_file_option
from dlprobe.commands.base.screen import Screen
from dlprobe.config import fields

if TYPE_CHECKING:
    from dlprobe.config import RunConfig

LISTED = ("Predict", 2)
SHORT = "--target --columns --drop --split --group-column --missing --sep --task --scaling"
DRAWS = True  # its results have pictures, which --figure writes to files
OTHERS = ("target_scaling", "seed", "dtype")  # what else decides what is prepared
LEFT_OUT = (
    "data",
    *(field.key for field in fields() if field.table != "data" and field.key not in OTHERS),
)

What = Annotated[
    str | None,
    typer.Argument(
        metavar="DATA",
        help="data file, name of a data set, or TOML configuration [default: digits]",
    ),
]


@allow_file_option
@configuration_options(exclude=LEFT_OUT)
def command(data: What = None, *, options: dict[str, str | None], screen: Screen) -> None:
    """Read, prepare, look, judge, show."""
    from dlprobe.commands.base.preparing import prepare_with_source
    from dlprobe.data.survey import survey
    from dlprobe.reports.data import document
    from dlprobe.rules.data_alone import judge_data
    from dlprobe.training.describe import describe_data, describe_targets
    from dlprobe.training.model import resolve
    from dlprobe.training.targets import fitted

    toml = Path(data) if data is not None and data.lower().endswith(".toml") else None
    named = {} if data is None or toml is not None else {"data": data}
    configuration = read_configuration(toml, {**options, **named}, screen)
    prepared, dataset, source = prepare_with_source(configuration, screen)
    result = survey(prepared, dataset, source, configuration.data)
    scaler = fitted(resolve(configuration, prepared).target_scaling, prepared)
    judgement = judge_data(
        configuration, describe_data(prepared) | describe_targets(prepared, scaler)
    )
    screen.show(
        document(
            result, judgement, train_line(configuration, toml, options), details=screen.details
        )
    )


def train_line(configuration: RunConfig, toml: Path | None, options: dict[str, str | None]) -> str:
    """The command that trains on what was looked at."""
    import shlex

    typed = {key: value for key, value in options.items() if value is not None}
    if toml is None:
        typed = {"data": configuration.data.data, **typed}
    words = [word for key, value in typed.items() for word in (f"--{key.replace('_', '-')}", value)]
    return shlex.join(["dlprobe", "train", *([str(toml)] if toml is not None else []), *words])
