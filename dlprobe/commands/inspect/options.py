"""The options of `inspect`."""

from __future__ import annotations

from typing import Annotated

import typer

from dlprobe.commands.base.arguments import one_of
from dlprobe.commands.inspect.quantities import complete_statistic
from dlprobe.commands.inspect.selection import ENDS

SHOW = ("metrics", "layers", "config", "environment")
OVER = ("step", "layer")
ORDERS = ("name", "smallest", "largest")
WHAT = ("preactivation", "activation", "weight", "gradient")
STATISTIC, STUDY = "A recorded quantity", "Of a study"

Show = Annotated[
    str | None,
    typer.Option(
        "--show", metavar="|".join(SHOW), help="one part of the file", callback=one_of(SHOW)
    ),
]
Statistic = Annotated[
    str | None,
    typer.Option(
        "--statistic",
        metavar="NAME",
        help="a statistic, scalar, evaluation, instrument, histogram …",
        autocompletion=complete_statistic,
        rich_help_panel=STATISTIC,
    ),
]
Over = Annotated[
    str | None,
    typer.Option(
        "--over",
        metavar="|".join(OVER),
        help="how it is laid out [default: step]",
        callback=one_of(OVER),
        rich_help_panel=STATISTIC,
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="|".join((*ENDS, "STEP")),
        help="one recorded step, of a study through the layers",
        rich_help_panel=STATISTIC,
    ),
]
Steps = Annotated[
    str | None,
    typer.Option(
        "--steps", metavar="FIRST:LAST", help="these steps only", rich_help_panel=STATISTIC
    ),
]
Layers = Annotated[
    list[str] | None,
    typer.Option(
        "--layers", metavar="NAME,NAME", help="these layers only", rich_help_panel=STATISTIC
    ),
]
Extreme = Annotated[
    bool,
    typer.Option(
        "--extreme",
        help="which run, layer and step hold the smallest and the largest value",
        rich_help_panel=STATISTIC,
    ),
]
By = Annotated[
    list[str] | None,
    typer.Option(
        "--by",
        metavar="AXIS,AXIS",
        help="axes that make groups [default: those on which the runs differ]",
        rich_help_panel=STUDY,
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="AXIS=VALUE,VALUE",
        help="these runs only; repeatable",
        rich_help_panel=STUDY,
    ),
]
Sort = Annotated[
    str | None,
    typer.Option(
        "--sort",
        metavar="|".join(ORDERS),
        help="order of the groups, by median [default: name]",
        callback=one_of(ORDERS),
        rich_help_panel=STUDY,
    ),
]
Id = Annotated[
    str | None,
    typer.Option("--run", metavar="ID", help="one run of a study, as STUDY#ID", hidden=True),
]
Pack = Annotated[
    bool,
    typer.Option("--pack", help="turn what a killed run left, its journal, into a run file first"),
]
Follow = Annotated[bool, typer.Option("--follow", help="watch it while it is trained, to its end")]
UNTIL = ("error",)
Until = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="|".join(UNTIL),
        help="with --follow: exit with 1 once an error is certain, else 0",
        callback=one_of(UNTIL),
    ),
]
# older names of --statistic WHAT_histogram and unit_percentiles
Histograms = Annotated[bool, typer.Option("--histograms", hidden=True)]
What = Annotated[str | None, typer.Option("--what", callback=one_of(WHAT), hidden=True)]
Layer = Annotated[str | None, typer.Option("--layer", hidden=True)]
Track = Annotated[bool, typer.Option("--track", hidden=True)]
