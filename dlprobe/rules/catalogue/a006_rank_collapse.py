"""With depth, all samples look the same.

What it looks for: hidden layers in which different samples point the same way: the share of the
activations' mean square that differs between samples falls with depth beyond the finite-width band,
though the activations' size may look perfect.

Why it hurts: the layers above cannot tell samples apart, so the gradients of different samples are
the same gradient, and the net can learn the average answer only.

How it is measured: at nine rows, the verdict collapsed of the function that every command shares: ½
log10 of the between-sample variance's share of the mean square, hidden_n over hidden_1, below
−band. Where histograms were recorded, the evidence quotes the mean cosine between samples
(activation_cosine).

When it stays silent: a run that learned well is not accused; where error signals themselves vanish
or explode the verdict is that, and G001 or G002 says so; with fewer than two hidden layers there is
no depth to compare along.

What to try: batch normalization, which keeps samples apart; initial weights at the edge of chaos;
fewer layers.

References: Schoenholz et al. 2017, Deep information propagation; Daneshmand et al. 2020, Batch
    normalization provably avoids ranks collapse; Cho & Saul 2009.
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.profiling import share_of
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import SHARE_OF_ROWS, Settings, register
from dlprobe.rules.suspects import passing


def check(evidence: Evidence, settings: Settings) -> Outcome:
    profiles = evidence.profiles
    evidence.require("activation_sample_variance", "activation_variance", "activation_mean")
    if evidence.well:
        return Passed()
    collapsed = [profile for profile in profiles if profile.verdict.verdict == "collapsed"]
    if not share_of(collapsed, profiles, settings["share"]):
        return Passed()
    names, first = evidence.names, collapsed[0]
    top = evidence.hidden[-1]
    evident = (
        f"at step {first.step} {first.verdict.reason}{_cosine(evidence, top)}; so in "
        f"{len(collapsed)} of {len(profiles)} recorded steps looked at"
    )
    layers, cure = (names[evidence.hidden[0]], names[top]), remedies(evidence, *passing(evidence))
    return one_finding(
        _share(evidence, first.step, top),
        10 ** (-2 * first.verdict.band),
        evident,
        layers,
        (first.step, collapsed[-1].step),
        cure,
    )


def _share(evidence: Evidence, step: int, layer: int) -> float:
    row = int(evidence.steps.searchsorted(step))
    between, pooled, mean = (
        float(evidence.row(f"activation_{name}", row)[layer])
        for name in ("sample_variance", "variance", "mean")
    )
    return between / (pooled + mean**2) if pooled + mean**2 > 0 else 0.0


def _cosine(evidence: Evidence, layer: int) -> str:
    try:
        cosine = evidence.instrument("activation_cosine")[1][:, layer]
    except NotEvaluableError:
        return ""
    if np.isfinite(cosine).any():
        return f" (mean cosine between samples there: {np.nanmedian(cosine):.4f})"
    return ""


register(
    "A006",
    "rank_collapse",
    "error",
    __doc__,
    check,
    needs=("activation_sample_variance", "activation_variance", "error_signal_rms", "train_loss"),
    thresholds=[SHARE_OF_ROWS],
    brings_about="L001 L004 B001",
)
