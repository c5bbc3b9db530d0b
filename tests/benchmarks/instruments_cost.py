"""What instruments cost: whole training runs at the default cadence against runs without, with the
file packed at the end; CPU time by turns.

Both sides must end with the same weights. The second table adds what is measured on request only.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring import median_ratio, print_table

from dlprobe.config import from_options
from dlprobe.data import load, prepare
from dlprobe.runs import RunWriter
from dlprobe.training import trainer
from dlprobe.training.describe import describe

NETS = (
    {},
    {"layers": "100x20"},
    {"layers": "300,100"},
    {"layers": "16x2"},
    {"layers": "100,100", "epochs": "100"},
)
ASKED = ({}, {"track_unit": "hidden_1:0"}, {"jacobian": "16"}, {"sharpness": "256"})


def one(options: dict[str, str], path: Path) -> tuple[float, int, np.ndarray]:
    """CPU seconds of a run with its file, the file's size, the final weights."""
    config = from_options(None, options)
    data = prepare(load(config.data, 0), config.data, 0, "float32")
    session = trainer.start(config, data)
    began = time.process_time()
    with RunWriter.create(path, describe(session), force=True) as writer:
        trainer.run(session, writer)
        writer.pack()
    return time.process_time() - began, path.stat().st_size, session.network.parameters.copy()


def measure(options: dict[str, str], rounds: int, folder: Path) -> list[str]:
    """One row: with these options against the same net without any instrument."""
    net = {key: value for key, value in options.items() if key in ("layers", "epochs")}
    sides = {"with": options, "without": {**net, "histogram_every": "never"}}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    sizes, weights = {}, {}
    for number in range(-1, rounds):
        for name in list(sides)[:: 1 if number % 2 else -1]:
            spent, sizes[name], weights[name] = one(sides[name], folder / "run.h5")
            if number >= 0:
                seconds[name].append(spent)
    assert np.array_equal(weights["with"], weights["without"])
    cost = 1e3 * (statistics.median(seconds["with"]) - statistics.median(seconds["without"]))
    named = (
        " ".join(f"--{key.replace('_', '-')} {value}" for key, value in options.items())
        or "(default net)"
    )
    more = f"{100 * (median_ratio(seconds['with'], seconds['without']) - 1):+.0f} %"
    return [
        named,
        f"{1e3 * statistics.median(seconds['without']):,.0f}",
        f"{cost:+,.0f}",
        more,
        f"{(sizes['with'] - sizes['without']) / 1e3:+,.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    columns = [
        "run on digits",
        "without, ms",
        "instruments, ms",
        "training and packing",
        "file, kB",
    ]
    with tempfile.TemporaryDirectory(prefix="dlprobe-benchmark-") as folder:
        for title, cases in (
            ("Default cadence", NETS),
            ("On request, at the default cadence", ASKED),
        ):
            rows = [measure(options, given.rounds, Path(folder)) for options in cases]
            print_table(
                (
                    f"{title} against no instruments (CPU time, median of {given.rounds}; a "
                    "command's start is not in it)"
                ),
                columns,
                rows,
            )


if __name__ == "__main__":
    main()
