"""Try the remedies that a run's findings name, and say which one cures it most cheaply.

Every change is trained over a few seeds on the same data, beside the run as it is; so are the first changes of two findings together, of three and so
on. Where none cures, the one that helped most is tried together with what its own findings name and with the others. The cured configuration is written
as TOML with the reasons as comments.

Examples:
  dlprobe prescribe runs/digits-1.h5 --seeds 1 --tries 1 --force
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlprobe.commands.base.arguments import Force
from dlprobe.commands.base.executing import Execution, workers_option
from dlprobe.commands.base.file_kinds import CONFIGURATION
from dlprobe.commands.base.named_files import allow_file_option, tell_of_named_files
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.study_driver import carry_out
from dlprobe.commands.base.writing import claim, inputs_of, read_as, write_text
from dlprobe.errors import ExitCode

if TYPE_CHECKING:
    from dlprobe.commands.base.writing import Target
    from dlprobe.config import RunConfig
    from dlprobe.experiments.prescription import Prescription, Result, Tried
    from dlprobe.rules import Finding

RunFile = Annotated[Path, typer.Argument(metavar="RUN", help="run file")]
Seeds = Annotated[int, typer.Option("--seeds", metavar="N", min=1, max=100, help="runs of each change, from --seed upwards [default: 3]")]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", min=0, help="first seed [default: the run's own]")]
Tries = Annotated[int, typer.Option("--tries", metavar="N", min=1, help="changes that are tried at most, and as many combinations [default: 8]")]
Workers = Annotated[int | None, workers_option()]
Output = Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="TOML file to write [default: RUN-cured.toml here]")]


@allow_file_option
def command(
    run: RunFile, seeds: Seeds = 3, seed: Seed = None, tries: Tries = 8, workers: Workers = None, output: Output = None, force: Force = False, *, screen: Screen
) -> ExitCode:
    """Judge, train, compare, write, show."""
    path = output or Path(f"{run.name.removesuffix('.journal').removesuffix('.h5')}-cured.toml")
    target = claim(path, CONFIGURATION, read_as("the run that is read", run), force=force)
    config, findings = _judged(run, screen)
    claim(path, CONFIGURATION, inputs_of(config), force=force)
    from dlprobe.experiments.prescription import Prescription
    from dlprobe.training.prepared_sets import PreparedSets

    first = config.training.seed if seed is None else seed
    prescription = Prescription(config, findings, range(first, first + seeds), tries, PreparedSets())
    return carry_out(prescription, Execution(workers), screen, partial(_show, run=run, target=target))


def _judged(path: Path, screen: Screen) -> tuple[RunConfig, Sequence[Finding]]:
    """A run's configuration, its data as they are, and what it suffers from."""
    from dlprobe.config import with_values
    from dlprobe.rules import judge
    from dlprobe.rules.files import begun
    from dlprobe.runs import open_single
    from dlprobe.runs.reading import reading

    with reading(path), open_single(path) as run:
        findings = judge(begun(run, str(path))).findings
        config = run.required_configuration()
    tell_of_named_files(path, [config], screen)
    return with_values(config, {"data.data_seed": config.resolved_data_seed}), findings


def _show(prescription: Prescription, tried: Tried, execution: Execution, screen: Screen, *, run: Path, target: Target) -> None:
    """Write the cure, and show what was tried."""
    from dlprobe.experiments.prescription import cheapest_cure
    from dlprobe.reports.prescribe import prescribe_document

    cure = cheapest_cure(tried.results) if tried.results else None
    if cure is not None:
        _write(target, str(run), cure, tried.results[0])
    written = str(target.path) if cure is not None else ""
    screen.show(prescribe_document(str(run), prescription.codes, tried.results, cure, written, tried.complete))


def _write(target: Target, path: str, cure: Result, before: Result) -> None:
    from dlprobe.config import to_toml
    from dlprobe.render.safe_text import visible
    from dlprobe.reports.prescribe import head_of_cure, reasons_of

    head = "".join(f"# {visible(line)}\n" for line in head_of_cure(path, cure, before))
    write_text(target, f"{head}\n{to_toml(cure.treatment.config, reasons_of(cure))}")
