"""Activations grow from layer to layer.

What it looks for: activations whose variance rises from hidden_1 to hidden_n by more than the
finite-width band, in a run that did not learn.

Why it hurts: the output starts far from anything the loss expects, its gradient is as large, and
the first steps throw the weights about. Bounded activations do not grow: they saturate (A002).

How it is measured: at nine rows, half of log10 of activation_variance of hidden_n over hidden_1 (so
decades of its root), which must lie above the band of the shared verdict (see G001), at the first
row or at most of the rows.

When it stays silent: a run that learned well is not accused; with fewer than two hidden layers
there is no depth to compare along.

What to try: the initializer that suits the activation (He for ReLU); a normalization; a smaller
learning rate where it grew in training only.

References: He et al. 2015, Delving deep into rectifiers, §2.2; Hanin & Rolnick 2018, How to start
    training.
"""

from __future__ import annotations

from dlprobe.rules.depth import fall_of, fallen, pooled
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Outcome, Passed, fired
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import SHARE_OF_ROWS, Settings, register
from dlprobe.rules.suspects import passing


def check(evidence: Evidence, settings: Settings) -> Outcome:
    falls = [fall_of(evidence, profile, pooled) for profile in evidence.profiles]
    if evidence.well:
        return Passed()
    grown = [fall for fall in falls if fall.decades > fall.band]
    return fired(
        *fallen(
            evidence,
            grown,
            falls,
            settings["share"],
            remedies(evidence, *passing(evidence), "lower_rate"),
        )
    )


register(
    "A004",
    "variance_growth",
    "warning",
    __doc__,
    check,
    needs=("activation_variance", "train_loss"),
    thresholds=[SHARE_OF_ROWS],
    brings_about="A002 L005 N001",
    dated=True,
)
