"""Training one configuration of the census in memory."""

from __future__ import annotations

from dlprobe.config import RunConfig
from dlprobe.runs import Run, RunWriter
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.sources import MemorySource
from dlprobe.training import trainer
from dlprobe.training.describe import describe
from dlprobe.training.prepared_sets import PreparedSets

from ..outcome import Outcome, outcome


def run_of(config: RunConfig, sets: PreparedSets) -> Run:
    """The run of a configuration, kept nowhere. Raises ConfigError for what is impossible."""
    session = trainer.start(config, sets.of(config))
    writer = RunWriter.create(None, describe(session))
    trainer.run(session, writer)
    return Run(JournalContents(MemorySource(writer.bytes())))


def outcome_of(config: RunConfig, sets: PreparedSets) -> Outcome:
    """What a configuration came to."""
    return outcome(run_of(config, sets))
