"""What samples make a layer say shrinks with depth.

What it looks for: activations whose variance, pooled or between samples, falls from hidden_1 to
hidden_n by more than the finite-width band, in a run that did not learn.

Why it hurts: the output layer sees nearly the same numbers for every sample. There is nothing left
to tell classes apart by, and the gradient, which is the product of what comes in and what comes
back, has nothing to work with.

How it is measured: at nine rows, half of log10 of activation_variance of hidden_n over hidden_1 (so
decades of its root), and the same of activation_sample_variance; the smaller of the two must lie
below −band, the band of the shared verdict (see G001), at the first row or at most of the rows.
Pooled variance alone hides the collapse of sigmoid nets, whose units differ in what they always
say.

When it stays silent: a run that learned well is not accused; with fewer than two hidden layers
there is no depth to compare along.

What to try: the initializer that suits the activation (He for ReLU); an activation around 0; a
normalization; fewer layers.

References: Glorot & Bengio 2010, §4.2.1; He et al. 2015, Delving deep into rectifiers, §2.2; Poole
    et al. 2016, Exponential expressivity.
"""

from __future__ import annotations

from dlprobe.rules.depth import Fall, fall_of, fallen
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Outcome, Passed, fired
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import SHARE_OF_ROWS, Settings, register
from dlprobe.rules.suspects import passing


def check(evidence: Evidence, settings: Settings) -> Outcome:
    falls = [fall_of(evidence, profile, min) for profile in evidence.profiles]
    if evidence.well:
        return Passed()
    collapsed: list[Fall] = [fall for fall in falls if fall.decades < -fall.band]
    return fired(
        *fallen(
            evidence, collapsed, falls, settings["share"], remedies(evidence, *passing(evidence))
        )
    )


register(
    "A003",
    "variance_collapse",
    "warning",
    __doc__,
    check,
    needs=("activation_variance", "activation_sample_variance", "train_loss"),
    thresholds=[SHARE_OF_ROWS],
    brings_about="A006 L001 L004 B001",
    dated=True,
)
