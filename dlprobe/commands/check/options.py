"""The options of `check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlprobe.commands.base.arguments import option
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
    option("--select CODES", "judge by these rules only: codes or prefixes", RULES),
]
Ignore = Annotated[list[str] | None, option("--ignore CODES", "leave these rules out", RULES)]
Extend = Annotated[
    list[str] | None, option("--extend-select CODES", "judge by these rules too", RULES)
]
Set = Annotated[
    list[str] | None,
    option(
        "--set CODE.NAME=X",
        "set a threshold (dlprobe explain CODE lists them), or CODE.severity",
        RULES,
    ),
]
FailOn = Annotated[
    str | None,
    option(
        "--fail-on",
        f"exit with 1 from this severity on [default: {FAIL_ON_DEFAULT}]",
        RESULT,
        choices=FAIL_ON,
    ),
]
ExitZero = Annotated[bool, option("--exit-zero", "exit with 0 in spite of findings", RESULT)]
Counts = Annotated[
    bool, option("--counts", "how often each rule fired, in place of the findings", RESULT)
]
Advise = Annotated[
    bool,
    option(
        "--advise",
        "lay the runs beside the practical guidelines too; never changes the exit code",
        RESULT,
    ),
]
Output = Annotated[
    Path | None, option("-o --output FILE", "write the result to FILE in place of stdout", RESULT)
]
Force = Annotated[bool, option("--force", "overwrite FILE", RESULT)]
Baseline = Annotated[
    Path | None, option("--baseline FILE", "known findings: only new ones count", BASELINE)
]
Against = Annotated[
    list[Path] | None,
    option(
        "--against RUN…",
        "runs to compare numbers with, up to the next option; seeds are compared as groups",
        BASELINE,
    ),
]
Gate = Annotated[
    list[str] | None,
    option(
        "--gate BOUND",
        "a bound on a final metric: val_error<=5%, r2>=.9 …; the run fails outside it",
        BASELINE,
    ),
]
Write = Annotated[
    Path | None,
    option("--write-baseline FILE", "write the findings as known, and exit with 0", BASELINE),
]
Prove = Annotated[
    bool,
    option(
        "--prove",
        "train the net with only the top cause undone, and with a sham of equal cost; kept as "
        "RUN.proof.json",
        PROOF,
    ),
]
Seeds = Annotated[
    int | None,
    option("--seeds N", "with --prove: seeds of each [default: 5]", PROOF, min=1, max=100),
]
