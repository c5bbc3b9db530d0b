"""The run file of a log: one row per logged step, evaluations, and one layer that stands for
the whole model, of which nothing is known.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from dlprobe.record.description import LayerFacts, RunDescription, RunFacts
from dlprobe.record.scalars import SCALARS
from dlprobe.recorders.logs import Log
from dlprobe.runs import RunWriter


def write_log(log: Log, source: Path, path: Path, force: bool = False) -> Path:
    """Write the run file; its path. Raises RunFileError where it cannot be written."""
    rows, evaluations = sorted(log.rows.items()), sorted(log.evaluations.items())
    rates = [values["learning_rate"] for _, values in rows if "learning_rate" in values]
    known = tuple(name for name in SCALARS if any(name in values for _, values in rows))
    facts = RunFacts(learning_rate=rates[0] if rates else None, notes=tuple(log.notes) or None)
    description = RunDescription(
        [LayerFacts("model")],
        origin="log",
        facts=facts,
        environment={"log": source.name, "kind": log.kind},
        statistics=(),
        scalars=known,
    )
    with RunWriter.create(path, description, force) as writer:
        for step, values in rows:
            writer.step(step, {}, {name: value for name, value in values.items() if name in known})
        for step, values in evaluations:
            writer.evaluation(step, values)
        last = max([step + 1 for step, _ in rows] + [step for step, _ in evaluations])
        return writer.finish(
            "finished" if _is_finite(log) else "diverged", {"steps_done": np.int64(last)}
        )


def _is_finite(log: Log) -> bool:
    losses = [
        values["batch_loss"] for _, values in sorted(log.rows.items()) if "batch_loss" in values
    ]
    losses += [
        values["train_loss"]
        for _, values in sorted(log.evaluations.items())
        if "train_loss" in values
    ]
    return not losses or math.isfinite(losses[-1])
