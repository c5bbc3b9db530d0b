"""How good the rate is that `lr-find` suggests: its final training loss over that of the best rate
of a grid, per data set, optimizer and seed.

The grid is 1, 2, 5 per decade from 1e-6 to 10: none of the candidates but powers of ten are on it.
A suggestion counts as good where its run (the default 20 epochs) ends within 10 % of the grid's
best training loss. Two counts: strictly so, and with losses below a thousandth of the loss at the
start counted as
equal: there the training part is learned, and losses of 1e-4 and 2e-4 differ by luck. `--quick`
    measures the guess from the range test alone beside it.
"""

from __future__ import annotations

import argparse
import math

import rate_searches

from dlprobe.analysis.learning.rate_range import quick_rate
from dlprobe.config import RunConfig, from_options
from dlprobe.data import PreparedData, load, prepare
from dlprobe.executors.threads import available_threads
from dlprobe.training import trainer
from dlprobe.training.stopping import Stop

DATA = ("digits", "breast_cancer", "wine", "diabetes", "spirals")
OPTIMIZERS = ("adam", "momentum")
GRID = [float(f"{digit}e{exponent}") for exponent in range(-6, 1) for digit in (1, 2, 5)] + [10.0]
SEEDS = 10
TOLERANCE, LEARNED = 1.1, 1e-3


def prepared(data: str, optimizer: str, seed: int) -> tuple[RunConfig, PreparedData]:
    config = from_options(None, {"data": data, "optimizer": optimizer, "seed": str(seed)})
    return config, prepare(load(config.data, seed), config.data, seed, config.training.dtype)


def loss_at_start(config: RunConfig, data: PreparedData) -> float:
    session = trainer.start(config, data)
    return float(trainer.evaluate_part(session, "train").values["train_loss"])


def judge(found: float, best: float, start: float) -> tuple[bool, bool]:
    """Whether a loss is as good as the best one: strictly, and with what is learned counted as
    equal.
    """
    strictly = found <= TOLERANCE * best
    return strictly, strictly or found <= LEARNED * start


def measure(
    data: str, optimizer: str, seed: int, quick: bool, threads: int
) -> tuple[float, float, tuple[bool, bool]]:
    """(suggested rate, its final loss over the grid's best, the two judgements)."""
    config, ready = prepared(data, optimizer, seed)
    stop = Stop()
    found = rate_searches.find(config, ready, threads=threads, stop=stop, quick=quick)
    own = [trial for trial in found.trials if trial.rate == found.rate]
    rate = quick_rate(found.test)[0] if quick else found.rate
    trial = own[0] if own else rate_searches.run_trials(config, ready, [rate], threads, stop)[0]
    grid = rate_searches.run_trials(config, ready, GRID, threads, stop)
    best = min(one.loss("train_loss") for one in grid)
    loss = trial.loss("train_loss") if trial else math.inf
    return (
        rate,
        loss / best if best > 0 else (1.0 if loss == 0 else math.inf),
        judge(loss, best, loss_at_start(config, ready)),
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=SEEDS)
    arguments.add_argument("--quick", action="store_true", help="measure lr-find --quick")
    given = arguments.parse_args()
    print(f"{'optimizer':10} {'data':14} {'strictly':>9} {'learned':>8}   rates and loss ratios")
    for optimizer in OPTIMIZERS:
        for data in DATA:
            rows = [
                measure(data, optimizer, seed, given.quick, available_threads())
                for seed in range(given.seeds)
            ]
            strict, learned = (sum(row[2][k] for row in rows) for k in (0, 1))
            told = ", ".join(f"{rate:g} {ratio:.2f}" for rate, ratio, _ in rows)
            print(
                (
                    f"{optimizer:10} {data:14} {strict:>4} of {len(rows)} {learned:>3} of "
                    f"{len(rows)}   {told}"
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
