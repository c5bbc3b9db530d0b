"""What to do about a textbook reading, in plain words, with the numbers behind each piece of
advice.

Two errors alone say which gap to close. A run says more: whether it learned anything, whether the
training loss was still falling, what held it back, whether the validation loss had turned, and how
many parameters stand against how many samples. Each sentence is said only where its numbers are.
"""

from __future__ import annotations

import math

import numpy as np

from dlprobe.analysis.bias_variance.direction import TURNED, Direction, late_fall
from dlprobe.analysis.bias_variance.textbook_reading import THRESHOLD, Reading
from dlprobe.analysis.learning.learned import Learning
from dlprobe.dataclass import dataclass
from dlprobe.record.sizes import percent, percent_number
from dlprobe.registry import counted

NOTHING = 0.1  # skill on the training part below which a net has learned nothing to speak of
# share of the training loss that went in the second half of training: it was not done
FALLING = 0.1
STANDING = 0.03
# parameters per training sample from which a net can be expected to memorise, and samples per
# parameter from which not
ENOUGH = 10
LARGER = 2.0  # times the other gap: the part beside which the other one does not matter
UNTOLD = (
    "whether more capacity or more data helps cannot be told from this run: --replicas 20 "
    "decomposes its loss, --human-error X names a reference"
)


@dataclass(frozen=True)
class About:
    """What a run says beside its two errors. parameters: 0 where they are not known; held_back:
    options that keep it from fitting, as typed (`dropout 0.5`).

    label_noise: share of the training labels that were replaced. reference_known: whether anybody
        said, or the data tell, which error is left to the best.
    direction: the one of the run; None: that of its gaps.
    """

    learned: Learning
    parameters: int
    train_samples: int
    held_back: tuple[str, ...] = ()
    label_noise: float = 0.0
    stops_early: bool = False
    reference_known: bool = True
    direction: Direction | None = None


def strategy(reading: Reading, about: About | None = None) -> list[str]:
    """What to do next, most urgent first."""
    if about is not None and learned_nothing(about.learned):
        return [_nothing(reading, about.learned)]
    way = (about.direction if about and about.direction else of_gaps(reading)).way
    if way == "more capacity":
        lines = _about_bias(reading, about) + (
            _about_variance(reading, about, later=True) if reading.variance == "high" else []
        )
    elif way == "more data or regularization":
        lines = _about_variance(reading, about) + (
            _about_bias(reading, about, later=True) if reading.bias == "high" else []
        )
    else:
        lines = _about_neither(reading) if way == "fine" else [UNTOLD]
    return [
        *lines,
        *(_stop_early(about) if about else []),
        *_odd_gaps(reading, about),
        *_doubt(reading),
    ]


def of_gaps(reading: Reading) -> Direction:
    """The direction of two errors and a reference: the larger gap that counts, the bias of equal
    ones. Without a reference only a variance gap that is as large as the training error leads.
    """
    gaps = (
        f"the gaps are {points(reading.bias_gap)} "
        f"(bias{', at most' if reading.human_error is None else ''}) and "
        f"{points(reading.variance_gap)} (variance)"
    )
    if reading.bias == "high" and not (
        reading.variance == "high" and reading.variance_gap > reading.bias_gap
    ):
        return Direction("more capacity", gaps)
    if reading.variance == "high" and (
        reading.bias != "unknown" or reading.variance_gap >= reading.bias_gap
    ):
        return Direction("more data or regularization", gaps)
    if "unknown" in (reading.bias, reading.variance):
        return Direction("cannot be told", f"{gaps}; --human-error X says which counts")
    return Direction("fine", gaps)


def learned_nothing(learned: Learning) -> bool:
    """Whether the skill on the training part ends below NOTHING (0.1) of its ceiling."""
    last = float(learned.skill[-1])
    return math.isfinite(last) and last < NOTHING * learned.ceiling


def _nothing(reading: Reading, learned: Learning) -> str:
    constant = (
        "1 − R² of naming the mean is 100 %"
        if learned.task == "regression"
        else f"always naming the commonest class makes {percent(learned.chance)}"
    )
    return (
        "the net has learned next to nothing: its training error is "
        f"{percent(reading.train_error)}, {constant}. That is neither bias nor variance but "
        "training that does not work: dlprobe check says what stands in its way (learning "
        "rate, initialization, scaling of inputs and targets, too few steps)"
    )


def _about_bias(reading: Reading, about: About | None, later: bool = False) -> list[str]:
    line = (
        f"high bias: the training error, {percent(reading.train_error)}, is "
        f"{points(reading.bias_gap)} above the reference"
    )
    if reading.human_error is None:
        line = (
            f"the training error is {percent(reading.train_error)}: so much is bias at most "
            "(--human-error X says how much)"
        )
    if later:
        return [f"{line}: the smaller part, so see to the variance first"]
    if about is None:
        said = [
            f"{line}; a bigger net (more units or layers), longer training, less penalty and "
            "dropout, better features"
        ]
    elif _is_noise(reading, about):
        return [
            f"{line}, but {percent(about.label_noise)} of the training labels were replaced "
            "(--label-noise): so much error is no bias; to fit it is variance"
        ]
    else:
        said = [
            line,
            *_unknown_reference(about),
            *(_let_go(about) or [*_train_longer(about.learned), *_grow(about)]),
        ]
    if reading.bias_gap >= LARGER * reading.variance_gap:
        said.append("bias first: more data will not help while the net does not fit what it has")
    return said


def _is_noise(reading: Reading, about: About) -> bool:
    return about.learned.task != "regression" and reading.bias_gap <= about.label_noise


def _unknown_reference(about: About) -> list[str]:
    if about.reference_known or about.learned.task != "regression":
        return []
    return [
        "the reference of 0 supposes targets without noise: --human-error X with 1 − R² of "
        "the best model known says how much of it is bias; "
        "--replicas 20 --noise-variance estimate finds out"
    ]


def _let_go(about: About) -> list[str]:
    if about.held_back:
        return [f"first take back what keeps it from fitting: {', '.join(about.held_back)}"]
    return []


def _train_longer(learned: Learning) -> list[str]:
    fell = late_fall(learned)
    if learned.brief:
        return [f"train longer: it has made {counted(learned.updates, 'update')} only"]
    if turned(learned):
        return []
    if fell >= FALLING:
        return [
            "train longer: in the second half of training the training loss still fell by "
            f"{100 * fell:.0f} %, to {learned.loss[-1]:.3g}"
        ]
    if fell <= -STANDING:
        return [
            "a smaller learning rate, or a schedule: the training loss rose by "
            f"{-100 * fell:.0f} % in the second half of training"
        ]
    if fell < STANDING:
        return [
            "longer training alone will not do: the training loss moved by "
            f"{100 * abs(fell):.1f} % in the second half"
        ]
    return []


def turned(learned: Learning) -> bool:
    """Whether the validation loss ends at TURNED (1.1) times its minimum or more, while the
    training loss is lower than it was at that minimum.
    """
    if not np.isfinite(learned.val_loss).any():
        return False
    return learned.val_rise >= TURNED and bool(learned.loss[-1] < learned.loss[learned.best_val])


def _grow(about: About) -> list[str]:
    size = f"{about.parameters:,} parameters for {about.train_samples:,} training samples"
    fell = late_fall(about.learned)
    if about.learned.brief:
        return []
    if about.parameters < ENOUGH * about.train_samples:
        advice = f": it has {size}" if about.parameters else ""
        return [
            f"{'when it stands still, ' if fell >= FALLING else ''}a bigger net (more units "
            f"or layers){advice}"
        ]
    noise = "the targets are noisy" if about.learned.task == "regression" else "the classes overlap"
    missing = (
        f"size is not what is missing ({size}): another learning rate or optimizer, better "
        f"features; or {noise}, then --human-error says by how much"
    )
    return [] if fell >= FALLING else [missing]


def _about_variance(reading: Reading, about: About | None, later: bool = False) -> list[str]:
    high = "high variance: " if reading.variance == "high" else ""
    line = (
        f"{high}the validation error, {percent(reading.val_error)}, is "
        f"{points(reading.variance_gap)} above the training error"
    )
    if later:
        return [f"{line}: look at it again when the net fits; its cures now would raise the bias"]
    smaller = ", a smaller net" if reading.bias == "low" else ""
    if about is None:
        return [f"{line}; more data, a penalty or dropout, early stopping{smaller}"]
    size = f"{about.parameters:,} parameters for {about.train_samples:,} training samples"
    if 0 < about.parameters * ENOUGH < about.train_samples:
        return [
            line,
            (
                f"it has only {size}, too few to learn them by heart: rather chance, or a "
                "validation part that differs from the training part"
            ),
        ]
    more = (
        f"stronger than {', '.join(about.held_back)}"
        if about.held_back
        else "of which it has none: --dropout 0.3 or --l2 1e-4"
    )
    less = " or a smaller net" if smaller and about.parameters > about.train_samples else ""
    said = [
        line,
        f"more data{less}{f': it has {size}' if about.parameters else ''}",
        f"regularization, {more}; --over dropout or --over l2 tries several values",
    ]
    if about.learned.task != "regression" and reading.train_error < 0.5 * about.label_noise:
        said.append(
            f"cleaner labels: {percent(about.label_noise)} of those of the training part were "
            "replaced (--label-noise), and the net has learned them by heart"
        )
    return said


def _stop_early(about: About) -> list[str]:
    learned = about.learned
    if about.stops_early or not turned(learned):
        return []
    best = learned.best_val
    low, last = float(learned.val_loss[best]), float(learned.val_loss[-1])
    return [
        f"stop early: the validation loss was smallest, {low:.3g}, after "
        f"{counted(learned.steps[best], 'update')} and ends at {last:.3g}: --early-stopping yes"
    ]


def _about_neither(reading: Reading) -> list[str]:
    if reading.bias_gap < -THRESHOLD:
        return []
    gaps = f"{points(reading.bias_gap)} and {points(reading.variance_gap)}"
    return [
        f"both gaps are small ({gaps}): what is left is near the reference error; going below "
        "it takes better features or labels"
    ]


def _odd_gaps(reading: Reading, about: About | None) -> list[str]:
    """Gaps of the wrong sign, where they are more than sampling error."""
    said = []
    if reading.bias_gap < -THRESHOLD:
        said.append(
            f"the training error is {points(-reading.bias_gap)} below the reference: the "
            "reference is not the best that can be reached"
        )
    chance = reading.train_error <= reading.intervals.get("val_error", (0.0, 0.0))[1]
    if (
        reading.variance_gap < -THRESHOLD
        and not chance
        and not (about and _is_noise(reading, about))
    ):
        causes = (
            "the split left the training part the harder samples (try another --data-seed), or "
            "its labels are noisier"
        )
        cause = causes if "val_error" in reading.intervals else f"by chance, or {causes}"
        said.append(
            f"the validation error is {points(-reading.variance_gap)} below the training "
            f"error: {cause}"
        )
    return said


def _doubt(reading: Reading) -> list[str]:
    if not reading.doubtful:
        return []
    return [
        f"the sampling error could turn the verdict on {' and '.join(reading.doubtful)} "
        "round: evaluate on more samples before acting on it"
    ]


def points(gap: float) -> str:
    return f"{percent_number(gap)} points"
