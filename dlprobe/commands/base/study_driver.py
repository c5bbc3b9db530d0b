"""The one driver of experiments: begins, goes on with, interrupts, keeps and shows each of them in
the same way.

A command reads its options into an experiment, and says how its result is shown; all between is
here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from dlprobe.commands.base.configuration import is_run_file
from dlprobe.commands.base.executing import Execution, settled
from dlprobe.commands.base.named_files import tell_of_named_files
from dlprobe.commands.base.preparing import tell_of_compiling
from dlprobe.commands.base.screen import Screen
from dlprobe.errors import ConfigError, ExitCode
from dlprobe.runs.reading import reading

if TYPE_CHECKING:
    from dlprobe.experiments.experiment import Experiment, Means, ResumableExperiment
    from dlprobe.runs import StudyWriter

E = TypeVar("E", bound="Experiment[Any, Any]")
S = TypeVar("S", bound="ResumableExperiment[Any, Any]")
# what was read of each run, whether all ended; gives what to say of where it is kept
Keep: TypeAlias = Callable[[Mapping[str, Any], bool], str]
# the experiment, its result, how it was made
Show: TypeAlias = "Callable[[E, Any, Execution, Screen], None]"


@contextmanager
def training(
    doing: str, unit: str, execution: Execution, screen: Screen, writer: StudyWriter | None = None
) -> Iterator[Means]:
    """What experiments train with while the block runs: the first Ctrl-C asks it to stop, a
    progress line tells how far it is.
    """
    from dlprobe.experiments.experiment import Means
    from dlprobe.training.stopping import on_signals

    tell_of_compiling(screen)
    with on_signals() as stop, screen.progress(doing, unit) as report:
        asked = execution.workers is not None
        yield Means(execution.threads, stop, writer, report, execution.cluster, asked)


def carry_out(
    experiment: E,
    execution: Execution,
    screen: Screen,
    show: Show[E],
    finished: Mapping[str, Any] | None = None,
    keep: Keep | None = None,
) -> ExitCode:
    """Train what is not `finished`, keep it where a file is named, conclude, show. A study that is
    stopped stays a journal, which --resume goes on with.

    keep: for an experiment without a study file.
    """
    with execution.study(experiment.describe) as writer:
        try:
            with training(experiment.doing, experiment.unit, execution, screen, writer) as means:
                ended = experiment.train(means, finished or {})
            kept = "" if keep is None else keep(ended.results, ended.complete)
            result = experiment.conclude(ended.results, ended.complete)
            if writer is not None and ended.complete:
                writer.end(experiment.table(result))
                writer.pack()
        except KeyboardInterrupt:
            if writer is not None and writer.ids:
                screen.announce(
                    f"the {experiment.unit} that had ended are kept: "
                    f"{way_on(experiment, execution.file)}"
                )
            raise
    if result is not None:
        show(experiment, result, execution, screen)
    if ended.complete:
        return ExitCode.DONE
    return screen.interrupted(
        what_is_left(experiment, ended.results, bool(writer and writer.ids), result, execution.file)
        + kept
    )


def what_is_left(
    experiment: Experiment[Any, Any],
    results: Mapping[str, Any],
    kept: bool,
    result: object,
    file: Path | None,
) -> str:
    """What to say of an experiment that was stopped. kept: whether its study file holds any run."""
    from dlprobe.experiments.experiment import PlannedExperiment, ResumableExperiment

    said = " before a run had ended"
    if results or kept:
        count = (
            f"{len(results)} of {len(experiment.plan(results))} "
            if isinstance(experiment, PlannedExperiment)
            else ""
        )
        said = (
            f": {'nothing follows yet from' if result is None else 'the result is of'} the "
            f"{count}{experiment.unit} that had ended"
        )
    if file is not None and (kept or isinstance(experiment, ResumableExperiment)):
        said += f"; {'they are kept, ' if kept else ''}{way_on(experiment, file)}"
    return said


def way_on(experiment: Experiment[Any, Any], file: Path | None) -> str:
    """What to type after an interruption."""
    from dlprobe.experiments.experiment import ResumableExperiment

    resumable = isinstance(experiment, ResumableExperiment)
    if resumable:
        return f"go on with dlprobe {experiment.name} --resume {file}"
    return f"look at them with dlprobe inspect {file}"


def go_on(
    kind: type[S],
    count: int | None,
    execution: Execution,
    screen: Screen,
    show: Show[S],
    option: str = "--seeds",
) -> ExitCode:
    """Train what the study `execution.resume` lacks, into the same file; one that lacks nothing
    is shown. count: what `option` asks for in all.
    """
    from dlprobe.config import warnings_for

    path = execution.resume
    assert path is not None
    with open_experiment(kind, path, screen) as (experiment, study):
        for warning in warnings_for(experiment.configs[0]):
            screen.warn(warning)
        had = experiment.repetitions
        if count is not None and count < had:
            raise ConfigError(
                f"{option} {count}: the study has {had} already: expected as many or more"
            )
        experiment = experiment if count is None else experiment.repeated(count)
        finished = experiment.finished(study)
        wanted = len(experiment.plan(finished))
        lacks = len(finished) < wanted or study.status != "finished"
    if len(finished) < wanted:
        screen.note(f"{path} has {len(finished)} of {wanted} {experiment.unit}")
    if lacks:
        return carry_out(experiment, execution, screen, show, finished)
    screen.note(
        f"{path} has all {wanted} {experiment.unit}: nothing to train; {option} N adds more"
    )
    show(
        experiment,
        experiment.conclude(finished, True),
        replace(execution, resume=settled(path, screen)),
        screen,
    )
    return ExitCode.DONE


def show_saved(
    kind: type[S],
    path: Path,
    screen: Screen,
    show: Show[S],
    change: Callable[[S, Mapping[str, Any]], S] | None = None,
) -> ExitCode:
    """What a study holds, without training. change: what is asked otherwise of the experiment,
    whose runs are read already.
    """
    with open_experiment(kind, path, screen) as (experiment, study):
        finished = experiment.finished(study, same_data=False)
        experiment = experiment if change is None else change(experiment, finished)
        result = experiment.conclude(finished, len(finished) == len(experiment.plan(finished)))
    if result is None:
        raise ConfigError(
            f"{path}: too few runs had ended to show a result yet: go on with dlprobe "
            f"{kind.name} --resume {path}"
        )
    show(experiment, result, Execution(resume=path), screen)
    return ExitCode.DONE


def is_study(path: Path) -> bool:
    """Whether a file is a study. Raises RunFileError for a run file that cannot be read."""
    from dlprobe.runs import Study, open_run

    if not is_run_file(path):
        return False
    with open_run(path) as opened:
        return isinstance(opened, Study)


@contextmanager
def open_experiment(kind: type[S], path: Path, screen: Screen) -> Iterator[tuple[S, Any]]:
    """(experiment, study) of a study file; the files that it names are told of before any is
    opened. Raises ConfigError or RunFileError.
    """
    from dlprobe.experiments.study import open_study

    with reading(path), open_study(path, kind.name) as study:
        experiment = kind.restore(study, told=screen.note)
        tell_of_named_files(path, experiment.configs, screen)
        yield experiment, study
