"""Examine this installation: cache, versions, every kernel.

Each kernel in the cache is run on a small block of fixed numbers beside its plain form: the same
record as uncompiled Python, in float64. With --all every record of the registry is, in both
precisions; what is not in the cache is compiled first, which takes some two minutes. --warm does so
with what most commands need alone. A kernel that gives other numbers, or cannot be read, is named,
and the exit code is 1.

Examples:
  dlprobe doctor
  dlprobe doctor --warm
  dlprobe doctor --format json
"""

from __future__ import annotations

from typing import Annotated

from dlprobe.commands.base.arguments import option
from dlprobe.commands.base.screen import Screen
from dlprobe.errors import ExitCode

LISTED = ("also", 4)

All = Annotated[
    bool,
    option(
        "--all", "compare every record of the registry, not only those whose kernels are cached"
    ),
]
Warm = Annotated[
    bool,
    option(
        "--warm", "compile and compare what most commands need, so that none of them has to wait"
    ),
]


def command(whole: All = False, warm: Warm = False, *, screen: Screen) -> ExitCode:
    """Examine, show."""
    from dlprobe.experiments.doctor import common, everything, examine, nothing
    from dlprobe.reports.doctor import document
    from dlprobe.training.stopping import on_signals

    with on_signals() as stop, screen.progress("comparing kernels", "records") as report:
        compiles = everything if whole else common if warm else nothing
        examination = examine(compiles, stop, report)
    screen.show(document(examination, whole))
    if not examination.complete:
        return ExitCode.INTERRUPTED
    return ExitCode.FINDINGS if examination.faults else ExitCode.DONE
