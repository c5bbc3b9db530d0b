"""Units that no sample activates.

What it looks for: hidden layers of which many units have slope zero on the whole training part, in
a run that did not learn.

Why it hurts: a unit with slope zero on every sample gets no gradient and never comes back by
itself. A layer that is dead altogether cuts off everything below it.

How it is measured: dead_fraction per layer, of the last evaluation whose loss is finite, over the
whole training part; single batches (the statistic of the same name) would call units dead that
other batches wake. Without evaluations of layers the rule cannot look.

When it stays silent: a run that learned well is not accused: dead units are normal in deep ReLU
nets, and more so in trained ones. Layers whose activation has a slope everywhere never count. Where
the units that live are on for nearly every sample, an info: what reaches such a layer hardly
differs from sample to sample, and biases alone say which units are dead.

What to try: leaky units; a smaller learning rate (one large step can push biases far below 0);
biases that start at 0; batch normalization.

References: Maas, Hannun & Ng 2013, Rectifier nonlinearities improve neural network acoustic models;
    Lu et al. 2020, Dying ReLU and initialization.
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.suspects import DEEP, calming, few, passing

MOSTLY = 0.9


def check(evidence: Evidence, settings: Settings) -> Outcome:
    hidden = evidence.require_hidden()
    fractions = evidence.run.evaluation_layers.get("dead_fraction")
    last = evidence.require_evaluations().last_finite
    if fractions is None or np.isnan(fractions[last][hidden]).all():
        raise NotEvaluableError(
            "dead_fraction was not evaluated, or no hidden layer's activation can be dead"
        )
    if evidence.well:
        return Passed()
    dead = np.nan_to_num(fractions[last][hidden].astype(np.float64))
    touched = np.flatnonzero(dead >= settings["share"])
    if not len(touched):
        return Passed()
    worst = int(np.argmax(dead))
    layers = tuple(evidence.names[hidden[index]] for index in touched)
    evident = (
        f"{dead[worst]:.0%} of the units of {evidence.names[hidden[worst]]} have slope 0 on the "
        "whole training part at the last finite evaluation"
    )
    from_the_start = float(np.nanmax(fractions[0][hidden], initial=0.0)) >= settings["share"]
    first = ["shallower"] if len(hidden) > DEEP else ["larger_net"] if few(evidence) else []
    names = (
        [*passing(evidence)[:2], "leaky"]
        if from_the_start
        else [*first, *calming(evidence), "leaky", "batch_norm"]
    )
    cure = remedies(evidence, *names)
    return one_finding(
        float(dead[worst]),
        settings["share"],
        evident,
        layers,
        (int(evidence.learning.steps[last]),),
        cure,
        severity="info" if _say_the_same(evidence, [hidden[index] for index in touched]) else "",
    )


def _say_the_same(evidence: Evidence, layers: list[int]) -> bool:
    """Whether in all these layers units that live are on for nearly every sample: what reaches
    them hardly differs, so that each unit is on or off by its bias, which is a consequence.
    """
    try:
        on, dead = (evidence.row(name, -1)[layers] for name in ("active_fraction", "dead_fraction"))
    except NotEvaluableError:
        return False
    return bool(((dead < MOSTLY) & (on > MOSTLY * (1.0 - dead))).all())


register(
    "A001",
    "dead_units",
    "error",
    __doc__,
    check,
    needs=("dead_fraction", "train_loss"),
    thresholds=[
        Threshold(
            "share",
            0.5,
            "share of a layer's units that are dead",
            low=0.0,
            high=1.0,
            origin="choice: half; 10 % is usual in healthy nets",
        )
    ],
    brings_about="A003 G001 G005 N002 W004 L001 L004 B001 L009",
)
