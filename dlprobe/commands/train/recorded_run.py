"""From a configuration to a packed run file, with everything said on the way: notes, warnings,
progress, and what an early end leaves.
"""

from __future__ import annotations

import contextlib
import os
import re
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from dlprobe import interrupts
from dlprobe.commands.base.preparing import prepare_data, tell_of_compiling
from dlprobe.commands.base.screen import Screen
from dlprobe.errors import RunFileError
from dlprobe.executors.threads import available_threads
from dlprobe.render.numbers import value_text

if TYPE_CHECKING:
    from dlprobe.commands.base.writing import Target
    from dlprobe.config import RunConfig
    from dlprobe.data import PreparedData
    from dlprobe.runs import RunDescription, RunWriter
    from dlprobe.training.trainer import Progress, Session

FOLDER = Path("runs")


def prepare_session(configuration: RunConfig, screen: Screen) -> Session:
    """Prepare the data and build the net for it. Raises ConfigError or DataError."""
    return start(configuration, prepare_data(configuration, screen), screen)


def start(configuration: RunConfig, data: PreparedData, screen: Screen) -> Session:
    """Build the net for prepared data. Raises ConfigError."""
    from dlprobe.training import model, plain_method, trainer
    from dlprobe.training.clock import Clock

    def before_building() -> None:
        tell_of_compiling(screen)
        if available_threads() > 1:
            plain_method.ahead(data)

    session = trainer.start(configuration, data, before_building=before_building)
    session.clock = Clock(interrupts.began())
    if configuration.training.threads is None:
        session.network.threads = available_threads()
    for warning in model.warnings_for_data(session.model, data, configuration):
        screen.warn(warning)
    if configuration.recording.record_every is None and session.record_every > 1:
        kept = -(-session.steps // session.record_every)
        screen.note(
            f"every {session.record_every}th of {session.steps:,} steps is recorded, {kept:,} "
            "rows; --record-every 1 records all"
        )
    return session


def warn_of_other_data(repeated: Path | None, session: Session, screen: Screen) -> None:
    """Say where a run file is to be repeated and the data file behind it has changed since: the
    same configuration would pass for the same run.
    """
    from dlprobe.commands.base.configuration import is_run_file
    from dlprobe.runs import open_single

    if repeated is None or session.config.data.path is None or not is_run_file(repeated):
        return
    with open_single(repeated) as run:
        before, fingerprint = run.required_configuration(), run.data.get("fingerprint")
    now = session.config
    same = (
        before.data == now.data
        and before.resolved_data_seed == now.resolved_data_seed
        and before.training.dtype == now.training.dtype
    )
    if same and fingerprint != session.data.fingerprint:
        screen.warn(
            f"{now.data.data} has changed since {repeated} was trained on it: this run does "
            "not repeat that one"
        )


def open_writer(session: Session, target: Target | None) -> RunWriter:
    """The writer of a run file: what was claimed, or the next free name for this data. Raises
    ConfigError or RunFileError where it must not be replaced.
    """
    from dlprobe.runs import RunWriter
    from dlprobe.training.describe import describe

    description = describe(session)
    if target is None:
        return _next_free(description, session.data.name)
    target.check()  # again: much may have happened since it was claimed
    return RunWriter.create(target.path, description, target.force)


def _next_free(description: RunDescription, data: str) -> RunWriter:
    """The writer of runs/<data>-<n>.h5 with the smallest n that is neither a run nor a journal;
    somebody else may take it meanwhile.
    """
    from dlprobe.runs import RunWriter

    for number in count(1):
        path = FOLDER / f"{file_stem(data)}-{number}.h5"
        if _taken(path):
            continue
        try:
            return RunWriter.create(path, description)
        except RunFileError:
            if not _taken(path):
                raise
    raise AssertionError("there is always a next number")


def _taken(path: Path) -> bool:
    return os.path.lexists(path) or os.path.lexists(f"{path}.journal")


def file_stem(data: str) -> str:
    """The name of a data set as a part of a file name.

    >>> file_stem("spirals(samples=600)"), file_stem("my data.v2.csv")
    ('spirals', 'my_data.v2')
    """
    name = data.partition("(")[0]
    stem = re.sub(r"\.[A-Za-z0-9]+$", "", Path(name).name.removesuffix(".gz"))
    return re.sub(r"[^\w.-]+", "_", stem).strip("._") or "run"


def train(session: Session, writer: RunWriter, screen: Screen) -> str:
    """Train to the end, the first Ctrl-C or the first non-finite number; the status. After any
    other end the journal is closed and packed too.
    """
    try:
        return _trained(session, writer, screen)
    except BaseException as error:
        with interrupts.protected():
            _end_early(writer, session, error, screen)
        raise


def _trained(session: Session, writer: RunWriter, screen: Screen) -> str:
    from dlprobe.training.stopping import on_signals
    from dlprobe.training.trainer import run

    with on_signals() as stop, screen.progress("training") as report:

        def told(progress: Progress) -> None:
            if report is not None:
                report(progress.step, progress.steps, f"loss {value_text(progress.loss, 3)}")

        return run(session, writer, stop=stop, progress=told)


def packed(writer: RunWriter, screen: Screen) -> Path:
    """Turn the journal of a run that ended into its file; says what an interruption on the way
    leaves.
    """
    try:
        return writer.pack()
    except KeyboardInterrupt:
        if writer.packed:
            screen.warn(f"interrupted when the run was packed: it is in {writer.path}")
        else:
            screen.warn(
                "interrupted while packing: the whole run is in its journal; `dlprobe "
                f"inspect --pack {writer.path}` makes the run file"
            )
        raise


def _end_early(writer: RunWriter, session: Session, error: BaseException, screen: Screen) -> None:
    """Close and pack what was recorded; a disk that cannot take that either leaves the journal."""
    interrupted = isinstance(error, KeyboardInterrupt)
    reason = "asked to stop at once" if interrupted else f"{type(error).__name__}: {error}"
    with contextlib.suppress(RunFileError, OSError, ValueError):
        writer.end(
            "interrupted" if interrupted else "failed",
            {"steps_done": session.step, "stopped_step": session.step, "stop_reason": reason},
        )
        path = writer.pack()
        screen.warn(
            f"the run ended early; what was recorded is in {path}"
            if session.step
            else f"the run ended before its first step; {path} holds no step"
        )
