"""Put two runs or studies side by side: what changed?

Configuration, metrics with intervals, findings that appeared or vanished, profiles. In studies,
runs of the same configuration are compared as groups. With --format markdown the result suits a
pull request.

Examples:
  dlprobe diff runs/digits-1.h5 runs/digits-1.h5
  dlprobe diff runs/digits-1.h5 runs/digits-1.h5 --fail-on-change --format markdown
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlprobe.commands.base.arguments import Force, option
from dlprobe.commands.base.completing import complete_runs
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.untrusted import reading_options
from dlprobe.commands.base.writing import claim, read_as
from dlprobe.errors import ExitCode

LISTED = ("Read", 2)
DRAWS = True  # its results have pictures, which --figure writes to files
First = Annotated[
    Path, typer.Argument(metavar="A", help="run or study file before", autocompletion=complete_runs)
]
Second = Annotated[
    Path, typer.Argument(metavar="B", help="run or study file after", autocompletion=complete_runs)
]
FailOnChange = Annotated[
    bool, option("--fail-on-change", "exit with 1 where something changed beyond chance")
]
Output = Annotated[
    Path | None, option("-o --output FILE", "write the result to FILE in place of stdout")
]


@reading_options
def command(
    a: First,
    b: Second,
    fail_on_change: FailOnChange = False,
    output: Output = None,
    force: Force = False,
    *,
    screen: Screen,
) -> ExitCode:
    """Read both, compare, show."""
    from dlprobe.commands.diff.diffing import pairs, read_sides
    from dlprobe.reports.diff import diff_document
    from dlprobe.rules.files import Criteria

    target = (
        None
        if output is None
        else claim(output, screen.kind, read_as("a run that is compared", a, b), force=force)
    )
    criteria = Criteria()
    compared = list(pairs(read_sides(a, criteria), read_sides(b, criteria)))
    code = (
        ExitCode.FINDINGS
        if fail_on_change and any(pair.changed for pair in compared)
        else ExitCode.DONE
    )
    screen.write(diff_document(str(a), str(b), compared, int(code)), target)
    return code
