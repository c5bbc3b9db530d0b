"""What batch normalization uses in training is not what it uses afterwards.

What it looks for: a net with batch normalization whose running statistics are not those of its
training part, or whose loss on the training part in evaluation mode is far above the loss of its
own training batches around the same step, in a run that did not learn.

Why it hurts: the net that was trained is not the net that is used. Every number that is reported,
and every prediction, comes from the second one.

How it is measured: at the last evaluation, per layer, norm_mean_mismatch (the distance of the means
in running deviations) and norm_variance_ratio.
Batches of a few samples are named for themselves: the variance of so many is off by √(2/(B − 1)) of
itself by chance.
And the training loss of the last five evaluations over the mean batch loss of the recorded steps
before each: their median ratio must exceed its threshold, and the difference a tenth of the first
loss. A batch loss that still falls fast makes the ratio smaller, not larger. Any of them fires.

When it stays silent: without batch normalization there is nothing to disagree; with dropout the two
losses differ by intention, so it is not evaluated.

What to try: larger batches; layer normalization, which has no running statistics; a smaller
learning rate, so that they can follow; fewer layers.

References: Ioffe 2017, Batch renormalization; Wu & Johnson 2021, Rethinking "batch" in BatchNorm,
    §3.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding, NotEvaluableError, Outcome, Passed, fired
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register

LAST = 5
MISMATCH = ("norm_mean_mismatch", "norm_variance_ratio")


def check(evidence: Evidence, settings: Settings) -> Outcome:
    if not any(str(name).startswith("batch") for name in evidence.layer_column("normalization")):
        raise NotEvaluableError("no such layer: no layer has batch normalization")
    if evidence.drops:
        raise NotEvaluableError("with dropout, training and evaluation differ by intention")
    evidence.require_evaluations()
    learned = evidence.require_time()
    few = _few_samples(evidence, settings)
    findings = (few, _drifted(evidence, settings), _losses_apart(evidence, settings))
    if learned.well:
        return Passed()
    names = (
        ("larger_batch", "layer_norm", "lower_rate")
        if few is not None
        else ("layer_norm", "larger_batch", "lower_rate")
    )
    return fired(
        *(
            replace(
                finding,
                steps=evidence.span if finding is few else evidence.second_half,
                remedies=remedies(evidence, *names),
            )
            for finding in findings
            if finding is not None
        )
    )


def _few_samples(evidence: Evidence, settings: Settings) -> Finding | None:
    """Batches whose own variance is mostly chance; None where they are large enough, or their
    size is not known.
    """
    size = evidence.facts.batch_size
    noise = math.inf if size == 1 else math.sqrt(2.0 / (size - 1)) if size else 0.0
    if noise < settings["noise"]:
        return None
    normed = zip(evidence.names, evidence.layer_column("normalization"), strict=True)
    evident = (
        f"the variance of {size} samples, by which batch normalization divides, is off by "
        f"{noise:.0%} of itself by chance"
    )
    return Finding(
        noise,
        settings["noise"],
        evident,
        tuple(name for name, norm in normed if str(norm).startswith("batch")),
    )


def _drifted(evidence: Evidence, settings: Settings) -> Finding | None:
    """The layer whose running statistics are furthest off; None where they are near, or were
    not recorded.
    """
    last = {
        name: series[-1].astype(np.float64)
        for name, series in evidence.run.evaluation_layers.items()
        if name in MISMATCH
    }
    for name in MISMATCH:
        drift = last.get(name, np.full(1, np.nan))
        values = np.nan_to_num(
            np.exp(np.abs(np.log(drift))) if name == MISMATCH[1] else drift, nan=0.0, posinf=0.0
        )
        worst, limit = int(np.argmax(values)), float(settings[name.removeprefix("norm_")])
        if values[worst] > limit:
            evident = (
                f"{name} of {evidence.names[worst]} is {last[name][worst]:.3g} at the last "
                "evaluation"
            )
            return Finding(float(values[worst]), limit, evident, (evidence.names[worst],))
    return None


def _losses_apart(evidence: Evidence, settings: Settings) -> Finding | None:
    """The losses of evaluation and training that differ; None where they are near."""
    # (evaluation, 2): evaluated, in training
    pairs, limit = (np.array(_pairs(evidence)), settings["ratio"])
    if not len(pairs):
        raise NotEvaluableError("no recorded steps before an evaluation")
    ratio = float(np.median(pairs[:, 0] / pairs[:, 1]))
    apart = float(np.median(pairs[:, 0] - pairs[:, 1]))
    if not ratio > limit or apart < 0.1 * float(evidence.learning.loss[0]):
        return None
    evident = (
        f"train_loss of the last {len(pairs)} evaluations is typically {ratio:.3g} times the "
        "batch_loss of the steps before them"
    )
    normed = zip(evidence.names, evidence.layer_column("normalization"), strict=True)
    return Finding(
        ratio, limit, evident, tuple(name for name, norm in normed if str(norm).startswith("batch"))
    )


def _pairs(evidence: Evidence) -> list[tuple[float, float]]:
    """Evaluated training loss and mean batch loss before it, of the last evaluations."""
    learned, steps, loss = evidence.learning, evidence.steps, evidence.scalar("batch_loss")
    pairs = []
    for index in range(max(1, len(learned.steps) - LAST), len(learned.steps)):
        before = loss[(steps >= learned.steps[index - 1]) & (steps < learned.steps[index])]
        if (
            len(before)
            and np.isfinite(before).all()
            and np.isfinite(learned.loss[index])
            and before.mean() > 0
        ):
            pairs.append((float(learned.loss[index]), float(before.mean())))
    return pairs


register(
    "A007",
    "norm_mismatch",
    "warning",
    __doc__,
    check,
    needs=(
        "normalization",
        "batch_loss",
        "train_loss",
        "norm_mean_mismatch",
        "norm_variance_ratio",
    ),
    thresholds=[
        Threshold(
            "mean_mismatch",
            1.0,
            "distance of the means in running deviations",
            low=0.0,
            origin="choice: as far as the values are wide",
        ),
        Threshold(
            "variance_ratio",
            4.0,
            "factor between the variances, either way",
            low=1.0,
            origin="choice: twice the deviation",
        ),
        Threshold(
            "noise",
            0.8,
            "relative deviation of a batch's variance",
            low=0.0,
            origin="√(2/(B − 1)) of normal samples: four or fewer",
        ),
        Threshold(
            "ratio",
            1.5,
            "evaluated training loss over batch loss",
            low=1.0,
            origin="choice: half as much again",
        ),
    ],
    brings_about="B002 B003 L003 G002 G003 G004",
    dated=True,
)
