"""A layer's gradient is exactly zero.

What it looks for: layers whose weight gradient is exactly zero at most steps of the second half of
training, while the loss is far from its floor.

Why it hurts: what has no gradient does not move. Exactly zero is never chance: units are off,
weights are zero, an output cannot change, or numbers fell below the smallest that the precision
holds.

How it is measured: the share of the recorded steps of the second half in which gradient_l2 is 0,
per layer; on long runs, of stretches in which it is 0 throughout.

When it stays silent: a run that learned well is not accused: at the floor of the loss gradients may
well be zero.

What to try: where the output layer is touched, an output activation that can change (L006); where
hidden layers are, leaky units, other biases or initial weights; in float32 with tiny gradients,
float64.

References: Wardat, Le & Rajan 2021, DeepLocalize; Lu, Shin, Su & Karniadakis 2020, Dying ReLU and
    initialization.
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.suspects import passing


def check(evidence: Evidence, settings: Settings) -> Outcome:
    series = evidence.series("gradient_l2")
    if evidence.well:
        return Passed()
    late = series.high[len(series.steps) // 2 :]
    share = np.mean(late == 0.0, axis=0)  # (layer,)
    touched = np.flatnonzero(share > settings["share"])
    if not len(touched):
        return Passed()
    worst = int(touched[np.argmax(share[touched])])
    layers = tuple(evidence.names[index] for index in touched)
    evident = (
        f"gradient_l2 of {evidence.names[worst]} is exactly 0 in {share[worst]:.0%} of the "
        f"recorded steps of the second half, as of {len(touched)} layers"
    )
    output = len(evidence.names) - 1 in touched
    cure = remedies(
        evidence,
        *(["outputs"] if output else []),
        *passing(evidence)[:2],
        "leaky",
        *([] if output else ["outputs"]),
    )
    return one_finding(
        float(share[worst]), settings["share"], evident, layers, evidence.second_half, cure
    )


register(
    "G005",
    "zero_gradient",
    "error",
    __doc__,
    check,
    needs=("gradient_l2", "train_loss"),
    thresholds=[
        Threshold(
            "share",
            0.5,
            "share of the late steps with a zero gradient",
            low=0.0,
            high=1.0,
            origin="choice: more often than not",
        )
    ],
    brings_about="W004 L001 L004 B001",
)
