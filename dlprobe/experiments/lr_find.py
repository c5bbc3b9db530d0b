"""Which learning rate: a range test over one short run, then whole runs at the candidate rates that it placed.

The candidates train with the configuration as it stands, seed, schedule and length included, so the answer holds for that configuration: a shorter run, or
another batch size, has another best rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from dlprobe.analysis.rate_range import RangeTest, Trial, best_trial, beyond, broken_at, candidates, learned, quick_rate, read_range_test, reason
from dlprobe.config import RunConfig, with_values
from dlprobe.errors import ConfigError
from dlprobe.executors import threads as executor
from dlprobe.experiments.study import NEVER, Told
from dlprobe.record.recorder import Snapshots
from dlprobe.training import trainer
from dlprobe.training.stopping import Stop

FIRST_RATE, LAST_RATE, RANGE_STEPS = 1e-7, 10.0, 100
BLOCK = 10  # steps between looks at the loss


@dataclass(frozen=True)
class Found:
    """The range test, the runs by rising rate, and the answer (NaN where every run broke down); `steps` of each run."""

    test: RangeTest
    trials: tuple[Trial, ...]
    rate: float
    reason: str
    by: str
    steps: int
    complete: bool

    @property
    def learned(self) -> tuple[Trial, ...]:
        """The runs whose training loss came so near 0 that they are as good as each other on the training part."""
        return learned(self.trials, self.test)


def find(
    config: RunConfig,
    data: trainer.PreparedData,
    *,
    rates: tuple[float, float] = (FIRST_RATE, LAST_RATE),
    range_steps: int = RANGE_STEPS,
    by: str = "train_loss",
    quick: bool = False,
    threads: int = 1,
    stop: Stop,
    progress: Told | None = None,
) -> Found:
    """The rate whose run ends with the smallest loss `by` (train_loss or val_loss); `quick` leaves the runs out and guesses.

    Raises ConfigError, and KeyboardInterrupt after a stop before the first run ended: then there is no answer, not that no rate trains.
    """
    refuse(config, by, data)
    test = range_test(config, data, *rates, range_steps, stop)
    steps = trainer.start(config, data).steps
    if quick:
        return Found(test, (), *quick_rate(test), by, steps, not stop.asked)
    trials: list[Trial] = []
    following = candidates(test)
    while following and not stop.asked:
        trials += run_trials(config, data, following, threads, stop, told_from(progress, len(trials)))
        following = beyond(trials, by) if trials and not stop.asked else ()
    if stop.asked and not trials:
        raise KeyboardInterrupt
    return conclude(test, trials, by, steps, complete=not stop.asked)


def conclude(test: RangeTest, trials: Sequence[Trial], by: str, steps: int, complete: bool) -> Found:
    """The answer from the runs that ended."""
    best = best_trial(trials, by)
    why = reason(trials, best, by) if best else "no run ended with a finite loss"
    return Found(test, tuple(sorted(trials, key=lambda t: t.rate)), best.rate if best else float("nan"), why, by, steps, complete)


def refuse(config: RunConfig, by: str, data: trainer.PreparedData) -> None:
    """Raise ConfigError for what gives every rate the same run or no loss to go by."""
    schedule = config.training.schedule
    if schedule.parameters.get("max_lr"):
        raise ConfigError(f"schedule = {schedule} fixes the top rate, which is looked for: leave max_lr out")
    if by == "val_loss" and not len(data.inputs["val"]):
        raise ConfigError("--by val_loss: the split leaves no validation part: give it one, e.g. --split 60,20,20, or take --by train_loss")


def range_test(config: RunConfig, data: trainer.PreparedData, low: float, high: float, steps: int, stop: Stop) -> RangeTest:
    """Train one net at rates that rise from `low` to `high` by the same factor every step, until training breaks down."""
    session = trainer.start(config, data)
    rates, losses = np.geomspace(low, high, steps), np.zeros(0)
    while len(losses) < steps and not stop.asked and broken_at(losses) is None:
        found = trainer.batch_losses(session, len(losses), rates[len(losses) : len(losses) + BLOCK])
        losses = np.concatenate([losses, found])
    if stop.asked:
        raise KeyboardInterrupt
    return read_range_test(rates[: len(losses)], losses)


def told_from(progress: Told | None, done: int) -> Told | None:
    """Progress that counts the runs made before."""
    return None if progress is None else lambda more, total: progress(done + more, done + total)


def run_trials(config: RunConfig, data: trainer.PreparedData, rates: Sequence[float], threads: int, stop: Stop, progress: Told | None = None) -> list[Trial]:
    """Train a net at each rate; a run that was stopped is left out."""
    found = []
    jobs = [partial(run_trial, config, data, rate, stop) for rate in rates]
    for done, (_, trial) in enumerate(executor.run_all(jobs, threads, stop), start=1):
        found += [] if trial is None else [trial]
        if progress is not None:
            progress(done, len(jobs))
    return found


def run_trial(config: RunConfig, data: trainer.PreparedData, rate: float, stop: Stop) -> Trial | None:
    """One whole run at a rate, evaluated on the way only where its schedule or stopping goes by that; None if it was stopped."""
    training = config.training
    watched = training.schedule.record.observe is not None or training.early_stopping is not None
    values = {"training.lr": rate, "recording.record_every": NEVER, **({} if watched else {"recording.evaluate_every": "never"})}
    kept = Snapshots()
    status = trainer.run(trainer.start(with_values(config, values), data), kept, stop=stop)
    if status == "interrupted":
        return None
    return Trial(rate, status, float(kept.final.get("train_loss", np.nan)), float(kept.final.get("val_loss", np.nan)))
