"""The options of `inspect`."""

from __future__ import annotations

from typing import Annotated

from dlprobe.commands.base.arguments import one_of, option
from dlprobe.commands.inspect.quantities import complete_statistic
from dlprobe.commands.inspect.selection import ENDS

SHOW = ("metrics", "layers", "config", "environment")
OVER = ("step", "layer")
ORDERS = ("name", "smallest", "largest")
WHAT = ("preactivation", "activation", "weight", "gradient")
STATISTIC, STUDY = "A recorded quantity", "Of a study"

Show = Annotated[str | None, option("--show", "one part of the file", choices=SHOW)]
Statistic = Annotated[
    str | None,
    option(
        "--statistic NAME",
        "a statistic, scalar, evaluation, instrument, histogram …",
        STATISTIC,
        autocompletion=complete_statistic,
    ),
]
Over = Annotated[
    str | None, option("--over", "how it is laid out [default: step]", STATISTIC, choices=OVER)
]
At = Annotated[
    str | None,
    option(
        "--at",
        "one recorded step, of a study through the layers",
        STATISTIC,
        metavar="|".join((*ENDS, "STEP")),
    ),
]
Steps = Annotated[str | None, option("--steps FIRST:LAST", "these steps only", STATISTIC)]
Layers = Annotated[list[str] | None, option("--layers NAME,NAME", "these layers only", STATISTIC)]
Extreme = Annotated[
    bool,
    option(
        "--extreme", "which run, layer and step hold the smallest and the largest value", STATISTIC
    ),
]
By = Annotated[
    list[str] | None,
    option(
        "--by AXIS,AXIS", "axes that make groups [default: those on which the runs differ]", STUDY
    ),
]
Where = Annotated[
    list[str] | None, option("--where AXIS=VALUE,VALUE", "these runs only; repeatable", STUDY)
]
Sort = Annotated[
    str | None,
    option("--sort", "order of the groups, by median [default: name]", STUDY, choices=ORDERS),
]
Id = Annotated[str | None, option("--run ID", "one run of a study, as STUDY#ID", hidden=True)]
Pack = Annotated[
    bool, option("--pack", "turn what a killed run left, its journal, into a run file first")
]
Follow = Annotated[bool, option("--follow", "watch it while it is trained, to its end")]
UNTIL = ("error",)
Until = Annotated[
    str | None,
    option("--until", "with --follow: exit with 1 once an error is certain, else 0", choices=UNTIL),
]
# older names of --statistic WHAT_histogram and unit_percentiles
Histograms = Annotated[bool, option("--histograms", hidden=True)]
What = Annotated[str | None, option("--what", callback=one_of(WHAT), hidden=True)]
Layer = Annotated[str | None, option("--layer", hidden=True)]
Track = Annotated[bool, option("--track", hidden=True)]
