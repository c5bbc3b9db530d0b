"""Measure what lectures claim: does it hold here, and when?

Without a name, lists the claims; --wrong lists those that do not simply hold, with what is so. With a name, runs what the claim is about, draws it and says
whether the claim holds, holds only in some cases, or does not hold. The verdict follows from the inequalities that are printed with it. -o keeps every run in
a study, for inspect, check and diff.

Examples:
  dlprobe recipe
  dlprobe recipe --wrong
  dlprobe recipe sigmoid_unit_normal --tiny
  dlprobe recipe he_for_smooth --tiny --seeds 2 --format json
  dlprobe recipe data_size --tiny --data breast_cancer -o sizes.h5
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlprobe.commands.base.arguments import LARGEST_SEEDS, Force
from dlprobe.commands.base.executing import Execution, workers_option
from dlprobe.commands.base.file_kinds import CONFIGURATION
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.writing import claim, inputs_of, write_text
from dlprobe.errors import ConfigError

if TYPE_CHECKING:
    from dlprobe.commands.base import writing
    from dlprobe.experiments.laboratory import Laboratory
    from dlprobe.experiments.recipe import Recipe


def complete_recipe(incomplete: str) -> list[str]:
    """Recipes for the shell."""
    from dlprobe import registry

    return [name for name in registry.records("recipe") if name.startswith(incomplete)]


Name = Annotated[str | None, typer.Argument(metavar="NAME", help="the claim to measure; without it, all claims", autocompletion=complete_recipe)]
Data = Annotated[str | None, typer.Option("--data", metavar="NAME|PATH", help="measure it on this data instead")]
Target = Annotated[str | None, typer.Option("--target", metavar="COLUMN", help="label column of a data file [default: as its format says]")]
Tiny = Annotated[bool, typer.Option("--tiny", help="a small version that takes seconds")]
Seeds = Annotated[
    int | None, typer.Option("--seeds", metavar="N", min=1, max=LARGEST_SEEDS, help="runs of each variant; medians are judged [default: 3, tiny: 1]")
]
FirstSeed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="first seed [default: 0]")]
Workers = Annotated[int | None, workers_option()]
Base = Annotated[Path | None, typer.Option("--base", metavar="FILE", help="write the base configuration as TOML and run nothing")]
Output = Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="study file that keeps every run")]
Wrong = Annotated[bool, typer.Option("--wrong", help="list what slides get wrong")]


def command(
    name: Name = None,
    data: Data = None,
    target: Target = None,
    tiny: Tiny = False,
    seeds: Seeds = None,
    seed: FirstSeed = 0,
    workers: Workers = None,
    base: Base = None,
    output: Output = None,
    force: Force = False,
    wrong: Wrong = False,
    *,
    screen: Screen,
) -> None:
    """List, or measure and show."""
    from dlprobe import registry
    from dlprobe.reports import recipe as report

    if name is None:
        if data is not None or tiny or base is not None or output is not None:
            raise ConfigError("--data, --tiny, --base and -o are for one recipe: expected its name, e.g. dlprobe recipe sigmoid_stack --tiny")
        return screen.show(report.listing(registry.records("recipe"), wrong))
    chosen = registry.get("recipe", name)
    if wrong:
        raise ConfigError(f"--wrong lists recipes: expected no name beside it; type dlprobe recipe {chosen.name} or dlprobe recipe --wrong")
    if base is not None:
        return write_base(chosen.base, claim(base, CONFIGURATION, force=force, option="--base"))
    from dlprobe.experiments import laboratory
    from dlprobe.training.prepared_sets import PreparedSets

    configuration = laboratory.base_of(chosen, tiny, data, target)
    execution = Execution(workers, output, force).claimed(inputs_of(configuration))
    numbers = range(seed, seed + (seeds or (1 if tiny else 3)))
    room = laboratory.Laboratory(configuration, PreparedSets(told=screen.note), numbers, tiny, execution.threads, given=data is not None)
    return measure(chosen, room, execution, screen)


def measure(chosen: Recipe, room: Laboratory, execution: Execution, screen: Screen) -> None:
    """Train, keep where a file is named, and show. Raises KeyboardInterrupt after a stop."""
    from dlprobe.commands.base.recorded_run import tell_of_compiling
    from dlprobe.experiments import laboratory
    from dlprobe.reports.recipe import document
    from dlprobe.training.stopping import on_signals

    tell_of_compiling(screen)
    file, writer = execution.file, None
    try:
        with execution.study(laboratory.description(chosen, room)) as writer:
            with on_signals() as stop, screen.progress(f"measuring {chosen.name}", "runs") as report:
                found, judgement = laboratory.perform(chosen, replace(room, stop=stop, progress=report, writer=writer))
            if writer is not None:
                writer.end(laboratory.results_table(found))
                writer.pack()
    except KeyboardInterrupt:
        if writer is not None and writer.ids:
            screen.warn(f"interrupted: the runs that had ended are in {file}; look at them with dlprobe inspect {file}")
        raise
    screen.show(document(chosen, found, judgement, room.base.data.data, len(room.seeds), file))


def write_base(text: str, target: writing.Target) -> None:
    """The recipe's TOML as a file to go on from, an empty line before each table."""
    lines = [line for line in text.splitlines() if line]
    write_text(target, "\n".join(lines).replace("\n[", "\n\n[") + "\n")
