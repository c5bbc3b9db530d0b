"""The net can learn its samples by heart, and nobody knows their noise.

What it looks for: a regression whose noise is not known, with so few samples that the weights of
the net are enough for any values of theirs, of a run that did not learn well.

Why it hurts: whatever held such a net back, once that is undone it goes on to learn the noise of
its samples, and new ones get worse. A cure of small data is half a cure without a penalty.

How it is measured: weights of all layers, or of two layers of 64 that a cure may make of them,
beside
2n + d, with which any values of n samples of d features can be had.

When it stays silent: classes, whose labels seldom have noise of the size of what is to be learned;
a regression whose noise is known; a run that learned well, was too short, or has a penalty of d/n.

What to try: together with what undoes the cause an L2 penalty of d/n: that of a ridge regression,
d σ²/(n ‖β‖²), where nothing speaks for more noise than signal or the other way round.

References: Zhang et al. 2017, Understanding deep learning requires rethinking generalization,
theorem 1; Hoerl, Kennard & Baldwin 1975, Ridge regression: some simulations.
"""

from __future__ import annotations

from dlprobe.rules.brakes import weights_for_all
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register

ROOMY = 64  # units of the two layers that a net which lacks room gets


def check(evidence: Evidence, settings: Settings) -> Outcome:
    learned = evidence.require_time()
    if learned.task != "regression":
        raise NotEvaluableError("no numbers are learned but classes")
    weights, needed = weights_for_all(evidence)
    if not needed:
        raise NotEvaluableError(
            "the file does not say which samples were trained on, or how large the layers are"
        )
    known = learned.known or evidence.run.data.get("noise_variance") is not None
    ends = (evidence.layers[0].fan_in or 0, evidence.layers[-1].units or 1)
    usual = ROOMY * (ends[0] + ROOMY + ends[1])
    if evidence.well or known or max(weights, usual) < settings["share"] * needed:
        return Passed()
    has = f"the net has {weights} weights, one of two layers of {ROOMY} {usual}"
    evident = (
        f"{has}, and {needed} are enough for any targets of its samples, whose noise is not known"
    )
    return one_finding(
        max(weights, usual) / needed,
        settings["share"],
        evident,
        remedies=remedies(evidence, "ridge"),
    )


register(
    "B006",
    "room_for_noise",
    "info",
    __doc__,
    check,
    needs=("train_r2", "train_indices", "fan_in", "fan_out"),
    thresholds=[
        Threshold(
            "share",
            1.0,
            "weights over 2n + d",
            low=0.0,
            origin="theorem: a net with 2n + d weights can have any values of n samples",
        )
    ],
    brings_about="B002",
)
