"""The error signal or the gradient grows without measure.

What it looks for: a depth profile of the error signal that grows towards the input beyond the
finite-width band; a global gradient norm that rises over training by orders of magnitude and stays
there or ends non-finite.

Why it hurts: one rate cannot suit layers whose gradients differ by orders of magnitude: the steps
of the lower layers overshoot. A norm that grows over time is a loop of steps that make the next
step larger.

How it is measured: in depth, the shared verdict on error_signal_rms (see G001) at nine rows; the
first row or the given share of them must say exploding. Over time, the median of gradient_norm over
the last tenth of the rows against that over the first tenth, or a norm that is not finite.

When it stays silent: a run that learned well is not accused. A norm that is high from the start to
the end is a matter of the loss's scale, not of growth.

What to try: an initializer that keeps the variance; a smaller learning rate; clipping the global
norm. With batch normalization, which itself makes the gradient grow by a factor per layer, fewer
layers or layer normalization.

References: Pascanu, Mikolov & Bengio 2013, On the difficulty of training recurrent neural networks;
    Glorot & Bengio 2010; Yang et al. 2019, A mean field theory of batch normalization; Hanin 2018,
    Which neural net architectures give rise to exploding and vanishing gradients.
"""

from __future__ import annotations

import math

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding, NotEvaluableError, Outcome, Passed, fired
from dlprobe.rules.profiling import profile_finding, share_of
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import SHARE_OF_ROWS, Settings, Threshold, register
from dlprobe.rules.suspects import DEEP, calming, passing


def check(evidence: Evidence, settings: Settings) -> Outcome:
    if evidence.well:
        return Passed()
    findings = _in_depth(evidence, settings["share"])
    if findings and not evidence.run.is_recorded("gradient_norm"):
        return fired(*findings)
    return fired(*findings, *_over_time(evidence, settings["growth"]))


def _in_depth(evidence: Evidence, share: float) -> list[Finding]:
    try:
        profiles = evidence.profiles
    except NotEvaluableError:  # a shallow net can still explode over time
        return []
    exploding = [profile for profile in profiles if profile.verdict.verdict == "exploding"]
    if not share_of(exploding, profiles, share):
        return []
    normalized = evidence.normalized
    names = (
        (
            *(["shallower"] if len(evidence.hidden) > DEEP else []),
            "no_norm",
            "layer_norm",
            "shallower",
        )
        if normalized
        else (*passing(evidence), "clip")
    )
    return [profile_finding(evidence, exploding, profiles, 1.0, remedies(evidence, *names))]


def _over_time(evidence: Evidence, growth: float) -> list[Finding]:
    norm, steps = evidence.scalar("gradient_norm"), evidence.steps
    tenth = max(len(norm) // 10, 1)
    with np.errstate(all="ignore"):
        first, last = float(np.median(norm[:tenth])), float(np.median(norm[-tenth:]))
    infinite = np.flatnonzero(~np.isfinite(norm))
    cure = remedies(evidence, *calming(evidence), "clip", "init")
    if len(infinite):
        step = int(steps[infinite[0]])
        return [
            Finding(
                math.inf,
                growth,
                f"gradient_norm is not finite at step {step}; it began at {norm[0]:.3g}",
                steps=(step,),
                remedies=cure,
            )
        ]
    if first > 0 and last > growth * first:
        evident = (
            f"the median gradient_norm of the last tenth of the rows, {last:.3g}, is "
            f"{last / first:.3g} times that of the first tenth, {first:.3g}"
        )
        return [
            Finding(
                last / first,
                growth,
                evident,
                steps=(int(steps[-tenth]), int(steps[-1])),
                remedies=cure,
            )
        ]
    return []


register(
    "G002",
    "exploding_gradient",
    "error",
    __doc__,
    check,
    needs=("error_signal_rms", "gradient_norm", "train_loss"),
    thresholds=[
        SHARE_OF_ROWS,
        Threshold(
            "growth",
            100.0,
            "growth of the gradient norm over training",
            low=1.0,
            origin="choice: two orders of magnitude",
        ),
    ],
    brings_about="A004 G004 W003 N001 L002 L005 W005",
    dated=True,
)
