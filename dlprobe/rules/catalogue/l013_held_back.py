"""Options slow the training down, and the training part is not learned.

What it looks for: a run that had time and did not learn its training part, with options each of
which lets it get less far than the usual ones do: brakes. One finding for each.

Why it hurts: the way that weights go in training is the sum of their steps. Ten times fewer,
shorter or less useful steps end it a tenth of the way, wherever that is, and several brakes
multiply.

How it is measured: each brake has a factor from the run's own numbers: usual rate over the run's,
highest rate over the mean of the schedule, size of the batches over 32, 10 for descent without
momentum, what clipping leaves of the gradient, the size of the inputs, what an activation passes
on, 32 over the units of the narrowest layer, units over those that dropout leaves, hidden layers
over 3 (2 for one), what residual layers without normalization and the scale of the first weights
make of the signal. The factors of all brakes are multiplied.

When it stays silent: a run that learned well, diverged, lost what it had, or learned its training
part; brakes whose product, without the 2 for one layer, is below the threshold; a regression that
explains half of its targets, where nobody knows their noise. A run without a configuration is not
evaluated.

What to try: release them, all together first: one alone is often not enough.

References: LeCun et al. 1998, Efficient BackProp, §4; Sutskever et al. 2013; Masters & Luschi 2018,
arXiv 1804.07612; the factors' product is our choice (2026).
"""

from __future__ import annotations

import math

from dlprobe.rules.brakes import brakes, suspicion
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding, NotEvaluableError, Outcome, Passed, fired
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.suspects import unlearned


def check(evidence: Evidence, settings: Settings) -> Outcome:
    learned = evidence.require_time()
    evidence.require_evaluations()
    if (
        evidence.well
        or evidence.run.status == "diverged"
        or learned.lost
        or not unlearned(evidence)
    ):
        return Passed()
    if evidence.config is None:
        raise NotEvaluableError("the run's configuration is not known")
    held = brakes(evidence)
    total, limit = math.prod(brake.factor for brake in held), settings["product"]
    if suspicion(held) < limit:
        return Passed()
    together = (
        f"; the {len(held)} brakes of this run make {total:.2g} together" if len(held) > 1 else ""
    )
    findings = [
        Finding(
            brake.factor,
            limit,
            f"{brake.told}: a factor of {brake.factor:.2g}{together if brake is held[0] else ''}",
            steps=evidence.span,
            remedies=remedies(evidence, brake.remedy),
        )
        for brake in held
    ]
    return fired(*[finding for finding in findings if finding.remedies])


register(
    "L013",
    "held_back",
    "warning",
    __doc__,
    check,
    needs=("train_error", "train_r2", "learning_rate", "config"),
    thresholds=[
        Threshold(
            "product",
            3.0,
            "product of the factors of all brakes",
            low=1.0,
            origin="choice: a third of the usual way",
        )
    ],
    brings_about="L004 W004 L001 B001",
)
