"""Most of a layer lies in the flat ends of its activation.

What it looks for: hidden layers with an activation that is flat at both ends (sigmoid, tanh,
softsign, hard variants) of whose elements most have a slope below 1 % of the largest one, in a run
that did not learn.

Why it hurts: the slope is the factor by which the error signal passes. In the flat ends it is next
to nothing, so neither this layer nor those below learn, and what the layer says of a sample is a
row of bits.

How it is measured: flat_fraction per layer at nine rows from the first to the last: the median of a
layer over them, and its number at the first one.

When it stays silent: a run that learned well is not accused; activations that are flat at one end
only (ReLU) are the business of A001.

What to try: smaller initial weights that suit the activation; scaled inputs; a normalization before
the activation; ReLU.

References: LeCun, Bottou, Orr & Müller 1998, Efficient backprop, §4; Glorot & Bengio 2010, §3.
"""

from __future__ import annotations

import numpy as np

from dlprobe.analysis.profiles.idle_units import flat_at_both_ends
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.scale import off_scale
from dlprobe.rules.suspects import passing


def check(evidence: Evidence, settings: Settings) -> Outcome:
    hidden = [
        index
        for index in evidence.require_hidden()
        if flat_at_both_ends(evidence.layer_fact("activation", index))
    ]
    if not hidden:
        raise NotEvaluableError("no such layer: no hidden activation is flat at both ends")
    # (moment, layer)
    flat = np.stack([evidence.row("flat_fraction", row) for row in evidence.moments])[:, hidden]
    if np.isnan(flat).all():
        raise NotEvaluableError("flat_fraction was not recorded")
    if evidence.well:
        return Passed()
    share = settings["share"]
    level = np.fmax(np.nanmedian(np.nan_to_num(flat), axis=0), np.nan_to_num(flat[0]))
    touched = np.flatnonzero(level > share)
    if not len(touched):
        return Passed()
    worst = int(np.argmax(level))
    layers = tuple(evidence.names[hidden[index]] for index in touched)
    evident = (
        f"{level[worst]:.0%} of the elements of {evidence.names[hidden[worst]]} are flat "
        f"(flat_fraction: at step {evidence.steps[0]}, or typically)"
    )
    began = int(np.argmax((flat[:, touched] > share).any(axis=1)))
    steps = (int(evidence.steps[evidence.moments[began]]), evidence.span[1])
    cure = remedies(evidence, *off_scale(evidence), *passing(evidence))
    return one_finding(float(level[worst]), share, evident, layers, steps, cure)


register(
    "A002",
    "saturated_units",
    "warning",
    __doc__,
    check,
    needs=("flat_fraction", "activation", "train_loss"),
    thresholds=[
        Threshold(
            "share",
            0.5,
            "share of a layer's elements that are flat",
            low=0.0,
            high=1.0,
            origin="choice: most, that is, more than half",
        )
    ],
    brings_about="A003 G001 G005 W004 L001 L004 L003 B001",
    dated=True,
)
