"""One run of a study, wherever it executes: a configuration and its data in, the bytes of the
run's journal out.
"""

from __future__ import annotations

from dlprobe.config import RunConfig
from dlprobe.runs import RunWriter
from dlprobe.training import describe, trainer
from dlprobe.training.stopping import Stop


def train_to_bytes(
    config: RunConfig, data: trainer.PreparedData, stop: Stop | None = None
) -> bytes | None:
    """Train, record in memory; None if it was stopped."""
    session = trainer.start(config, data)
    recorder = RunWriter.create(None, describe.describe(session))
    if trainer.run(session, recorder, stop=stop) == "interrupted":
        return None
    return recorder.bytes()
