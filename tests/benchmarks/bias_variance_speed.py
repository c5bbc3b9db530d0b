"""Bias and variance by 200 replicas of a 2-16-16-2 net, 50 epochs each: dlprobe against the usual loop over scikit-learn's MLPClassifier.

The loop is mlxtend's bias_variance_decomp written out (bootstrap sample, fit, predict, mode), so that mlxtend need not be installed. Same net, activation,
optimizer (Adam), rate, batch size, epochs and number of samples. CPU time of the process, dlprobe in threads; of the loop only some replicas are timed, as each
costs the same. Both sides have to come out with about the same loss.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: more threads of the library would only burn CPU time on the other side

import statistics
import warnings
from typing import Any

import numpy as np
from measuring import by_turns, print_table
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from dlprobe.analysis.bias_variance import Decomposition, decompose
from dlprobe.config import RunConfig, from_options
from dlprobe.data.resampling import Resampler
from dlprobe.executors.threads import available_threads
from dlprobe.experiments import bias_variance
from dlprobe.experiments.replicas import run
from dlprobe.training.stopping import Stop

TARGET = 40.0


def configuration(samples: int, batch: int) -> RunConfig:
    """The net on as many moons for training as for prediction."""
    texts = {"data": f"moons(samples={2 * samples})", "layers": "16,16", "epochs": "50", "split": "50,0,50", "batch_size": str(batch)}
    return from_options(None, texts)


def ours(config: RunConfig, sampler: Resampler, replicas: int) -> Decomposition:
    """Train, predict, decompose."""
    plan = bias_variance.plan(config, None, [], sampler.largest, replicas, "data", 2)
    outputs = run(plan, sampler.prepared, "test", workers=available_threads(), stop=Stop())
    made = np.stack([outputs[each.id] for each in plan])
    return decompose(made, sampler.base.targets["test"], "zero-one")


def theirs(data: Any, batch: int, replicas: int) -> Decomposition:
    """The same by scikit-learn, one replica after another."""
    inputs, targets, rng = data.inputs["train"], data.targets["train"], np.random.RandomState(0)
    made = []
    for _ in range(replicas):
        rows = rng.choice(len(inputs), len(inputs))
        net = MLPClassifier((16, 16), max_iter=50, batch_size=batch, n_iter_no_change=1000, alpha=0.0, random_state=rng.randint(2**31))
        made.append(net.fit(inputs[rows], targets[rows]).predict(data.inputs["test"]))
    return decompose(np.stack(made), data.targets["test"], "zero-one")


def measure(samples: int, batch: int, replicas: int, timed: int, rounds: int) -> list[str]:
    """One row of the table."""
    config = configuration(samples, batch)
    sampler = Resampler(config.data, 0, "float32", "bootstrap", replicas)
    last: dict[str, Decomposition] = {}
    sides = {
        "dlprobe": lambda: last.__setitem__("dlprobe", ours(config, sampler, replicas)),
        "loop": lambda: last.__setitem__("loop", theirs(sampler.base, batch, timed)),
    }
    found = by_turns(sides, rounds)
    assert abs(last["dlprobe"].expected_loss - last["loop"].expected_loss) < 0.15, "the two sides do not train alike"
    each = {"dlprobe": [s / replicas for s in found["dlprobe"]], "loop": [s / timed for s in found["loop"]]}
    ratio = statistics.median(b / a for a, b in zip(each["dlprobe"], each["loop"], strict=True))
    milliseconds = {name: f"{1e3 * statistics.median(values):.1f}" for name, values in each.items()}
    losses = f"{last['dlprobe'].expected_loss:.3f}, {last['loop'].expected_loss:.3f}"
    return [f"{samples} samples, batch {batch}", milliseconds["dlprobe"], milliseconds["loop"], f"{ratio:.1f}×", f"≥ {TARGET:g}×", losses]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicas", type=int, default=200)
    parser.add_argument("--timed", type=int, default=5, help="replicas of the loop in each round")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows = [measure(samples, batch, given.replicas, given.timed, given.rounds) for samples, batch in ((200, 8), (200, 32), (200, 200))]
    columns = ["replicas of 2-16-16-2, 50 epochs", "dlprobe ms each", "loop ms each", "loop ÷ dlprobe", "target", "expected loss"]
    print_table(f"{given.replicas} replicas, CPU time, median of {given.rounds}", columns, rows)


if __name__ == "__main__":
    main()
