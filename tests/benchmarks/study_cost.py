"""What a study of small runs takes as a multiple of its training, without the program's start. CPU
time of the process, one thread; all sides of a round see the same noise.

training   every run from its configuration to the bytes of its journal in memory
study      the same runs in `compare`: trained, judged, kept in a journal, packed, compared
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from measuring import by_turns, median_ratio, print_table

from dlprobe.config import from_options
from dlprobe.executors.one_run import train_to_bytes
from dlprobe.experiments.compare import CompareExperiment
from dlprobe.experiments.compare_budgets import ComparedCell
from dlprobe.experiments.experiment import Means
from dlprobe.runs import StudyWriter

INITS = ("he_normal", "glorot_normal")
NETS: tuple[tuple[str, dict[str, str]], ...] = (
    ("16, two epochs of wine", {"data": "wine", "layers": "16", "epochs": "2"}),
    ("16,16, 20 epochs of digits", {"data": "digits", "layers": "16,16", "epochs": "20"}),
    ("64,64, 20 epochs of digits", {"data": "digits", "layers": "64,64", "epochs": "20"}),
    ("100x10, 5 epochs of digits", {"data": "digits", "layers": "100x10", "epochs": "5"}),
    (
        "100x10, histograms",
        {"data": "digits", "layers": "100x10", "epochs": "5", "histogram_every": "100"},
    ),
)


def row(name: str, options: dict[str, str], runs: int, rounds: int) -> list[str]:
    """One kind of run: milliseconds of its training and of its share of the study."""
    given = {"histogram_every": "never", "evaluate_every": "50"} | options
    cells = [ComparedCell({"init": i}, from_options(None, {**given, "init": i})) for i in INITS]
    experiment = CompareExperiment(
        {"init": INITS}, tuple(cells), tuple(range(runs // len(INITS))), "val_loss"
    )

    def training() -> None:
        for planned in experiment.plan():
            train_to_bytes(planned.config, experiment.sets.of(planned.config))

    def study() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "study.h5"
            with StudyWriter.create(path, experiment.describe()) as writer:
                ended = experiment.train(Means(writer=writer), {})
                writer.end(experiment.table(experiment.conclude(ended.results, ended.complete)))
                writer.pack()

    seconds = by_turns({"training": training, "study": study}, rounds)
    each = [1e3 * statistics.median(seconds[side]) / runs for side in ("training", "study")]
    ratio = median_ratio(seconds["study"], seconds["training"])
    return [name, *(f"{one:.1f}" for one in each), f"{ratio:.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="nets whose name begins so")
    asked = parser.parse_args()
    rows = [
        row(name, options, asked.runs, asked.rounds)
        for name, options in NETS
        if name.startswith(asked.only)
    ]
    print_table("a run, ms", ("net", "training", "study", "ratio"), rows)


if __name__ == "__main__":
    main()
