"""Options and checks of option values that several subcommands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from dlprobe.commands.base.completing import complete_runs
from dlprobe.registry import unknown

LARGEST_SEEDS = 1000  # runs of one cell: a mistyped number must not begin a month of work
RunFile = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        help="run or study file, its journal, or STUDY#RUN",
        autocompletion=complete_runs,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="overwrite FILE")]


def one_of(choices: Sequence[str]) -> Callable[[str | None], str | None]:
    """A typer callback that takes one of a few texts, or nothing."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in choices:
            raise typer.BadParameter(unknown("value", value, choices))
        return value

    return check
