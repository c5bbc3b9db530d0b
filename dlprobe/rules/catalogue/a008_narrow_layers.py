"""Layers are too many and too narrow for what has to pass through them.

What it looks for: a net of several hidden layers whose reciprocal widths add up to much, or one
with a layer narrower than what the output has to tell apart, in a run that did not learn.

Why it hurts: what a narrow layer passes on, forward and backward, is a matter of chance: a few
units are off together, and with every such layer more of what told samples apart is lost. Ten
classes do not go through one number.

How it is measured: Σ 1/units over the hidden layers, to which the variance of the logarithm of a
signal's size is proportional, whatever the initializer.

When it stays silent: a run that learned well is not accused; where weights, bias parameters or a
squashing activation are off, or the error signal of the first step changes by more than chance at
these widths explains, an info; with a single hidden layer it is not evaluated, nor below a
hundred updates or ten passes.

What to try: fewer and wider layers; residual connections, which lead around them.

References: Hanin & Rolnick 2018, How to start training: the effect of initialization and
architecture; Lu, Shin, Su & Karniadakis 2020, Dying ReLU.
"""

from __future__ import annotations

import math

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.suspects import NARROW, is_odd, narrowness, unlearned

DEVIATIONS = 3.0  # standard deviations that chance explains


def check(evidence: Evidence, settings: Settings) -> Outcome:
    hidden = evidence.require_hidden(2)
    total = narrowness(evidence)
    if math.isnan(total):
        raise NotEvaluableError("the file does not say how wide the layers are")
    odd = is_odd(evidence) or _falls_by_more(evidence, hidden, total)
    if evidence.require_time().well or not unlearned(evidence) or total <= settings["sum"]:
        return Passed()
    widths = [int(evidence.layers[index].units or 1) for index in hidden]
    narrowest = min(range(len(widths)), key=widths.__getitem__)
    told = f"the narrowest, {evidence.names[hidden[narrowest]]}, has {widths[narrowest]}"
    evident = f"the reciprocal widths of {len(widths)} hidden layers add up to {total:.2g}; {told}"
    layers = tuple(
        evidence.names[index]
        for index, width in zip(hidden, widths, strict=True)
        if width == min(widths)
    )
    cure = remedies(evidence, "wider", "residual", "shallower")
    return one_finding(
        total, settings["sum"], evident, layers, remedies=cure, severity="info" if odd else ""
    )


def _falls_by_more(evidence: Evidence, hidden: list[int], total: float) -> bool:
    """Whether the mean square of the error signal, in the first recorded step, changes from the
    last hidden layer to the first by more than chance does at these widths: its logarithm, of a
    ReLU net that keeps signals on average, has a mean of −5/2 Σ 1/units and a variance of 5 Σ
    1/units (Hanin & Rolnick 2018, §3; Hanin 2018).
    """
    try:
        sizes = evidence.row("error_signal_rms", 0)[hidden]
    except NotEvaluableError:
        return False
    if not (np.isfinite(sizes[[0, -1]]).all() and (sizes[[0, -1]] > 0).all()):
        return False
    change = 2.0 * math.log(sizes[0] / sizes[-1])
    return abs(change) > 2.5 * total + DEVIATIONS * math.sqrt(5.0 * total)


register(
    "A008",
    "narrow_layers",
    "warning",
    __doc__,
    check,
    needs=("units", "train_loss"),
    thresholds=[
        Threshold(
            "sum",
            NARROW,
            "Σ 1/units over the hidden layers",
            low=0.0,
            origin="5 Σ 1/units is the variance of ln of a ReLU net's signal: e^±1.6",
        )
    ],
    brings_about="A001 A003 A006 G001 G005 B001 L001 L004 A007",
)
