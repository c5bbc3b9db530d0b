"""A few samples carry most of the squared error.

What it looks for: targets of a regression of which the hundredth that lies farthest from the mean
has most of the variance, in a net that minimizes squared errors.

Why it hurts: the squared error of a sample grows with the square of its distance, so that a price
thirty deviations off, of a zero too many, counts as nine hundred others. The net follows the few,
and the mean and R² by which it is judged go by them too. A larger net follows them closer.

How it is measured: the hundredth of the training targets that is farthest from their mean, at
least one sample; its share of all squared distances. It is .08 of a normal target, .22 of an
exponential one. Of several targets, the largest counts.

When it stays silent: losses that grow in proportion to the distance, such as huber and mae, always
pass; classes are not evaluated. A run that learned well, or was too short to tell, gets an info.

What to try: huber, which is squared near 0 and in proportion further out. Look at the rows first:
`dlprobe data` shows the target's histogram, and what is a mistake can be mended. Where large values
are right and errors count in per cent, the logarithm of the target.

References: Huber 1964, Robust estimation of a location parameter; Hampel et al. 1986, Robust
    statistics.
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register

FEWEST = 100
SQUARED = ("mse", "auto", "None", "")  # what a regression without a loss of its own gets is mse


def check(evidence: Evidence, settings: Settings) -> Outcome:
    data = evidence.run.data
    if data.get("task") != "regression":
        raise NotEvaluableError("the targets are classes")
    if "target_tail" not in data:
        raise NotEvaluableError("target_tail is not in the file")
    if len(data.get("train_indices", ())) < FEWEST:
        raise NotEvaluableError(f"fewer than {FEWEST} training samples have no hundredth")
    share = float(np.max(np.asarray(data["target_tail"], np.float64), initial=0.0))
    loss = str(evidence.facts.loss).partition("(")[0]
    if loss not in SQUARED or not share >= settings["share"]:
        return Passed()
    evident = (
        f"{share:.0%} of the variance of the training targets is that of the hundredth of them "
        "that is farthest from the mean, and the loss squares it"
    )
    return one_finding(
        share,
        settings["share"],
        evident,
        remedies=remedies(evidence, "robust_loss"),
        severity="info" if evidence.spared else "",
    )


register(
    "D007",
    "heavy_tailed_target",
    "warning",
    __doc__,
    check,
    needs=("target_tail", "task", "train_loss"),
    thresholds=[
        Threshold(
            "share",
            0.5,
            "share of the variance that a hundredth of the samples has",
            low=0.0,
            high=1.0,
            origin="definition of most",
        )
    ],
    brings_about="L001 L004 B001 B002 B005 G004",
)
