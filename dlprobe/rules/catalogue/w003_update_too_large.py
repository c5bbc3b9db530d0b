"""Updates are as large as the weights themselves.

What it looks for: layers whose update ratio ‖ΔW‖/‖W‖ stays above the threshold for a stretch of
steps, in a run that did not learn.

Why it hurts: a step as large as the weights is no descent: the gradient was taken somewhere else.
The net forgets, units die, the loss jumps.

How it is measured: the median of update_ratio per layer over each tenth of the first hundred
recorded rows, and over the whole of training; the largest of them. Layers whose weights start at 0
or almost so (below a tenth of what the fan_in asks for) are left out, because any step is large for
them.

When it stays silent: a run that learned well is not accused: large first steps are common where
weights start small.

What to try: a learning rate ten times smaller; warming up; clipping; scaled inputs and targets.

References: Karpathy 2015, CS231n notes (updates of about 1e-3 of the weights); Goh 2017; You,
    Gitman & Ginsburg 2017.
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence, Floats
from dlprobe.rules.outcome import Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.suspects import calming

EARLY = 100
STRETCH = 10


def check(evidence: Evidence, settings: Settings) -> Outcome:
    early = evidence.rows("update_ratio", 0, EARLY)
    typical = evidence.typical("update_ratio")
    if evidence.require_time().well:
        return Passed()
    stretches = [
        _medians(early[start : start + STRETCH])
        for start in range(0, len(early) - STRETCH + 1, STRETCH)
    ] or [typical]
    level = np.nan_to_num(np.fmax(np.fmax.reduce(stretches), typical))
    level[_tiny(evidence)] = 0.0
    worst = int(np.argmax(level))
    if level[worst] <= settings["ratio"]:
        return Passed()
    names = tuple(evidence.names[index] for index in np.flatnonzero(level > settings["ratio"]))
    evident = (
        f"update_ratio of {evidence.names[worst]} has a median of {level[worst]:.2g} over "
        f"{STRETCH} early recorded steps, or over all"
    )
    return one_finding(
        float(level[worst]),
        settings["ratio"],
        evident,
        names,
        evidence.span,
        remedies(evidence, *calming(evidence), "clip"),
    )


def _medians(rows: Floats) -> Floats:
    if not np.isnan(rows).any():
        return np.asarray(np.median(rows, axis=0))
    with np.errstate(all="ignore"):
        return np.array(
            [
                np.median(kept) if len(kept := column[~np.isnan(column)]) else np.nan
                for column in rows.T
            ]
        )


def _tiny(evidence: Evidence) -> list[int]:
    """Layers whose weights start so small that every step is large for them."""
    rms = evidence.row("weight_rms", 0)
    fan_in = np.asarray(evidence.layer_column("fan_in"), np.float64)
    return [index for index in range(len(rms)) if rms[index] * np.sqrt(fan_in[index]) < 0.3]


register(
    "W003",
    "update_too_large",
    "warning",
    __doc__,
    check,
    needs=("update_ratio", "weight_rms", "train_loss"),
    thresholds=[
        Threshold(
            "ratio",
            0.2,
            "update ratio that lasts for a stretch",
            low=0.0,
            origin="choice: 200 times the 1e-3 of the literature",
        )
    ],
    brings_about="A001 A002 A004 G004 W005 L002 L003 L001 N001 B001 L009 L010",
)
