"""Activations lie far from 0 in the last recorded step.

What it looks for: a hidden layer whose mean activation is large beside its standard deviation.

Why it hurts: the next layer's weights act like biases, and gradients share one sign.

How it is measured: |activation_mean| over the root of activation_variance, in the last row.

When it stays silent: below the threshold.

What to try: an activation whose values lie on both sides of 0, or a normalization.

References: LeCun, Bottou, Orr & Müller 1998, Efficient BackProp, §4.3.
"""

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding, Outcome, Passed, fired
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register


def check(evidence: Evidence, settings: Settings) -> Outcome:
    hidden = evidence.require_hidden()
    last = evidence.moments[-1]
    means, variances = (
        evidence.row(name, last)[hidden] for name in ("activation_mean", "activation_variance")
    )
    shifts = np.abs(means) / np.sqrt(variances)
    worst = int(np.argmax(shifts))
    limit = float(settings["shift"])
    if not shifts[worst] > limit:
        return Passed()
    name = evidence.names[hidden[worst]]
    said = f"the mean activation of {name} is {shifts[worst]:.1f} standard deviations from 0"
    cure = remedies(evidence, "batch_norm")
    return fired(Finding(float(shifts[worst]), limit, said, (name,), (), cure))


register(
    "X001",
    "shifted_units",
    "warning",
    __doc__,
    check,
    needs=("activation_mean", "activation_variance"),
    thresholds=[
        Threshold("shift", 3.0, "standard deviations from 0", low=0.0, origin="choice: plainly off")
    ],
)
