"""Runs of a study, wherever they execute: configurations and their data in, the bytes of the runs'
journals out.
"""

from __future__ import annotations

from collections.abc import Sequence

from dlprobe.config import RunConfig
from dlprobe.runs import RunWriter
from dlprobe.training import describe, fleets, trainer
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


def train_side_by_side(
    configs: Sequence[RunConfig], data: trainer.PreparedData, stop: Stop
) -> list[bytes | None]:
    """Train runs that differ by seed and first weights and record their first step alone, in one
    fleet where there are several; each as `train_to_bytes`.
    """
    if len(configs) == 1:
        return [train_to_bytes(configs[0], data, stop)]
    sessions = [trainer.start(config, data) for config in configs]
    seeds, starts = zip(
        *((session.config.training.seed, session.initial) for session in sessions), strict=True
    )
    trained = fleets.train(sessions[0], seeds, [data] * len(seeds), stop, starts)
    if not trained:
        return [None] * len(configs)
    stored: list[bytes | None] = []
    for session, net in zip(sessions, trained, strict=True):
        if net is None:  # its first number that is not finite is found by its own run
            stored.append(train_to_bytes(session.config, data, stop))
            continue
        recorder = RunWriter.create(None, describe.describe(session))
        trainer.adopt(session, recorder, net, beside_plain=True)
        stored.append(recorder.bytes())
    return stored
