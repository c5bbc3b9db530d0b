"""The options of `check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlprobe.commands.base.arguments import one_of
from dlprobe.commands.base.completing import complete_configurations
from dlprobe.errors import FAIL_ON, FAIL_ON_DEFAULT

RULES, BASELINE, RESULT, PROOF = "Rules", "Baseline", "Result", "Proof"

Runs = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN",
        help="run or study files, their journals, folders of them, or configurations (.toml)",
        autocompletion=complete_configurations,
    ),
]
Select = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        metavar="CODES",
        help="judge by these rules only: codes or prefixes",
        rich_help_panel=RULES,
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="CODES", help="leave these rules out", rich_help_panel=RULES),
]
Extend = Annotated[
    list[str] | None,
    typer.Option(
        "--extend-select", metavar="CODES", help="judge by these rules too", rich_help_panel=RULES
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="CODE.NAME=X",
        help="set a threshold (dlprobe explain CODE lists them), or CODE.severity",
        rich_help_panel=RULES,
    ),
]
FailOn = Annotated[
    str | None,
    typer.Option(
        "--fail-on",
        metavar="|".join(FAIL_ON),
        help=f"exit with 1 from this severity on [default: {FAIL_ON_DEFAULT}]",
        callback=one_of(tuple(FAIL_ON)),
        rich_help_panel=RESULT,
    ),
]
ExitZero = Annotated[
    bool,
    typer.Option("--exit-zero", help="exit with 0 in spite of findings", rich_help_panel=RESULT),
]
Counts = Annotated[
    bool,
    typer.Option(
        "--counts",
        help="how often each rule fired, in place of the findings",
        rich_help_panel=RESULT,
    ),
]
Advise = Annotated[
    bool,
    typer.Option(
        "--advise",
        help="lay the runs beside the practical guidelines too; never changes the exit code",
        rich_help_panel=RESULT,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="write the result to FILE in place of stdout",
        rich_help_panel=RESULT,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="overwrite FILE", rich_help_panel=RESULT)]
Baseline = Annotated[
    Path | None,
    typer.Option(
        "--baseline",
        metavar="FILE",
        help="known findings: only new ones count",
        rich_help_panel=BASELINE,
    ),
]
Against = Annotated[
    list[Path] | None,
    typer.Option(
        "--against",
        metavar="RUN…",
        help="runs to compare numbers with, up to the next option; seeds are compared as groups",
        rich_help_panel=BASELINE,
    ),
]
Gate = Annotated[
    list[str] | None,
    typer.Option(
        "--gate",
        metavar="BOUND",
        help="a bound on a final metric: val_error<=5%, r2>=.9 …; the run fails outside it",
        rich_help_panel=BASELINE,
    ),
]
Write = Annotated[
    Path | None,
    typer.Option(
        "--write-baseline",
        metavar="FILE",
        help="write the findings as known, and exit with 0",
        rich_help_panel=BASELINE,
    ),
]
Prove = Annotated[
    bool,
    typer.Option(
        "--prove",
        help="train the net with only the top cause undone, and with a sham of equal cost; kept as "
        "RUN.proof.json",
        rich_help_panel=PROOF,
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        "--seeds",
        metavar="N",
        min=1,
        max=100,
        help="with --prove: seeds of each [default: 5]",
        rich_help_panel=PROOF,
    ),
]
