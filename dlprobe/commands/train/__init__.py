"""Train a net and record every layer at every step.

The configuration comes from a TOML file or an earlier run file (which repeats that run), with the
options on top. Every layer's activation variance, error signal and gradient are recorded at every
step, in one run file.

--resume goes on with a run that was killed or stopped, or, with --epochs, with one that is to be
longer: bit for bit the run that was never stopped. A schedule that spreads its rates over the whole
run (one_cycle, cosine without period, polynomial without over) cannot become longer.

--dry-run trains nothing: layers, parameters as Keras counts them (batch norm has four numbers per
unit, of which the running mean and variance are not trained), memory and operations of a step.

--like trains the net of dlprobe that comes nearest to one that another program trained and
recorded, on the data that its recorder kept; the run that it writes can be proved and prescribed.

Examples:
  dlprobe train
  dlprobe train --layers 100x20 --activation sigmoid --epochs 5
  dlprobe train --layers 300,100 --norm batch --dry-run
  dlprobe train --data "spirals(samples=600)" --norm batch --seed 3 -o runs/spirals.h5
  dlprobe train runs/spirals.h5 --activation "leaky_relu(slope=0.2)" -o runs/leaky.h5
  dlprobe train --resume runs/spirals.h5 --epochs 40
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from dlprobe.commands.base.arguments import Force, option
from dlprobe.commands.base.configuration import (
    ConfigFile,
    configuration_options,
    read_configuration,
)
from dlprobe.commands.base.file_kinds import RUN
from dlprobe.commands.base.named_files import allow_file_option
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.writing import Target, claim, inputs_of, read_as
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from dlprobe.render.document import Document
    from dlprobe.runs import RunWriter
    from dlprobe.training.clock import Clock
    from dlprobe.training.trainer import Session

LISTED = ("Run", 1)
ALIASES = {"summary": ("--dry-run",)}
SHORT = (
    "--data --target --layers --activation --init --norm --dropout --optimizer --lr --batch-size "
    "--epochs --seed --output --resume --dry-run"
)
DRAWS = True  # its results have pictures, which --figure writes to files
Output = Annotated[
    Path | None,
    option("-o --output FILE", "run file to write [default: runs/<data>-<n>.h5, the next free n]"),
]
Resume = Annotated[
    Path | None,
    option(
        "--resume RUN",
        "go on with a run in its own file; --epochs N or --steps N: N in all, also of a "
        "finished one",
    ),
]
DryRun = Annotated[
    bool, option("--dry-run", "count parameters, memory and operations, and train nothing")
]
Like = Annotated[
    Path | None,
    option(
        "--like RUN",
        "train the nearest net to one that another program trained, on the data that its "
        "recorder kept",
    ),
]


@allow_file_option
@configuration_options()
def command(
    config: ConfigFile = None,
    output: Output = None,
    force: Force = False,
    resume: Resume = None,
    dry_run: DryRun = False,
    like: Like = None,
    *,
    options: dict[str, str | None],
    screen: Screen,
) -> ExitCode:
    """Train, pack, show."""
    from dlprobe.commands.train.recorded_run import (
        FOLDER,
        file_stem,
        open_writer,
        prepare_session,
        warn_of_other_data,
    )

    if resume is not None:
        if dry_run:
            raise ConfigError(
                "--resume goes on with a run: to see what its net takes, type dlprobe train "
                f"{resume} --dry-run"
            )
        return _go_on(resume, config, output, options, screen)
    if like is not None:
        from dlprobe.commands.train.nearest_net import nearest

        if config is not None:
            raise ConfigError(
                f"--like {like} is the configuration: leave {config} out, and put options on top"
            )
        configuration = nearest(like, options, screen)
    else:
        configuration = read_configuration(config, options, screen)
    inputs = [*read_as("the configuration that is read", config), *inputs_of(configuration)]
    target = None if output is None else claim(output, RUN, inputs, force=force)
    if dry_run:
        from dlprobe.commands.train import dry_run as counting

        screen.show(counting.dry_run(configuration, screen))
        return ExitCode.DONE
    if target is None:
        Target(
            FOLDER / f"{file_stem(configuration.data.data)}-1.h5", RUN
        ).check_place()  # before anything is read

    def begun() -> tuple[Session, RunWriter]:
        session = prepare_session(configuration, screen)
        warn_of_other_data(config, session, screen)
        return session, open_writer(session, target)

    return _shown(_carried_out(*begun(), screen), config, screen)


def _go_on(
    run: Path,
    config: Path | None,
    output: Path | None,
    options: dict[str, str | None],
    screen: Screen,
) -> ExitCode:
    from dlprobe.commands.train.resumed_run import resumed

    if output is not None and output != run:
        raise ConfigError(
            f"--resume goes on in {run} itself: leave -o {output} out, or copy {run} there "
            "and resume the copy"
        )
    begun = resumed(run, config, options, screen)
    if isinstance(begun, Path):
        screen.show(_document(begun, None))
        return ExitCode.DONE
    ended = _carried_out(*begun, screen)
    del begun
    return _shown(ended, None, screen)


@dataclass(frozen=True)
class _Ended:
    """A run that was trained and packed: its file, its status, and how far it came. Its net and
    data are freed before it is judged.
    """

    path: Path
    status: str
    step: int
    steps: int
    clock: Clock


def _carried_out(session: Session, opened: RunWriter, screen: Screen) -> _Ended:
    from dlprobe.commands.train.recorded_run import packed, train
    from dlprobe.training.clock import PACKING

    with opened as writer:
        status = train(session, writer, screen)
        session.clock.turn(PACKING)
        path = packed(writer, screen)
    return _Ended(path, status, session.step, session.steps, session.clock)


def _shown(run: _Ended, repeated: Path | None, screen: Screen) -> ExitCode:
    screen.show(_document(run.path, repeated, run.clock))
    if run.status == "interrupted":
        recorded = (
            f"what was recorded is in {run.path}"
            if run.step
            else f"{run.path} holds the net as it began, and no step"
        )
        return screen.interrupted(
            f" at step {run.step} of {run.steps}; {recorded}; dlprobe train --resume "
            f"{run.path} goes on with it"
        )
    return ExitCode.DONE


def _document(path: Path, repeated: Path | None, clock: Clock | None = None) -> Document:
    from shlex import quote as quoted

    from dlprobe.api.telling import told_of
    from dlprobe.commands.base.configuration import is_run_file
    from dlprobe.reports.run import train_document
    from dlprobe.runs import open_single
    from dlprobe.training.clock import JUDGING

    before = quoted(str(repeated)) if repeated is not None and is_run_file(repeated) else ""
    with open_single(path) as run:
        if clock is None:
            return train_document(told_of(run, str(path)), before)
        clock.turn(JUDGING)
        told = told_of(run, str(path))
        clock.turn(JUDGING)
        return train_document(told, before, clock.seconds)
