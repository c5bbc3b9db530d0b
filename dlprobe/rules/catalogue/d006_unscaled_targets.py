"""The targets that the net is trained on are far from unit size.

What it looks for: targets of a regression, as they are trained, that are far larger than what a net
gives at first, far smaller, or whose mean is many times their deviation.

Why it hurts: an untrained net's outputs are of some 1. Prices of 300,000 are 300,000 away: descent
takes a gradient as large and leaves the range, Adam takes steps of its rate and needs hundreds of
thousands of them. Targets of 1,000 ± 1 take all steps for the 1,000. Targets of 1e-5 are nothing
beside the noise of the outputs.

How it is measured: mean and standard deviation of the training targets, pushed through the stored
target scaler. Compared are their root mean square, their deviation, and |mean| over deviation; of
several targets, the one that is furthest off.

When it stays silent: scaled targets always pass; classes are not evaluated. A run that learned
well, or was too short to tell, gets an info, and so does one that learned most of its training part
and whose outputs another scale and offset would not make better: it got over the size of its
targets.

What to try: target-scaling standardize, which trains on scaled targets and reports everything in
their own units.

References: LeCun et al. 1998, Efficient backprop, §4.5; Bishop 1995, §8.2; He et al. 2015 for
outputs of unit size.
"""

from __future__ import annotations

from dlprobe.analysis.learning.learned import HALF
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.scale import TARGETS, targets_off

STILL = 2.0  # times less squared error by another scale and offset of the outputs


def check(evidence: Evidence, settings: Settings) -> Outcome:
    off = targets_off(evidence, {name: float(settings[name]) for name in TARGETS})
    if not off:
        return Passed()
    worst = off[-1] if off[-1].name == "offset" else off[0]
    severity = "" if hinders(evidence) else "info"
    return one_finding(
        worst.number,
        worst.limit,
        worst.told,
        remedies=remedies(evidence, "both_scales", "target_scaling"),
        severity=severity,
    )


def hinders(evidence: Evidence) -> bool:
    """Whether the run ends below half of the reachable skill on its training part, or with outputs
    that are off by scale and offset; False for a run that is `spared`.
    """
    learned = evidence.learning
    return not evidence.spared and (learned.reached < HALF or learned.correctable > STILL)


register(
    "D006",
    "unscaled_targets",
    "warning",
    __doc__,
    check,
    needs=("target_mean", "target_std", "task", "train_loss"),
    thresholds=[
        Threshold(
            "size",
            10.0,
            "root mean square of the targets",
            low=1.0,
            origin="He weights give outputs of some 1: a first loss of 100 times that",
        ),
        Threshold(
            "small",
            0.01,
            "deviation of the targets",
            low=0.0,
            origin="outputs of some 1 are then a hundred deviations off",
        ),
        Threshold(
            "offset",
            10.0,
            "|mean| in deviations",
            low=0.0,
            origin="choice: 99 % of the mean square is the mean",
        ),
    ],
    brings_about="L005 L001 L002 L004 L010 N001 G002 A001 W003 W005 L003 B001",
)
