"""Choosing a learning rate: reading the loss of a range test, and choosing among runs at constant
rates that it placed.

The range test (Smith 2017, Cyclical learning rates for training neural networks) raises the rate at
every step of one short run. It says where the loss begins to fall and where training breaks down.
The rate whose run ends with the smallest loss lies below the break by a factor of 1 to 200, and how
far depends on data and length of the run: no rule that sees the test alone came near it. So the
test places candidates, and whole runs decide between them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass
from dlprobe.registry import counted

Numbers = npt.NDArray[np.float64]
DECAY = 0.9  # of the moving average of the batch losses
BROKEN = 4.0  # times the smallest smoothed loss: training has broken down
FALLEN = 0.95  # of the mean loss of the first tenth of the steps: the loss has begun to fall
PER_DECADE = 4  # candidates are 10^(k/4): 1, 1.78, 3.16, 5.62, 10, …
CANDIDATES = 10  # two and a half decades
# the best rate was between 1 and 1/500 of the breaking one on five data sets with two optimizers,
# at the median 1/20
GUESS = 0.05
# of the loss at the start: the training part is learned, and which of two such losses is smaller is
# luck
LEARNED = 1e-3
LOWEST, HIGHEST = 1e-8, 1e3  # candidates stay between


def smoothed_losses(losses: npt.ArrayLike, decay: float = DECAY) -> Numbers:
    """The bias-corrected moving average of (step,) losses: Σ decay^(t−i) l_i / Σ decay^(t−i)."""
    smoothed, total, weight = [], 0.0, 0.0
    for loss in np.asarray(losses, np.float64).tolist():
        total, weight = decay * total + (1 - decay) * loss, decay * weight + (1 - decay)
        smoothed.append(total / weight)
    return np.array(smoothed)


def broken_at(losses: npt.ArrayLike) -> int | None:
    """The first step whose smoothed loss is not finite or BROKEN times the best so far; None
    where there is none.
    """
    smooth = smoothed_losses(losses)
    best = math.inf
    for step, loss in enumerate(smooth.tolist()):
        best = min(best, loss)
        if not math.isfinite(loss) or loss > BROKEN * best:
            return step
    return None


@dataclass(frozen=True)
class RangeTest:
    """Rates, batch losses and smoothed losses, all (step,), and the rates at which the loss
    begins to fall, is smallest, breaks down (NaN: it never does).
    """

    rates: Numbers
    losses: Numbers
    smoothed: Numbers
    falls: float
    lowest: float
    breaks: float


def read_range_test(rates: npt.ArrayLike, losses: npt.ArrayLike) -> RangeTest:
    """What the losses at rising rates say. Steps behind the break are left out."""
    rate, loss = np.asarray(rates, np.float64), np.asarray(losses, np.float64)
    end = broken_at(loss)
    breaks = float(rate[end]) if end is not None else math.nan
    kept = len(loss) if end is None else end + 1
    rate, loss = rate[:kept], loss[:kept]
    smooth = smoothed_losses(loss)
    sound = np.where(np.isfinite(smooth), smooth, np.inf)
    if not np.isfinite(sound).any():
        return RangeTest(rate, loss, smooth, math.nan, math.nan, breaks)
    lowest = int(np.argmin(sound))
    start = float(np.mean(loss[: max(1, len(loss) // 10)]))
    # the fall is the last one before the smallest loss
    high = np.flatnonzero(sound[: lowest + 1] >= FALLEN * start)
    falls = (
        float(rate[high[-1] + 1 if len(high) else 0])
        if sound[lowest] < FALLEN * start
        else math.nan
    )
    return RangeTest(rate, loss, smooth, falls, float(rate[lowest]), breaks)


def lattice(first: int, count: int) -> tuple[float, ...]:
    """The rates 10^(k/PER_DECADE) of `count` neighbouring k, to three digits, so that what is
    printed is what was tried.

    >>> lattice(-12, 5)
    (0.001, 0.00178, 0.00316, 0.00562, 0.01)
    """
    return tuple(float(f"{10.0 ** (k / PER_DECADE):.3g}") for k in range(first, first + count))


def place(rate: float) -> int:
    """The number k of the largest lattice rate 10^(k/4) that is not above `rate`: −12 for 0.001."""
    return math.floor(PER_DECADE * math.log10(rate) + 0.02)


def candidates(test: RangeTest) -> tuple[float, ...]:
    """CANDIDATES (10) neighbouring lattice rates, ascending; the largest is the last one not above
    the rate at which training breaks, or above the largest rate tested where none broke.
    """
    top = test.breaks if math.isfinite(test.breaks) else float(test.rates[-1])
    return lattice(place(top) - CANDIDATES + 1, CANDIDATES)


@dataclass(frozen=True)
class RateTrial:
    """How a run at a constant rate ended."""

    rate: float
    status: str
    train_loss: float
    val_loss: float

    def loss(self, by: str) -> float:
        """The loss that is compared, `by` train_loss or val_loss; infinite for a run that broke
        down.
        """
        value = self.train_loss if by == "train_loss" else self.val_loss
        return value if self.status == "finished" and math.isfinite(value) else math.inf


def best_trial(trials: Sequence[RateTrial], by: str) -> RateTrial | None:
    """The run with the smallest final loss, the smaller rate among equals; None where all broke
    down.
    """
    sound = [trial for trial in trials if math.isfinite(trial.loss(by))]
    return min(sound, key=lambda trial: (trial.loss(by), trial.rate), default=None)


def beyond(trials: Sequence[RateTrial], by: str) -> tuple[float, ...]:
    """The next decade of lattice rates (ascending, within 1e-8 to 1e3) below the smallest tried
    rate where that one is the best or all broke down, above the largest where that one is the best;
    else ().

    By the validation loss below too where the smallest rate ends with a training loss below either
    loss of the best run. Validation losses have a second valley at rates so large that nothing is
    learned by heart; where training is too slow, they are hardly smaller than the training loss,
    which grows as rates fall.
    """
    rates, best = sorted(trial.rate for trial in trials), best_trial(trials, by)
    slowest = min(trials, key=lambda trial: trial.rate)
    if (
        best is None
        or best.rate == rates[0]
        or (by == "val_loss" and slowest.loss("train_loss") < max(best.train_loss, best.val_loss))
    ):
        more = lattice(place(rates[0]) - PER_DECADE, PER_DECADE)
    elif best.rate == rates[-1]:
        more = lattice(place(rates[-1]) + 1, PER_DECADE)
    else:
        return ()
    return tuple(rate for rate in more if LOWEST <= rate <= HIGHEST)


def reason(trials: Sequence[RateTrial], best: RateTrial, by: str) -> str:
    """Why this rate, in a sentence."""
    below = max((t for t in trials if t.rate < best.rate), key=lambda t: t.rate, default=None)
    above = min((t for t in trials if t.rate > best.rate), key=lambda t: t.rate, default=None)
    sides = [
        f"{_ended(trial, by)} at {trial.rate:g}" for trial in (below, above) if trial is not None
    ]
    what = {"train_loss": "training loss", "val_loss": "validation loss"}[by]
    return (
        f"of {counted(len(trials), 'run')} of the whole length it ends with the smallest "
        f"{what}, {best.loss(by):.3g}; "
    ) + " and ".join(sides)


def _ended(trial: RateTrial, by: str) -> str:
    return f"{trial.loss(by):.3g}" if math.isfinite(trial.loss(by)) else trial.status


def learned(trials: Sequence[RateTrial], test: RangeTest) -> tuple[RateTrial, ...]:
    """The runs that ended with a training loss below LEARNED of the loss that the range test
    began with.
    """
    start = float(np.mean(test.losses[: max(1, len(test.losses) // 10)]))
    return tuple(trial for trial in trials if trial.loss("train_loss") < LEARNED * start)


def quick_rate(test: RangeTest) -> tuple[float, str]:
    """(rate, reason) from the range test alone: GUESS (0.05) of the rate that breaks training, or
    of the one with the smallest loss where nothing broke, to two digits.
    """
    broke = math.isfinite(test.breaks)
    end, what = (
        (test.breaks, "training breaks down") if broke else (test.lowest, "the loss was smallest")
    )
    return (
        float(f"{GUESS * end:.2g}"),
        (
            f"{GUESS:g} times {end:.2g}, where {what}; a rough guess that may be off by a factor "
            "of ten, as no run was made with it"
        ),
    )
