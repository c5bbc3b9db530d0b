"""Classes are right, probabilities are far off.

What it looks for: a net that names most classes right and whose loss on new samples is above that
of always answering with the class shares.

Why it hurts: what the loss asks for has not been learned. Where the net is wrong, it is wrong with
certainty: thresholds, rankings and everything that reckons with its probabilities mean nothing.

How it is measured: val_loss at the end (train_loss where there is no validation part) over the loss
of the class shares, which cross-entropy and the squared error have in closed form. Info above 1, a
warning from the second threshold on.

When it stays silent: other losses have no such value, so they are not evaluated; nor are
regressions. A net that does not name the classes right has another illness.

What to try: smaller initial weights where the first loss was as large already; early stopping where
the loss rose late; a penalty.

References: Guo et al. 2017, On calibration of modern neural networks; Karpathy 2019, A recipe for
training neural networks ("verify loss @ init").
"""

from __future__ import annotations

import math

from dlprobe.analysis.learning.learned import WELL, WELL_NEW
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register


def check(evidence: Evidence, settings: Settings) -> Outcome:
    learned = evidence.require_evaluations()
    times = learned.overconfident
    if math.isnan(times):
        raise NotEvaluableError(
            "the loss has no known value for guessing, or losses were not evaluated"
        )
    right = learned.reached >= WELL and not (learned.validated and learned.val_skill[-1] < WELL_NEW)
    if not right or times <= 1.0:
        return Passed()
    first = (
        float(learned.val_loss[0]) / learned.val_guessing_loss
        if learned.validated
        else float(learned.loss[0]) / learned.guessing_loss
    )
    at_first = learned.steps[0] == 0 and first > times
    what = "val_loss" if learned.validated else "train_loss"
    evident = f"{what} ends at {times:.3g} times that of answering with the class shares" + (
        f"; it began at {first:.3g} times" if learned.steps[0] == 0 else ""
    )
    cure = remedies(
        evidence,
        *(("init", "batch_norm") if at_first else ("early_stopping", "weight_penalty", "dropout")),
    )
    severity = "warning" if times > settings["times"] else "info"
    return one_finding(
        times,
        settings["times"],
        evident,
        steps=(int(learned.steps[-1]),),
        remedies=cure,
        severity=severity,
    )


register(
    "L007",
    "overconfident",
    "info",
    __doc__,
    check,
    needs=("val_loss", "train_loss", "train_class_counts", "val_class_counts"),
    thresholds=[
        Threshold(
            "times",
            2.0,
            "loss over that of guessing from which it is a warning",
            low=1.0,
            origin="choice: as in the outcome of the benchmark",
        )
    ],
)
