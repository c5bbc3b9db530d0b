"""Initial weights have the wrong size for their fan_in.

What it looks for: hidden layers whose weight variance at step 0 is far outside what the usual
initializers give for their fan_in and fan_out, in a run that did not learn.

Why it hurts: a layer multiplies the variance of what passes by fan_in·Var(W)·E φ'². A factor of 10
per layer is 10²⁰ over 20 layers; in a single layer it decides whether units start saturated or next
to 0.

How it is measured: weight_rms² of the first recorded row over the nearest end of the range from
1/(3 fan_in), or Glorot's 2/(fan_in + fan_out) where that is less, to 2/fan_in, or the squared gain
of the activation over fan_in where that is more. The geometric mean over the hidden layers must lie
outside 1/factor … factor.

When it stays silent: a run that learned well is not accused. Layers that are normalized before
their activation do not care for the scale of W and are left out; weights of zero are W001. A run
whose first step was not recorded is not evaluated.

What to try: the initializer that suits the activation: he_normal for the ReLU family, lecun_normal
for SELU, glorot_normal for the others. In deep nets of sigmoids it lets the error signal vanish:
ReLU, or batch normalization.

References: LeCun et al. 1998, Efficient backprop, §4.6; Glorot & Bengio 2010; He et al. 2015.
"""

from __future__ import annotations

import math

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.suspects import fades, is_normalized, scale_factors


def check(evidence: Evidence, settings: Settings) -> Outcome:
    factors = scale_factors(evidence)
    hidden = [index for index in evidence.hidden if not is_normalized(evidence, index)]
    if np.isnan(factors).all():
        raise NotEvaluableError("weight_rms was not recorded")
    drawn = factors[np.isfinite(factors) & (factors > 0)]
    if evidence.well or not len(drawn):
        return Passed()
    mean = math.exp(float(np.log(drawn).mean()))
    limit = settings["factor"]
    if 1 / limit <= mean <= limit:
        return Passed()
    evident = (
        f"weight_rms² of step 0 is {mean:.3g} times what the usual initializers give at most or "
        f"least (geometric mean over {len(drawn)} hidden layers)"
    )
    layers = tuple(
        evidence.names[index]
        for index, factor in zip(hidden, factors, strict=True)
        if not 1 / limit <= factor <= limit
    )
    return one_finding(
        mean,
        limit if mean > 1 else 1 / limit,
        evident,
        layers,
        (0,),
        remedies(evidence, *(["relu"] if fades(evidence) else ["init"]), "batch_norm", "init"),
    )


register(
    "W002",
    "poor_initial_scale",
    "warning",
    __doc__,
    check,
    needs=("weight_rms", "fan_in", "fan_out", "activation", "train_loss"),
    thresholds=[
        Threshold(
            "factor",
            5.0,
            "factor by which it may be outside",
            low=1.0,
            origin="choice: in 20 layers a factor of 5 each is 10¹⁴",
        )
    ],
    brings_about="A002 A003 A004 G001 G002 G003 L005 A001 W003 W004",
)
