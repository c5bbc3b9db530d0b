"""lr-find in Python, on data at hand, and runs at rates that it has not chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dlprobe.config import RunConfig
from dlprobe.experiments.experiment import Means
from dlprobe.experiments.lr_find import FoundRate, RateSearch, RateTrial, planned_at, trial_of
from dlprobe.experiments.study import run_study
from dlprobe.training.prepared_sets import PreparedSets
from dlprobe.training.stopping import Stop
from dlprobe.training.trainer import PreparedData


def find(
    config: RunConfig,
    data: PreparedData,
    *,
    by: str = "train_loss",
    quick: bool = False,
    threads: int = 1,
    stop: Stop,
    progress: Callable[[int, int], None] | None = None,
) -> FoundRate:
    """What the search finds of the runs that ended, one at least."""
    found = RateSearch(config, PreparedSets((config, data)), by=by, quick=quick).run(
        Means(threads, stop, progress=progress)
    )
    assert found is not None
    return found


def run_trials(
    config: RunConfig, data: PreparedData, rates: Sequence[float], threads: int, stop: Stop
) -> list[RateTrial]:
    """A whole run at each rate."""
    planned = [planned_at(config, rate) for rate in rates]
    return list(
        run_study(
            planned, PreparedSets((config, data)), trial_of, threads=threads, stop=stop
        ).results.values()
    )
