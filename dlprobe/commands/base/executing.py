"""Where the runs of a study execute: the options that commands with studies share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dlprobe.commands.base.arguments import one_of
from dlprobe.errors import ConfigError

if TYPE_CHECKING:
    from dlprobe.executors.dask_cluster import DaskCluster

PANEL = "Execution"
EXECUTORS = ("threads", "dask")
Executor = Annotated[
    str,
    typer.Option("--executor", metavar="|".join(EXECUTORS), help="where runs execute [default: threads]", callback=one_of(EXECUTORS), rich_help_panel=PANEL),
]
Scheduler = Annotated[str | None, typer.Option("--scheduler", metavar="ADDRESS", help="of the Dask scheduler, e.g. tcp://10.0.0.1:8786", rich_help_panel=PANEL)]
RunsPerTask = Annotated[
    int, typer.Option("--runs-per-task", metavar="N", min=1, help="runs that a Dask worker gets at a time [default: 1]", rich_help_panel=PANEL)
]


def cluster_of(executor: str, scheduler: str | None, runs_per_task: int) -> DaskCluster | None:
    """The cluster that the options name; None for threads. Raises ConfigError where they contradict each other, or Dask is not installed."""
    if executor == "threads":
        if scheduler is not None:
            raise ConfigError("--scheduler is for --executor dask: give both or neither")
        return None
    if scheduler is None:
        raise ConfigError("--executor dask needs --scheduler ADDRESS, which `dask scheduler` prints when it starts, e.g. tcp://10.0.0.1:8786")
    from dlprobe.executors.dask_cluster import DaskCluster, imported

    imported()
    return DaskCluster(scheduler, runs_per_task)
