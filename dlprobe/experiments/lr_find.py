"""Which learning rate: a range test over one short run, then whole runs at the candidate rates that
it placed.

The candidates train with the configuration as it stands, seed, schedule and length included, so the
answer holds for that configuration: a shorter run, or another batch size, has another best rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

import numpy as np

from dlprobe.analysis.learning.rate_range import (
    RangeTest,
    RateTrial,
    best_trial,
    beyond,
    broken_at,
    candidates,
    learned,
    quick_rate,
    read_range_test,
    reason,
)
from dlprobe.config import RunConfig, with_values, without_instruments
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.experiments.experiment import Means, PlannedExperiment
from dlprobe.experiments.study import NEVER, PlannedRun, StudyResult
from dlprobe.runs import Run
from dlprobe.training import trainer
from dlprobe.training.prepared_sets import PreparedSets
from dlprobe.training.stopping import Stop

FIRST_RATE, LAST_RATE, RANGE_STEPS = 1e-7, 10.0, 100
BLOCK = 10  # steps between looks at the loss


@dataclass(frozen=True)
class FoundRate:
    """The range test, the runs by rising rate, and the answer (NaN where every run broke down);
    `steps` of each run.
    """

    test: RangeTest
    trials: tuple[RateTrial, ...]
    rate: float
    reason: str
    by: str
    steps: int
    complete: bool

    @property
    def learned(self) -> tuple[RateTrial, ...]:
        """The runs whose training loss came so near 0 that they are as good as each other on
        the training part.
        """
        return learned(self.trials, self.test)


@dataclass
class RateSearch(PlannedExperiment[RateTrial, FoundRate]):
    """Which rate ends with the smallest loss `by` (train_loss or val_loss). quick: the range
    test alone, and a guess from it.
    """

    name = "lr-find"
    doing = "trying rates"

    config: RunConfig
    sets: PreparedSets
    rates: tuple[float, float] = (FIRST_RATE, LAST_RATE)
    range_steps: int = RANGE_STEPS
    by: str = "train_loss"
    quick: bool = False
    test: RangeTest | None = field(default=None, init=False)

    def train(self, means: Means, finished: Mapping[str, RateTrial]) -> StudyResult[RateTrial]:
        """The range test, which places the candidates, and their runs. Raises ConfigError."""
        data = self.sets.of(self.config)
        refuse(self.config, self.by, data)
        self.test = range_test(self.config, data, *self.rates, self.range_steps, means.stop)
        return super().train(means, finished)

    def plan(self, results: Mapping[str, RateTrial]) -> list[PlannedRun]:
        """The candidates, and beyond them where the best stands at their end."""
        assert self.test is not None
        planned, following = list[PlannedRun](), () if self.quick else candidates(self.test)
        while following:
            planned += [planned_at(self.config, rate) for rate in following]
            ended = [
                results[run_planned.id] for run_planned in planned if run_planned.id in results
            ]
            following = beyond(ended, self.by) if len(ended) == len(planned) else ()
        return planned

    def read(self, planned: PlannedRun, run: Run) -> RateTrial:
        """The losses of a run at its end."""
        return trial_of(planned, run)

    def conclude(self, results: Mapping[str, RateTrial], complete: bool) -> FoundRate | None:
        """The answer from the runs that ended; where none did there is none, which is not to
        say that no rate trains.
        """
        if self.test is None or not (results or complete):
            return None
        steps = trainer.start(self.config, self.sets.of(self.config)).steps
        if self.quick:
            return FoundRate(self.test, (), *quick_rate(self.test), self.by, steps, complete)
        trials = sorted(results.values(), key=lambda trial: trial.rate)
        best = best_trial(trials, self.by)
        why = reason(trials, best, self.by) if best else "no run ended with a finite loss"
        return FoundRate(
            self.test,
            tuple(trials),
            best.rate if best else float("nan"),
            why,
            self.by,
            steps,
            complete,
        )


def refuse(config: RunConfig, by: str, data: trainer.PreparedData) -> None:
    """Raise ConfigError for what gives every rate the same run or no loss to go by."""
    schedule = config.training.schedule
    if schedule.parameters.get("max_lr"):
        raise ConfigError(
            f"schedule = {schedule} fixes the top rate, which is looked for: leave max_lr out"
        )
    if by == "val_loss" and not len(data.inputs["val"]):
        raise ConfigError(
            "--by val_loss: the split leaves no validation part: give it one, e.g. --split "
            "60,20,20, or take --by train_loss"
        )


def range_test(
    config: RunConfig, data: trainer.PreparedData, low: float, high: float, steps: int, stop: Stop
) -> RangeTest:
    """Train one net at rates that rise from `low` to `high` by the same factor every step,
    until training breaks down.
    """
    session = trainer.start(config, data)
    rates, losses = np.geomspace(low, high, steps), np.zeros(0)
    while len(losses) < steps and not stop.asked and broken_at(losses) is None:
        losses_of_rates = trainer.batch_losses(
            session, len(losses), rates[len(losses) : len(losses) + BLOCK]
        )
        losses = np.concatenate([losses, losses_of_rates])
    if stop.asked:
        raise KeyboardInterrupt
    return read_range_test(rates[: len(losses)], losses)


def planned_at(config: RunConfig, rate: float) -> PlannedRun:
    """The run of `config` with the learning rate `rate` and without records; evaluated on the way
    only where its schedule or stopping needs that.
    """
    watched = (
        config.training.schedule.record.observe is not None
        or config.training.early_stopping is not None
    )
    values = {
        "training.lr": rate,
        "recording.record_every": NEVER,
        **({} if watched else {"recording.evaluate_every": "never"}),
    }
    return PlannedRun(
        f"lr={rate!r}", with_values(without_instruments(config), values), {"learning_rate": rate}
    )


def trial_of(planned: PlannedRun, run: Run) -> RateTrial:
    """The losses of a run at its end, with its rate."""
    losses = (float(run.final.get(f"{part}_loss", np.nan)) for part in ("train", "val"))
    return RateTrial(planned.coordinates["learning_rate"], run.status, *losses)
