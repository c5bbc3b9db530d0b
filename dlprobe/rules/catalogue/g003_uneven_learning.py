"""Layers learn at rates that differ by orders of magnitude.

What it looks for: hidden layers whose update ratio ‖ΔW‖/‖W‖, over training, differs from another's
by more than the given factor.

Why it hurts: while one layer moves, the other stands still. What is learned is what the moving
layers can make of the features of the standing ones.

How it is measured: the median over the recorded steps of update_ratio per layer, layers whose
weights start at 0 left out; the largest over the smallest. Adam sizes every weight's step by
itself, so there the ratio says more about the sizes of the weights than about gradients.

When it stays silent: a run that learned well is not accused, nor is one that stood still altogether
(that is W004 and L001).

What to try: an initializer that gives all layers the same scale; an optimizer with a rate of its
own per weight; a normalization.

References: You, Gitman & Ginsburg 2017, Large batch training of convolutional networks (LARS: the
    trust ratio per layer); Karpathy 2015, CS231n notes.
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register


def check(evidence: Evidence, settings: Settings) -> Outcome:
    if evidence.require_time().well:
        return Passed()
    typical = evidence.typical("update_ratio")
    usable = np.flatnonzero(np.isfinite(typical) & (typical > 0))
    if len(usable) < 2:
        raise NotEvaluableError("update_ratio is not defined or zero in all layers but one")
    order = usable[np.argsort(typical[usable])]
    slow, fast = int(order[0]), int(order[-1])
    spread = float(typical[fast] / typical[slow])
    if spread <= settings["spread"]:
        return Passed()
    names = evidence.names
    evident = (
        f"the median update_ratio is {typical[fast]:.2g} in {names[fast]} and {typical[slow]:.2g} "
        f"in {names[slow]}, {spread:.3g} times less"
    )
    return one_finding(
        spread,
        settings["spread"],
        evident,
        (names[slow], names[fast]),
        evidence.span,
        remedies(evidence, "usual_optimizer", "init"),
    )


register(
    "G003",
    "uneven_learning",
    "info",
    __doc__,
    check,
    needs=("update_ratio", "train_loss"),
    thresholds=[
        Threshold(
            "spread",
            100.0,
            "largest median update ratio over the smallest",
            low=1.0,
            origin="choice: two orders of magnitude",
        )
    ],
)
