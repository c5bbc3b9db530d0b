"""Measure what lectures claim: does it hold here, and when?

Without a name, lists the claims; --wrong lists those that do not simply hold, with what is so. With
a name, runs what the claim is about, draws it and says whether the claim holds, holds only in some
cases, or does not hold. The verdict follows from the inequalities that are printed with it. -o
keeps every run in a study, for inspect, check and diff; a saved study in place of NAME is shown
again.

Examples:
  dlprobe recipe
  dlprobe recipe --wrong
  dlprobe recipe sigmoid_unit_normal --tiny
  dlprobe recipe he_for_smooth --tiny --seeds 2 --format json
  dlprobe recipe data_size --tiny --data breast_cancer -o sizes.h5
  dlprobe recipe sizes.h5
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlprobe.commands.base.arguments import LARGEST_SEEDS, Force, option
from dlprobe.commands.base.configuration import is_run_file
from dlprobe.commands.base.executing import Execution, workers_option
from dlprobe.commands.base.file_kinds import CONFIGURATION
from dlprobe.commands.base.named_files import tell_of_named_files
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.study_driver import carry_out
from dlprobe.commands.base.writing import claim, inputs_of, write_text
from dlprobe.errors import ConfigError, ExitCode
from dlprobe.runs.reading import reading

if TYPE_CHECKING:
    from dlprobe.commands.base import writing
    from dlprobe.experiments.recipe_study import RecipeExperiment, RecipeResult

LISTED = ("Learn", 2)


def complete_recipe(incomplete: str) -> list[str]:
    from dlprobe import registry

    return [name for name in registry.records("recipe") if name.startswith(incomplete)]


DRAWS = True  # its results have pictures, which --figure writes to files
Name = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME",
        help="the claim to measure; without it, all claims",
        autocompletion=complete_recipe,
    ),
]
Data = Annotated[str | None, option("--data NAME|PATH", "measure it on this data instead")]
Target = Annotated[
    str | None,
    option("--target COLUMN", "label column of a data file [default: as its format says]"),
]
Tiny = Annotated[bool, option("--tiny", "a small version that takes seconds")]
Seeds = Annotated[
    int | None,
    option(
        "--seeds N",
        "runs of each variant; medians are judged [default: 3, tiny: 1]",
        min=1,
        max=LARGEST_SEEDS,
    ),
]
FirstSeed = Annotated[int, option("--seed N", "first seed [default: 0]", min=0)]
Workers = Annotated[int | None, workers_option()]
Base = Annotated[
    Path | None, option("--base FILE", "write the base configuration as TOML and run nothing")
]
Output = Annotated[Path | None, option("-o --output FILE", "study file that keeps every run")]
Quiz = Annotated[
    bool, option("--quiz", "see profiles, say what they are, why, and what cures them")
]
Wrong = Annotated[bool, option("--wrong", "list what slides get wrong")]


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
    quiz: Quiz = False,
    *,
    screen: Screen,
) -> ExitCode | None:
    """List, or measure and show."""
    from dlprobe import registry
    from dlprobe.reports import recipe as report

    if quiz:
        from dlprobe.commands.recipe.quiz import ask

        others = {"NAME": name, "--data": data, "--base": base, "-o": output, "--wrong": wrong}
        if extra := [option for option, value in others.items() if value]:
            raise ConfigError(f"--quiz has its own nets: leave {', '.join(extra)} out")
        return ask(seed, Execution(workers), screen)
    if name is None:
        if data is not None or tiny or base is not None or output is not None:
            raise ConfigError(
                "--data, --tiny, --base and -o are for one recipe: expected its name, e.g. "
                "dlprobe recipe sigmoid_stack --tiny"
            )
        screen.show(report.listing(registry.records("recipe"), wrong))
        return None
    if is_run_file(Path(name)):
        if typed := [
            option
            for option, value in {
                "--data": data,
                "--tiny": tiny,
                "--seeds": seeds,
                "--base": base,
                "-o": output,
                "--wrong": wrong,
            }.items()
            if value
        ]:
            raise ConfigError(f"{name} is shown as it is: leave {', '.join(typed)} out")
        return show_again(Path(name), screen)
    chosen = registry.get("recipe", name)
    if wrong:
        raise ConfigError(
            "--wrong lists recipes: expected no name beside it; type dlprobe recipe "
            f"{chosen.name} or dlprobe recipe --wrong"
        )
    if base is not None:
        write_base(chosen.base, claim(base, CONFIGURATION, force=force, option="--base"))
        return None
    from dlprobe.experiments.laboratory import Laboratory
    from dlprobe.experiments.recipe_study import RecipeExperiment, base_of
    from dlprobe.training.prepared_sets import PreparedSets

    configuration = base_of(chosen, tiny, data, target)
    execution = Execution(workers, output, force).claimed(inputs_of(configuration))
    numbers = range(seed, seed + (seeds or (1 if tiny else 3)))
    laboratory = Laboratory(
        configuration, PreparedSets(told=screen.note), numbers, tiny, given=data is not None
    )
    return carry_out(RecipeExperiment(chosen, laboratory), execution, screen, show)


def show_again(path: Path, screen: Screen) -> ExitCode:
    """Measure what a saved study holds, without training."""
    from dlprobe.experiments.experiment import Means
    from dlprobe.experiments.recipe_study import RecipeExperiment
    from dlprobe.experiments.study import open_study

    with reading(path), open_study(path, RecipeExperiment.name) as study:
        experiment = RecipeExperiment.restore(study, screen.note)
        tell_of_named_files(path, [experiment.laboratory.base], screen)
        result = experiment.run(Means())
        assert result is not None, "nothing stops it"
        show(experiment, result, Execution(resume=path), screen)
    return ExitCode.DONE


def show(
    experiment: RecipeExperiment, result: RecipeResult, execution: Execution, screen: Screen
) -> None:
    """What was measured, and whether the claim holds."""
    from dlprobe.reports.recipe import document

    room = experiment.laboratory
    screen.show(
        document(
            experiment.recipe,
            result.found,
            result.judgement,
            room.base.data.data,
            len(room.seeds),
            execution.file,
            room.given,
        )
    )


def write_base(text: str, target: writing.Target) -> None:
    lines = [line for line in text.splitlines() if line]
    write_text(target, "\n".join(lines).replace("\n[", "\n\n[") + "\n")
