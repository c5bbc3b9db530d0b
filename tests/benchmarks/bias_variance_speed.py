"""Bias and variance by 200 replicas of a 2-16-16-2 net, 50 epochs each: dlprobe against mlxtend's
bias_variance_decomp with scikit-learn's MLPClassifier.

Same net, activation, optimizer (Adam), rate, batch size, epochs and number of samples. CPU time of
the process, dlprobe in threads; of the other side only some replicas are timed, as each costs the
same. Both sides have to come out with about the same loss.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault(
    "OPENBLAS_NUM_THREADS", "1"
)  # small matrices: more threads of the library would only burn CPU time on the other side

import statistics
import warnings
from typing import Any

import numpy as np
from measuring import by_turns, print_table
from mlxtend.evaluate import bias_variance_decomp
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from dlprobe.analysis.bias_variance.loss_parts import Decomposition, decompose
from dlprobe.config import RunConfig, from_options
from dlprobe.data.resampling import Resampler
from dlprobe.executors.threads import available_threads
from dlprobe.experiments import replica_design
from dlprobe.experiments.replicas import run
from dlprobe.training.stopping import Stop

TARGET = 40.0


def configuration(samples: int, batch: int) -> RunConfig:
    """The net on as many moons for training as for prediction."""
    texts = {
        "data": f"moons(samples={2 * samples})",
        "layers": "16,16",
        "epochs": "50",
        "split": "50,0,50",
        "batch_size": str(batch),
    }
    return from_options(None, texts)


def ours(config: RunConfig, sampler: Resampler, replicas: int) -> Decomposition:
    """Train, predict, decompose."""
    plan = replica_design.plan(config, None, [], sampler.largest, replicas, "data", 2)
    answers = run(plan, sampler.prepared, "test", workers=available_threads(), stop=Stop())
    made = np.stack([answers[each.id].outputs for each in plan])
    return decompose(made, sampler.base.targets["test"], "zero-one")


def theirs(data: Any, batch: int, replicas: int) -> float:
    """The same by mlxtend, one replica after another; the average expected loss."""
    net = MLPClassifier((16, 16), max_iter=50, batch_size=batch, n_iter_no_change=1000, alpha=0.0)
    parts = (data.inputs["train"], data.targets["train"], data.inputs["test"], data.targets["test"])
    return float(
        bias_variance_decomp(net, *parts, loss="0-1_loss", num_rounds=replicas, random_seed=0)[0]
    )


def measure(samples: int, batch: int, replicas: int, timed: int, rounds: int) -> list[str]:
    """One row of the table."""
    config = configuration(samples, batch)
    sampler = Resampler(config.data, 0, "float32", "bootstrap", replicas)
    last: dict[str, float] = {}
    sides = {
        "dlprobe": lambda: last.__setitem__(
            "dlprobe", ours(config, sampler, replicas).expected_loss
        ),
        "mlxtend": lambda: last.__setitem__("mlxtend", theirs(sampler.base, batch, timed)),
    }
    found = by_turns(sides, rounds)
    assert abs(last["dlprobe"] - last["mlxtend"]) < 0.15, "the two sides do not train alike"
    each = {
        "dlprobe": [s / replicas for s in found["dlprobe"]],
        "mlxtend": [s / timed for s in found["mlxtend"]],
    }
    ratio = statistics.median(b / a for a, b in zip(each["dlprobe"], each["mlxtend"], strict=True))
    milliseconds = {name: f"{1e3 * statistics.median(values):.1f}" for name, values in each.items()}
    losses = f"{last['dlprobe']:.3f}, {last['mlxtend']:.3f}"
    return [
        f"{samples} samples, batch {batch}",
        milliseconds["dlprobe"],
        milliseconds["mlxtend"],
        f"{ratio:.1f}×",
        f"≥ {TARGET:g}×",
        losses,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicas", type=int, default=200)
    parser.add_argument("--timed", type=int, default=5, help="replicas of mlxtend in each round")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows = [
        measure(samples, batch, given.replicas, given.timed, given.rounds)
        for samples, batch in ((200, 8), (200, 32), (1000, 32), (200, 200), (2000, 200))
    ]
    columns = [
        "replicas of 2-16-16-2, 50 epochs",
        "dlprobe ms each",
        "mlxtend ms each",
        "mlxtend ÷ dlprobe",
        "target",
        "expected loss",
    ]
    print_table(f"{given.replicas} replicas, CPU time, median of {given.rounds}", columns, rows)


if __name__ == "__main__":
    main()
