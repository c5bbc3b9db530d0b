"""The error signal dies on its way back to the input.

What it looks for: a depth profile of error_signal_rms, hidden_1 … hidden_n, that falls towards the
input by more than a net of this depth, width and activation would show by chance if it sat exactly
between vanishing and exploding, in a run that did not learn.

Why it hurts: the lower layers get next to nothing of what the loss says. They stay as they were
drawn, and the upper layers learn from features that nobody trained.

How it is measured: at nine rows from the first to the last, the verdict of one function that every
command shares: with r = log10 of the error signal of hidden_1 over that of hidden_n, vanishing is r
< −max(1, 4 s), s the standard deviation of r over critical nets of finite width. The rule fires
where the first row or at least the given share of the rows say vanishing. Ratios of weight
gradients are not used: ReLU with Glorot weights keeps them at 1 while the error signal falls by
10⁻⁷ over 50 layers.

When it stays silent: a run that learned well is not accused, however small its gradients: a
converged run and a vanished gradient look the same in absolute numbers. A net with fewer than two
hidden layers is not evaluated.

What to try: an activation whose slope does not shrink the signal, with the initializer that goes
with it (ReLU with He); a normalization; fewer layers.

References: Hochreiter 1991; Bengio, Simard & Frasconi 1994; Glorot & Bengio 2010, §4.2; Schoenholz
    et al. 2017, Deep information propagation; Hanin & Nica 2020 for the finite-width band.
"""

from __future__ import annotations

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Outcome, Passed, fired
from dlprobe.rules.profiling import profile_finding, share_of
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import SHARE_OF_ROWS, Settings, register
from dlprobe.rules.suspects import passing


def check(evidence: Evidence, settings: Settings) -> Outcome:
    profiles = evidence.profiles
    if evidence.well:
        return Passed()
    vanishing = [profile for profile in profiles if profile.verdict.verdict == "vanishing"]
    if not share_of(vanishing, profiles, settings["share"]):
        return Passed()
    return fired(
        profile_finding(evidence, vanishing, profiles, -1.0, remedies(evidence, *passing(evidence)))
    )


register(
    "G001",
    "vanishing_gradient",
    "error",
    __doc__,
    check,
    needs=("error_signal_rms", "activation_sample_variance", "train_loss"),
    thresholds=[SHARE_OF_ROWS],
    brings_about="A003 A006 G003 G005 N002 W004 L001 L004 B001",
    dated=True,
)
