"""Try the remedies that a run's findings name, and say which one cures it most cheaply.

Every change is trained over a few seeds on the same data, beside the run as it is; so are the first changes of two findings together, of three and so
on. Where none cures, the one that helped most is tried together with what its own findings name and with the others. The cured configuration is written
as TOML with the reasons as comments.

Examples:
  dlprobe prescribe runs/digits-1.h5 --seeds 1 --tries 1 --force
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlprobe.commands.base.arguments import Force
from dlprobe.commands.base.executing import workers_option
from dlprobe.commands.base.file_kinds import CONFIGURATION
from dlprobe.commands.base.named_files import allow_file_option, tell_of_named_files
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.writing import claim, inputs_of, read_as, write_text
from dlprobe.errors import ExitCode

if TYPE_CHECKING:
    from dlprobe.commands.base.writing import Target
    from dlprobe.config import RunConfig
    from dlprobe.experiments.prescription import Result
    from dlprobe.training.trainer import PreparedData

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
    from dlprobe.reports.prescribe import prescribe_document

    path = output or Path(f"{run.name.removesuffix('.journal').removesuffix('.h5')}-cured.toml")
    target = claim(path, CONFIGURATION, read_as("the run that is read", run), force=force)
    codes, results, count = _experiment(run, target, seeds, seed, tries, workers, screen)
    complete = len(results) == count
    if not complete and (not results or results[0].treatment.remedy is not None):
        return screen.interrupted(f": not even the run as it is was repeated with all {seeds} seeds")
    cure = _cure(results)
    if cure is not None:
        _write(target, str(run), cure, results[0])
    screen.show(prescribe_document(str(run), codes, results, cure, str(path) if cure is not None else "", complete))
    return ExitCode.DONE if complete else screen.interrupted(f": {len(results)} of {count} configurations had been tried")


def _experiment(
    path: Path, target: Target, seeds: int, seed: int | None, tries: int, workers: int | None, screen: Screen
) -> tuple[tuple[str, ...], list[Result], int]:
    """The codes to be cured, what was tried, and how many were to be tried."""
    from dlprobe.config import with_values
    from dlprobe.rules import judge
    from dlprobe.rules.files import begun
    from dlprobe.runs import open_single
    from dlprobe.runs.reading import reading

    with reading(path), open_single(path) as run:
        findings = judge(begun(run, str(path))).findings
        config = run.required_configuration()
    tell_of_named_files(path, [config], screen)
    claim(target.path, target.kind, inputs_of(config), force=target.force)
    config = with_values(config, {"data.data_seed": config.resolved_data_seed})
    from dlprobe.commands.base.recorded_run import tell_of_compiling
    from dlprobe.executors.threads import available_threads
    from dlprobe.experiments import prescription
    from dlprobe.training.stopping import on_signals

    codes = prescription.treated_codes(findings)
    others = prescription.treatments(config, findings, tries)
    if not others:
        return codes, [], 0
    tell_of_compiling(screen)
    first = config.training.seed if seed is None else seed
    with on_signals() as stop, screen.progress("trying remedies", "runs") as report:
        numbers, count = range(first, first + seeds), workers or available_threads()
        train = partial(prescription.run, findings=findings, seeds=numbers, prepare=_prepare, threads=count, stop=stop, progress=report)
        asked = [prescription.Treatment(config), *others]
        found = train(asked)
        if len(found) == len(asked) and prescription.cheapest_cure(found) is None:
            further = prescription.second_round(found, tries)
            asked, found = [*asked, *further], [*found, *(train(further) if further else [])]
    return codes, found, len(asked)


def _prepare(config: RunConfig) -> PreparedData:
    from dlprobe.data import load, prepare

    seed = config.training.seed
    return prepare(load(config.data, seed), config.data, seed, config.training.dtype)


def _cure(results: list[Result]) -> Result | None:
    from dlprobe.experiments.prescription import cheapest_cure

    return cheapest_cure(results) if results else None


def _write(target: Target, path: str, cure: Result, before: Result) -> None:
    from dlprobe.config import to_toml
    from dlprobe.render.safe_text import visible
    from dlprobe.reports.prescribe import head_of_cure, reasons_of

    head = "".join(f"# {visible(line)}\n" for line in head_of_cure(path, cure, before))
    write_text(target, f"{head}\n{to_toml(cure.treatment.config, reasons_of(cure))}")
