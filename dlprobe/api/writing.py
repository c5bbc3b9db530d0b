"""Writing: how another program records a network that it trains, so that dlprobe inspects and
judges the run like one of its own.

    from dlprobe.api import LayerFacts, RunDescription, create_run

    layers = [LayerFacts("fc1"), LayerFacts("fc2"), LayerFacts("out")]
    description = RunDescription(layers, origin="torch", statistics=["error_signal_rms"],
    scalars=["batch_loss"]) with create_run("run.h5", description) as writer:
        for step, (loss, signal) in enumerate(training()):
            writer.step(step, {"error_signal_rms": signal}, {"batch_loss": loss})
        writer.finish()

What is left out is *not recorded* for every reader and rule; nothing is made up in its place.
"""

from __future__ import annotations

from pathlib import Path

from dlprobe.record.description import LayerFacts as LayerFacts
from dlprobe.record.description import RunDescription as RunDescription
from dlprobe.record.description import RunFacts as RunFacts
from dlprobe.runs import RunWriter as RunWriter


def create_run(path: Path | str, description: RunDescription, force: bool = False) -> RunWriter:
    """Begin a run that ends as the file `path`; `RunWriter` says what is then called.

    Raises RunFileError where `path` or its journal exists (without `force`) or a living process
    writes it (always); ValueError for values that the layout table does not have.
    """
    return RunWriter.create(Path(path), description, force)
