"""Going on with a run that was killed, stopped, or is to be longer: what must be as it was is
looked at before anything is written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlprobe.commands.base.named_files import tell_of_named_files
from dlprobe.commands.base.preparing import prepare_data
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.train.recorded_run import start
from dlprobe.errors import ConfigError, RunFileError
from dlprobe.registry import counted

if TYPE_CHECKING:
    from dlprobe.config import RunConfig
    from dlprobe.runs import Run, RunWriter
    from dlprobe.training.trainer import Session

LENGTHS = ("epochs", "steps")


def resumed(
    path: Path, file: Path | None, options: Mapping[str, str | None], screen: Screen
) -> tuple[Session, RunWriter] | Path:
    """A session and a writer that go on with the run at `path`; the path of its file where it lacks
    nothing.

    file, options: a configuration that was given beside it, which must be the run's own but for its
        length. Raises ConfigError or RunFileError where the run cannot be gone on with: the file
        stays as it was.
    """
    from dlprobe.runs import RunWriter, open_single, pack_journal
    from dlprobe.runs.journal import SUFFIX, journal_path
    from dlprobe.runs.opening import refuse_member
    from dlprobe.training.describe import describe

    refuse_member(
        path,
        "a longer one is a new run, dlprobe train STUDY#RUN --epochs N; dlprobe inspect "
        "{study} names what goes on with the study",
    )
    packed = path.with_name(path.name.removesuffix(SUFFIX))
    if packed.is_file() and os.path.lexists(journal_path(packed)):
        pack_journal(packed)  # a crash left both; what it leaves is the file alone
    with open_single(packed) as run:
        stored, wanted = run.required_configuration(), _asked(run, file, options, screen)
        refuse(run, wanted != stored)
        if run.status != "finished" or wanted != stored:
            session = _session(run, stored, wanted, screen)
            environment = {
                **run.environment,
                "resumed_at_steps": ", ".join(
                    filter(None, [run.environment.get("resumed_at_steps"), str(session.step)])
                ),
            }
            writer = RunWriter.resume(
                run, replace(describe(session), environment=environment), session.step
            )
            screen.note(f"{packed} goes on from step {session.step} of {session.steps}")
            return session, writer
        in_journal = run.path != packed
    screen.note(
        f"{packed} has all its {_length(stored)}: nothing to train; --epochs N trains on, to "
        "N in all"
    )
    return pack_journal(packed) if in_journal else packed


def refuse(run: Run, longer: bool) -> None:
    """Raise RunFileError or ConfigError for a run that nobody can go on with."""
    from dlprobe import registry
    from dlprobe.record.scalars import SCALARS

    name, held = run.contents.name, run.contents.shapes()
    if run.status == "running":
        raise RunFileError(
            f"{name} is being written by process {run.writer.get('pid', '?')} on "
            f"{run.writer.get('host', '?')}: wait for it to end"
        )
    if run.damage:
        raise RunFileError(
            f"{run.damage}; it is not gone on with, so that nothing is lost: train it again with -o"
        )
    if run.status == "diverged":
        raise ConfigError(
            f"{name} diverged at step {int(run.steps[-1])}, where going on would start: train "
            "a new run, e.g. with a smaller --lr and -o"
        )
    if any(f"stats/{name}" not in held for name in registry.records("statistic")) or any(
        f"scalars/{name}" not in held for name in SCALARS
    ):
        raise RunFileError(
            f"{name} was recorded by a dlprobe that knew fewer statistics, so its rows cannot "
            "go on: train it again with -o"
        )
    if run.status != "finished" or not longer:
        return
    if "stopped_step" in run.final:
        raise ConfigError(
            f"{name} was ended by early stopping at step {run.final['stopped_step']}: more "
            "epochs change nothing; train a new run with -o"
        )
    if "counters" not in run.checkpoints:
        raise RunFileError(
            f"{name} was written by an older dlprobe, which kept nothing that training could "
            "go on from: train it again with -o"
        )


def _asked(
    run: Run, file: Path | None, options: Mapping[str, str | None], screen: Screen
) -> RunConfig:
    """The run's own configuration in the length that is asked for. Raises ConfigError where
    anything else differs.
    """
    from dlprobe.commands.base.configuration import read_configuration
    from dlprobe.config import from_options, to_mapping
    from dlprobe.training import own_arrays

    stored, name = run.required_configuration(), run.contents.name
    typed = {key for key, text in options.items() if text is not None}
    tell_of_named_files(run.path or Path(name), [stored], screen, asked=typed)
    config = (
        from_options(stored, options)
        if file is None
        else own_arrays.pinned(read_configuration(file, options, screen))
    )
    tables = {
        table: (values, to_mapping(stored)[table]) for table, values in to_mapping(config).items()
    }
    for table, (wanted, held) in tables.items():
        for key in wanted | held:
            if wanted.get(key) != held.get(key) and key not in (*LENGTHS, "threads"):
                difference = f"{key} = {held.get(key)} in it, {wanted.get(key)} is asked for"
                raise ConfigError(
                    f"{name} goes on as it was configured, but for --epochs: {difference} "
                    f"([{table}]); leave that out, or train a new run with -o"
                )
    return config


def _session(run: Run, stored: RunConfig, wanted: RunConfig, screen: Screen) -> Session:
    """The session where the run goes on. Raises ConfigError or DataError."""
    from dlprobe.training import resuming

    name = run.contents.name
    data = prepare_data(stored, screen)
    if run.data.get("fingerprint") != data.fingerprint:
        raise ConfigError(
            f"{data.name} has changed since {name} was trained on it: bring the old data "
            "back, or train a new run with -o"
        )
    _warn_of_other_versions(run, screen)
    session = start(resuming.lengthened(stored, wanted, data, _steps_made(run)), data, screen)
    assert run.initial_parameters is not None, "a run of dlprobe has initial parameters"
    if session.initial.shape != run.initial_parameters.shape:
        raise RunFileError(
            f"{name} is damaged or was not written by dlprobe: its net has other parameters "
            "than its configuration says"
        )
    session.initial[:] = run.initial_parameters
    if "counters" not in run.checkpoints:
        screen.note(f"{name} was stopped before it had kept anything to go on from: it begins anew")
        session.network.parameters[:] = run.initial_parameters
        return session
    try:
        resuming.restore(session, run.checkpoints)
    except (KeyError, ValueError) as error:
        raise RunFileError(
            f"{name} is damaged or was not written by dlprobe: what training goes on from "
            f"does not fit its net ({error})"
        ) from None
    return session


def _steps_made(run: Run) -> int:
    counters: Any = run.checkpoints.get("counters", (0,))
    return int(counters[0])


def _warn_of_other_versions(run: Run, screen: Screen) -> None:
    """Say where this is not what the run was begun on: it goes on, but not bit for bit as it
    would have there.
    """
    from dlprobe.training.describe import environment

    here = environment()
    watched = [key for key in here if key.startswith("version_") or key == "processor"]
    changed = [
        f"{key.removeprefix('version_')} {run.environment[key]}"
        for key in watched
        if key in run.environment and run.environment[key] != here[key]
    ]
    if changed:
        screen.warn(
            f"{run.contents.name} was begun with {', '.join(changed)}, which is another here: "
            "it may not go on bit for bit as it would have there"
        )


def _length(config: RunConfig) -> str:
    """Of a run, in words.

    >>> from dlprobe.config import RunConfig
    >>> _length(RunConfig())
    '20 epochs'
    """
    training = config.training
    if training.steps:
        return counted(training.steps, "step")
    return counted(training.epochs or 1, "epoch")
