"""The loss stands still above what the rows of the table allow.

What it looks for: a training error that ends well above the one that rows which repeat leave to
everybody, while the loss no longer falls.

Why it hurts: equal inputs with equal targets can be answered without error. A net that stands
elsewhere has settled in a place from which no small step leads on: too few units for the shape that
is asked for, or an unlucky start.

How it is measured: skill on the training part as a share of what its rows allow (see distinct_rows
and train_floor of the run file), below the first threshold; and the fall of the training loss from
the third quarter of the evaluations to the last, as a share of itself, below the second.

When it stays silent: tables whose rows do not repeat do not say what can be reached, so they are
not evaluated; nor are runs below a hundred updates or ten passes, or with fewer than four
evaluations.

What to try: more units, which makes a good start likely; another start.

References: Rumelhart, Hinton & Williams 1986 (XOR and its local minima); Frankle & Carbin 2019, The
lottery ticket hypothesis.
"""

from __future__ import annotations

import numpy as np

from dlprobe.analysis.learning.learned import OF_KNOWN
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register

EVALUATIONS = 4


def check(evidence: Evidence, settings: Settings) -> Outcome:
    learned = evidence.require_time()
    if not learned.known:
        raise NotEvaluableError("rows do not repeat: what can be reached is not known")
    loss = learned.loss[learned.steps > 0]
    if len(loss) < EVALUATIONS:
        raise NotEvaluableError(
            f"too few evaluations: {len(loss)} after the first update, {EVALUATIONS} are needed"
        )
    quarter = max(len(loss) // 4, 1)
    third, last = float(np.mean(loss[-2 * quarter : -quarter])), float(np.mean(loss[-quarter:]))
    fell = 1.0 - last / third if third > 0 else 0.0
    if learned.reached >= settings["reached"] or fell > settings["fall"]:
        return Passed()
    start = learned.steps[learned.steps > 0][-2 * quarter]
    evident = (
        f"from update {start} on train_loss went from {third:.3g} to {last:.3g}; training ends "
        f"{learned.reached:.0%} of the way from guessing to what its rows allow"
    )
    steps = (int(start), int(learned.steps[-1]))
    return one_finding(
        learned.reached,
        settings["reached"],
        evident,
        steps=steps,
        remedies=remedies(evidence, "larger_net", "another_start"),
    )


register(
    "L008",
    "plateau",
    "warning",
    __doc__,
    check,
    needs=("train_loss", "train_error", "train_floor"),
    thresholds=[
        Threshold(
            "reached",
            OF_KNOWN,
            "share of what the rows allow",
            low=0.0,
            high=1.0,
            origin="as learned well: nine tenths",
        ),
        Threshold(
            "fall",
            0.2,
            "fall of the loss over the last half",
            low=0.0,
            high=1.0,
            origin="choice: a loss that decays by e in half of the run falls by .4",
        ),
    ],
    brings_about="B001 L001",
)
