"""Options and checks of option values that several subcommands share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from dlprobe.commands.base.completing import complete_runs
from dlprobe.registry import unknown

LARGEST_SEEDS = 1000  # runs of one cell: a mistyped number must not begin a month of work


def option(
    spelled: str,
    help: str = "",
    panel: str | None = None,
    choices: Collection[str] = (),
    **more: Any,
) -> Any:
    """An option for an annotation that typer reads.

    spelled: names and metavar as help shows them, `-o --output FILE`; panel: its group in help;
    choices: the texts that it takes, any where there are none; more: what else typer.Option takes.
    """
    words = spelled.split()
    names = [word for word in words if word.startswith("-")]
    if choices:
        more |= {"metavar": "|".join(choices), "callback": one_of(tuple(choices))}
    elif len(names) < len(words):
        more["metavar"] = words[-1]
    return typer.Option(*names, help=help or None, rich_help_panel=panel, **more)


RunFile = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        help="run or study file, its journal, or STUDY#RUN",
        autocompletion=complete_runs,
    ),
]
Force = Annotated[bool, option("--force", "overwrite FILE")]


def one_of(choices: Sequence[str]) -> Callable[[str | None], str | None]:
    """A typer callback that takes one of a few texts, or nothing."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in choices:
            raise typer.BadParameter(unknown("value", value, choices))
        return value

    return check
