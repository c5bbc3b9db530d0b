"""What a layer receives wanders while it learns.

What it looks for: hidden layers whose preactivation percentiles move, from one look to the next, by
more than their own spread, over most of training, in a run that did not learn.

Why it hurts: a layer that fits its weights to one distribution of inputs meets another one a moment
later and starts over. Normalization is there to stop this.

How it is measured: percentiles 15, 50 and 85 of the preactivation at the histogram cadence. The
drift between two looks is the change of the median in units of half the distance of the other two;
the rule takes the median over the looks of the second half of training.

When it stays silent: a run that learned well is not accused; without histograms (histogram-every =
never), or with fewer than four looks, it is not evaluated.

What to try: batch or layer normalization; a smaller learning rate.

References: Ioffe & Szegedy 2015, Batch normalization, figure 1; Santurkar et al. 2018, How does
    batch normalization help optimization, which doubts that the shift is what hurts: hence severity
    info.
"""

from __future__ import annotations

import numpy as np

from dlprobe.registry import counted
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register

LOOKS = 4
LOW, MIDDLE, HIGH = 1, 2, 3  # places of 15, 50 and 85 among the percentiles


def check(evidence: Evidence, settings: Settings) -> Outcome:
    hidden = evidence.require_hidden()
    if not evidence.run.contents.has("histograms/preactivation/percentiles"):
        raise NotEvaluableError("no histograms were recorded: give histogram-every")
    recorded = evidence.run.histograms("preactivation")
    if len(recorded.steps) < LOOKS:
        raise NotEvaluableError(
            f"too few steps: percentiles were taken {counted(len(recorded.steps), 'time')}, "
            f"{LOOKS} are needed"
        )
    if evidence.well:
        return Passed()
    looks = recorded.percentiles[:, hidden].astype(np.float64)  # (look, layer, percentile)
    with np.errstate(all="ignore"):
        spread = 0.5 * (looks[:, :, HIGH] - looks[:, :, LOW])
        drift = np.abs(np.diff(looks[:, :, MIDDLE], axis=0)) / spread[1:]  # (look − 1, layer)
    late = np.nan_to_num(np.median(drift[len(drift) // 2 :], axis=0), nan=0.0, posinf=0.0)
    worst = int(np.argmax(late))
    if late[worst] <= settings["drift"]:
        return Passed()
    names = tuple(
        evidence.names[hidden[index]] for index in np.flatnonzero(late > settings["drift"])
    )
    evident = (
        f"between two looks the median preactivation of {evidence.names[hidden[worst]]} typically "
        f"moves by {late[worst]:.2g} of its own spread"
    )
    cure = remedies(evidence, "batch_norm", "layer_norm", "lower_rate")
    return one_finding(
        float(late[worst]),
        settings["drift"],
        evident,
        names,
        (int(recorded.steps[0]), int(recorded.steps[-1])),
        cure,
    )


register(
    "A005",
    "distribution_shift",
    "info",
    __doc__,
    check,
    needs=("percentiles", "train_loss"),
    thresholds=[
        Threshold(
            "drift",
            1.0,
            "drift of the median between looks, in spreads",
            low=0.0,
            origin="choice: as far as the distribution is wide",
        )
    ],
)
