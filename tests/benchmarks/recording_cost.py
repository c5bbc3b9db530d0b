"""What writing the run file costs: whole training runs on digits with their file being written,
against the same runs with nothing recorded.

Both sides compute every statistic at every step; one keeps them in a journal on disk. Packing at
the end is shown apart. CPU time of the process; sides take turns.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from measuring import median_ratio, microseconds, print_table

from dlprobe.config import from_options
from dlprobe.data import PreparedData, load, prepare
from dlprobe.record.recorder import Recorder
from dlprobe.runs import RunWriter
from dlprobe.training import trainer
from dlprobe.training.describe import describe

NETS = (
    ("16x2", 8000, "≤ 15 %"),
    ("100,100", 3000, "≤ 5 %"),
    ("100x20", 1000, "≤ 5 %"),
    ("300,100", 2000, "≤ 5 %"),
)  # layers, steps, target


@dataclass
class Measured:
    """Seconds of every round."""

    nothing: list[float] = field(default_factory=list)
    journal: list[float] = field(default_factory=list)
    pack: list[float] = field(default_factory=list)
    size: int = 0


def one_round(
    found: Measured, config: Any, data: PreparedData, folder: Path, counted: bool
) -> None:
    """Both sides once; they have to end with the same weights."""
    plain, recorded = trainer.start(config, data), trainer.start(config, data)
    path = folder / "run.h5"
    times = [time.process_time()]
    trainer.run(plain, Recorder())
    times.append(time.process_time())
    with RunWriter.create(path, describe(recorded)) as writer:
        trainer.run(recorded, writer)
        times.append(time.process_time())
        writer.pack()
        times.append(time.process_time())
    assert np.array_equal(plain.network.parameters, recorded.network.parameters)
    found.size = path.stat().st_size
    path.unlink()
    if counted:
        for side, seconds in zip(
            (found.nothing, found.journal, found.pack), np.diff(times), strict=True
        ):
            side.append(float(seconds))


def measure(layers: str, steps: int, target: str, rounds: int, folder: Path) -> list[str]:
    """One row of the table."""
    config = from_options(
        None,
        {
            "layers": layers,
            "epochs": None,
            "steps": str(steps),
            "evaluate_every": "never",
            "optimizer": "sgd",
        },
    )
    data = prepare(load(config.data, 0), config.data, 0, "float32")
    found = Measured()
    for number in range(rounds + 1):
        one_round(found, config, data, folder, counted=number > 0)
    cost = 100 * (median_ratio(found.journal, found.nothing) - 1)
    packing = 100 * median_ratio(found.pack, found.nothing)
    times = [microseconds(side, steps) for side in (found.nothing, found.journal)]
    return [
        f"64-{layers}-10",
        str(steps),
        *times,
        f"{cost:+.1f} %",
        target,
        f"{packing:+.1f} %",
        f"{found.size / steps:,.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dlprobe-benchmark-") as folder:
        rows = [measure(*net, given.rounds, Path(folder)) for net in NETS]
    columns = [
        "net",
        "steps",
        "nothing µs/step",
        "file written",
        "cost",
        "target",
        "packing",
        "bytes/step",
    ]
    print_table(
        (
            "Run file written while training, every step recorded (CPU time, median of "
            f"{given.rounds})"
        ),
        columns,
        rows,
    )


if __name__ == "__main__":
    main()
