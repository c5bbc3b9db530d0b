"""How well a run learned: its evaluations on one scale, on which 0 is the best constant answer
and 1 a perfect one.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass

Floats: TypeAlias = npt.NDArray[np.float64]
Steps: TypeAlias = npt.NDArray[np.int64]

WELL = 0.8  # skill on the training part
WELL_NEW = 0.7  # skill on the validation part, where there is one
# share of the reachable skill, where rows or another run on the same data say what is reachable
OF_KNOWN = 0.9
# times less squared error by an affine change of the outputs: then the residual is not what the
# data leave
CORRECTABLE = 10.0
# error on new samples above that on the training part from which a net has learned its samples more
# than what they have in common
GAP = 0.1
NOTHING = 0.1  # skill below which nothing was learned
# skill that, reached twice, had been learned; below it a net has not learned most of its training
# part
HALF = 0.5
MOVED = 0.01  # share of the loss that went: training did something
SOMETHING = 0.25  # skill on the training part from which a net learned something of it
LOST = 0.5  # share of it that is left where it was lost
FEW = 100  # updates after which a run is judged by its result


@dataclass(frozen=True)
class Learning:
    """The evaluations of a run, each (evaluation,), NaN where there is none.

    evaluated: False of a run without evaluations: then `loss` has the medians of its batch_loss
        over a few windows of its recorded rows, from the first to the last, and `steps` the
        middle of each.
    steps: updates made before each. loss, val_loss; error, val_error: share of wrong classes, or
        root mean square error. skill, val_skill:
    1 − error/chance, chance being the error of always naming the part's commonest class; for
    regression R². `ceiling` is the largest R² that the noise which the maker of the data states
    leaves, else 1: for the textbook reading, which asks for a reference. `chance` is that error
    (classification) on the training part, NaN for regression. `guessing` is the training error of
    the best constant answer for both tasks, in the unit of `error`; NaN where it is not known.
    needed: updates below which the run is too short to be judged by its result.
    reachable, val_reachable: the largest skill that rows which repeat, label noise that was asked
        for, or the best run on the same data allow, else 1;
    known: whether rows or another run say so. guessing_loss, val_guessing_loss: loss of the best
        constant answer. correctable: how many times an affine change of the outputs lowers the
        squared error. All NaN where they are not known. val_samples: rows of the validation part, 0
        where there is none. of_batches: `loss` has the mean batch_loss since the evaluation
        before, for a training part that was not evaluated. plain: skill on it of kernel ridge
        regression, NaN where that was not asked.
    """

    task: str
    steps: Steps
    loss: Floats
    val_loss: Floats
    error: Floats
    val_error: Floats
    skill: Floats
    val_skill: Floats
    chance: float
    ceiling: float
    updates: int
    guessing: float = math.nan
    needed: int = FEW
    evaluated: bool = True
    reachable: float = 1.0
    val_reachable: float = 1.0
    known: bool = False
    guessing_loss: float = math.nan
    val_guessing_loss: float = math.nan
    correctable: float = math.nan
    val_samples: int = 0
    plain: float = math.nan
    of_batches: bool = False

    @property
    def skill_name(self) -> str:
        """What `skill` is."""
        return "R²" if self.task == "regression" else "1 − error/chance"

    @property
    def loss_name(self) -> str:
        """What `loss` is, as evidence names it."""
        if self.of_batches:
            return "the mean batch_loss between evaluations"
        if self.evaluated:
            return "train_loss"
        return (
            f"the windowed median of batch_loss ({len(self.loss)} windows; the run has no "
            "evaluations)"
        )

    @property
    def moments_name(self) -> str:
        """What the entries of `loss` are."""
        return "evaluations" if self.evaluated else "windows of batch_loss"

    @property
    def moment_name(self) -> str:
        """What one entry of `loss` is."""
        return "evaluation" if self.evaluated else "window of batch_loss"

    @property
    def reached(self) -> float:
        """Skill on the training part at the end, as a share of what is reachable; −∞ where it is
        not a number.

        Where no error was ever evaluated, the share of the training loss that is gone stands in: a
        run of which only losses are known. Of a loss that does not begin above 0 there is no such
        share.
        """
        known = np.isfinite(self.skill).any()
        if not known and not self.loss[0] > 0.0:
            return -math.inf
        last = (
            float(self.skill[-1]) / self.reachable
            if known
            else 1.0 - float(self.loss[-1]) / float(self.loss[0])
        )
        return last if math.isfinite(last) else -math.inf

    @property
    def validated(self) -> bool:
        """Whether there are errors of a validation part at the end."""
        return math.isfinite(self.val_skill[-1])

    @property
    def judged(self) -> Floats:
        """Skill as a share of what is reachable, on the validation part where there is one,
        else on the training part, (evaluation,).
        """
        return (
            self.val_skill / self.val_reachable if self.validated else self.skill / self.reachable
        )

    @property
    def doubt(self) -> float:
        """Standard error of the last of `judged`: what its validation samples leave open; 0
        where that is not known.
        """
        if not self.validated or self.task == "regression" or not self.val_samples:
            return 0.0
        error = min(max(float(self.val_error[-1]), 0.0), 1.0)
        chance = error / (1.0 - float(self.val_skill[-1])) if self.val_skill[-1] < 1.0 else math.inf
        if chance > 0.0:
            return math.sqrt(error * (1.0 - error) / self.val_samples) / chance / self.val_reachable
        return 0.0

    @property
    def best(self) -> float:
        """Second largest entry of `judged` after the first update, so that one lucky evaluation
        does not count; −∞ for fewer than two.
        """
        later = np.sort(self.judged[self.steps > 0])
        later = later[np.isfinite(later)]
        return float(later[-2]) if len(later) > 1 else -math.inf

    @property
    def well(self) -> bool:
        """Whether the run learned well: most of what there was to learn, on its training part and
        on its validation part where there is one, by error and by loss; or, where data do not allow
        that much, as well as a plain method does on the same samples.
        """
        if self.as_plain:
            return not self.flaw
        enough = OF_KNOWN if self.known else WELL
        judged = (
            float(self.judged[-1])
            if self.validated and math.isfinite(self.reached)
            else self.reached
        )
        return max(self.reached, judged) >= enough and not self.shortfall

    @property
    def as_plain(self) -> bool:
        """Whether new samples are answered as well as by kernel ridge regression, which learned
        something: then nothing says that the data allow more, unless their rows do, or the training
        part is known by heart.
        """
        enough = float(self.val_skill[-1]) >= OF_KNOWN * self.plain
        return enough and self.plain >= NOTHING and not (self.known or self.memorised)

    @property
    def plain_error(self) -> float:
        """Error of kernel ridge regression on the validation part; NaN where it is not known."""
        ratio = (1.0 - self.plain) / (1.0 - float(self.val_skill[-1]))
        return float(self.val_error[-1]) * (
            math.sqrt(ratio) if self.task == "regression" else ratio
        )

    @property
    def shortfall(self) -> str:
        """What a run whose training error is small enough still lacks, in words; empty where it
        lacks nothing.
        """
        new = float(self.val_skill[-1]) / self.val_reachable
        if new < (OF_KNOWN if self.known else WELL_NEW) - self.doubt * self.known:
            return (
                f"on new samples it has come {max(new, 0.0):.0%} of the way from guessing to "
                "the best"
            )
        if self.memorised:
            return "it makes far more errors on new samples"
        return self.flaw

    @property
    def flaw(self) -> str:
        """What speaks against the run however good its skill is, in words; empty for nothing."""
        if self.overconfident > 1.0:
            return (
                f"but its loss is {self.overconfident:.3g} times that of guessing: its "
                "probabilities are wrong"
            )
        if self.correctable > CORRECTABLE:
            return (
                "but another scale and offset of its outputs alone would leave a "
                f"{self.correctable:.2g}th of the squared error or less"
            )
        part = next(
            (
                part
                for part, loss in (("training", self.loss), ("validation", self.val_loss))
                if loss[-1] > loss[0]
            ),
            "",
        )
        if part and math.isnan(self.overconfident) and self.steps[0] == 0:
            loss = self.loss if part == "training" else self.val_loss
            return (
                f"but the {part} loss, {loss[-1]:.3g}, is above the {loss[0]:.3g} before training"
            )
        return ""

    @property
    def gap(self) -> tuple[float, float]:
        """Error on the validation part above that on the training part, and its standard error;
        NaN where one is not known, or for a regression.
        """
        if self.task == "regression" or not self.val_samples:
            return math.nan, math.nan
        error = float(self.val_error[-1])
        return error - float(self.error[-1]), math.sqrt(
            max(error * (1.0 - error), 0.0) / self.val_samples
        )

    @property
    def memorised(self) -> bool:
        """Whether the error on new samples is above that on the training part by GAP or more,
        and by more than twice its standard error.
        """
        gap, spread = self.gap
        return gap >= GAP and gap > 2.0 * spread

    @property
    def overconfident(self) -> float:
        """The last loss over that of the best constant answer (above 1: worse than guessing), on
        the validation part where there is one, else on the training part; NaN where it is not
        known.
        """
        if math.isfinite(self.val_loss[-1]) and self.val_guessing_loss > 0.0:
            return float(self.val_loss[-1]) / self.val_guessing_loss
        if self.guessing_loss > 0.0 and not self.validated:
            return float(self.loss[-1]) / self.guessing_loss
        return math.nan

    @property
    def untrained(self) -> float:
        """`judged` before the first update, at least 0: skill by the luck of the initial weights; 0
        where step 0 was not evaluated.
        """
        first = float(self.judged[0])
        return max(first, 0.0) if self.steps[0] == 0 and math.isfinite(first) else 0.0

    def something(self, least: float = NOTHING) -> bool:
        """Whether `judged` ends at `least` (0.1) or more, and training made a difference: `judged`
        rose or the training loss fell by a share of `least`; or `judged` ends at 0.25 or more and
        the loss fell by 1 %.
        """
        end = float(self.judged[-1])
        fell = 1.0 - float(self.loss[-1]) / float(self.loss[0]) if self.loss[0] > 0.0 else 0.0
        return end >= least and (
            end - self.untrained >= least or fell >= least or (end >= SOMETHING and fell >= MOVED)
        )

    @property
    def lost(self) -> bool:
        """Whether it had learned, and ends with less than LOST of that, by more than chance
        among its validation samples.
        """
        end = float(self.judged[-1])
        return self.best >= HALF and end < LOST * self.best and self.best - end > 3.0 * self.doubt

    @property
    def best_val(self) -> int:
        """Index of the evaluation with the smallest validation loss. Raises ValueError where
        there is none.
        """
        return int(np.nanargmin(self.val_loss))

    @property
    def val_rise(self) -> float:
        """The last validation loss over the smallest one, 1 or more: 1 where both are 0, infinite
        where only the smallest is. Raises ValueError where there is none.
        """
        lowest, last = float(self.val_loss[self.best_val]), float(self.val_loss[-1])
        if lowest == 0.0:
            return math.inf if last > 0.0 else 1.0
        return last / lowest

    @property
    def last_finite(self) -> int:
        """The last evaluation with a finite training loss (in a net of NaN every unit looks
        dead); −1, the last one, where there is none.
        """
        usable = np.flatnonzero(np.isfinite(self.loss))
        return int(usable[-1]) if len(usable) else -1

    @property
    def late(self) -> Floats:
        """Finite training losses of the second half of the evaluations, (evaluation,)."""
        half = self.loss[len(self.loss) // 2 :]
        return half[np.isfinite(half)]

    @property
    def swing(self) -> tuple[float, float]:
        """(mean |change| between successive `late` losses over their mean, share of changes
        upwards); both NaN for fewer than two.
        """
        late = self.late
        if len(late) < 2:
            return math.nan, math.nan
        changes = np.diff(late)
        return float(np.abs(changes).mean() / late.mean()), float(np.mean(changes > 0))

    @property
    def brief(self) -> bool:
        """Whether fewer updates were made than `needed`."""
        return self.updates < self.needed
