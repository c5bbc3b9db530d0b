"""What it costs to keep what `train --resume` needs: the share of a run's time that is spent on
asking for states, writing them and syncing the disk.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import print_table, steps_for

from dlprobe.config import from_options
from dlprobe.data import load, prepare
from dlprobe.runs import RunWriter
from dlprobe.training import trainer
from dlprobe.training.describe import describe

NETS = (
    {"layers": "16x2"},
    {"layers": "100x20"},
    {"layers": "300,100"},
    {"layers": "2048x3", "batch_size": "128"},
)


class Timed(RunWriter):
    """A writer that adds up what states take; bytes of each."""

    spent, states, size = 0.0, 0, 0

    def wants_state(self, size: int) -> bool:
        return bool(self._timed(super().wants_state, size))

    def state(self, step: int, state: Any) -> None:
        self._timed(super().state, step, state)
        self.states, self.size = self.states + 1, sum(array.nbytes for array in state.values())

    def _timed(self, call: Callable[..., Any], *arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return call(*arguments)
        finally:
            self.spent += time.perf_counter() - began


def one(options: dict[str, str], steps: int, path: Path) -> tuple[Timed, float]:
    """The writer after a run of so many steps, and the run's seconds."""
    config = from_options(
        None,
        {**options, "steps": str(steps), "evaluate_every": "never", "histogram_every": "never"},
    )
    session = trainer.start(config, prepare(load(config.data, 0), config.data, 0, "float32"))
    began = time.perf_counter()
    with Timed.create(path, describe(session), force=True) as writer:
        trainer.run(session, writer)
    assert isinstance(writer, Timed)
    return writer, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="that each run takes about")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="dlprobe-benchmark-") as folder:
        for options in NETS:
            path = Path(folder) / "run.h5"
            steps = steps_for(
                given.seconds, lambda count, options=options, path=path: one(options, count, path)
            )  # type: ignore[misc]
            writer, seconds = one(options, steps, path)
            named = " ".join(f"--{key.replace('_', '-')} {value}" for key, value in options.items())
            rows.append(
                [
                    named,
                    f"{seconds:.1f}",
                    f"{writer.states}",
                    f"{writer.size / 1e6:,.2f}",
                    f"{100 * writer.spent / seconds:.2f} %",
                    "≤ 1 %",
                ]
            )
    print_table(
        "States of a run, wall time",
        ["run on digits", "run, s", "states", "MB each", "share of the run", "target"],
        rows,
    )


if __name__ == "__main__":
    main()
